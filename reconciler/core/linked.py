"""Links (`TARGET:NAME`): further names that one container alone has for others on a network.

We link to a service, which the network knows by that name whatever container serves it; Compose links to containers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.model.observed import Container
from reconciler.model.plan import ContainerSpec

_DIGITS = "0123456789"


def relinked(spec: ContainerSpec, container: Container) -> Iterator[str]:
    """In words, on which of the networks that stay it has other links than are wanted."""
    for network in spec.endpoints:
        if network in container.networks and not alike(spec, container, network):
            yield f"linked otherwise on {network}"


def alike(spec: ContainerSpec, container: Container, network: str) -> bool:
    """Whether it has the names that are wanted; those that Compose adds by itself are fine."""
    asked = (container.definition.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    live: Sequence[str] = (asked.get(network) or {}).get("Links") or ()
    wanted = set(spec.endpoints[network].get("Links") or ())
    if not container.adopted:
        return wanted == set(live)
    names = {link.partition(":")[2] for link in wanted}
    has = {link.partition(":")[2] for link in live}
    return names <= has <= names | {link.partition(":")[2] for link in live if _by_itself(*link.split(":", 1))}


def _by_itself(target: str, name: str) -> bool:
    """`app-db-1` and `db-1` for the container `app-db-1`; Compose 2 writes the number of the other end."""
    return name[-1:] in _DIGITS and target.rstrip(_DIGITS).endswith(name.rstrip(_DIGITS))

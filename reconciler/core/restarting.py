"""Which containers are started again when some are, and in which order, told from the containers alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from reconciler.model import labels
from reconciler.model.observed import Container
from reconciler.model.plan import SHARED


def to_restart(asked: Sequence[Container], ours: Sequence[Container]) -> tuple[Container, ...]:
    """`asked`, those that share a namespace of one, and those that depend on one with `restart: true`, in turn.

    What shares the network of a container that was started again has none any more (network_namespaces(7)).
    """
    chosen = {container.id for container in asked}
    while more := {c.id for c in ours if c.id not in chosen and _follows(c, ours, chosen)}:
        chosen |= more
    return tuple(container for container in ours if container.id in chosen)


def in_order(containers: Sequence[Container]) -> list[list[Container]]:
    """Level by level: what others depend on, or share a namespace of, goes first. Services in a ring go together."""
    by_id = {container.id: container for container in containers}
    graph = TopologicalSorter({c.id: {o.id for o in containers if _needs(c, o)} for c in containers})
    try:
        graph.prepare()
    except CycleError:
        return [list(containers)]
    levels = []
    while graph.is_active():
        ready = graph.get_ready()
        levels.append(sorted((by_id[each] for each in ready), key=lambda container: container.slot))
        graph.done(*ready)
    return levels


def _follows(container: Container, ours: Iterable[Container], chosen: set[str]) -> bool:
    started_again = [other for other in ours if other.id in chosen]
    return any(
        _shares(container, other) or _dependencies(container, other).get(other.service) == "true"
        for other in started_again
    )


def _needs(container: Container, other: Container) -> bool:
    return _shares(container, other) or other.service in _dependencies(container, other)


def _shares(container: Container, other: Container) -> bool:
    host = container.definition.get("HostConfig") or {}
    return any(host.get(key) in (f"container:{other.id}", f"container:{other.name}") for key in SHARED)


def _dependencies(container: Container, other: Container) -> Mapping[str, str]:
    """Service -> whether it is restarted along, as Compose's label has it: `db:service_healthy:true,...`."""
    if container.stack != other.stack:
        return {}
    words = [each.split(":") for each in container.labels.get(labels.DEPENDS_ON, "").split(",") if each]
    return {each[0]: each[2] if len(each) > 2 else "false" for each in words}

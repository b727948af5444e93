"""What only one container can have at a time, and who therefore has to go before another may come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from reconciler.core.wanted import Want
from reconciler.model.observed import Slot
from reconciler.model.plan import Step


def may_overlap(want: Want) -> bool:
    """Whether a new container may run beside the old one for a moment (`deploy.update_config.order: start-first`).

    Asked for, and nothing is there that only one of the two can have: a port, an address, a place to write."""
    service = want.service
    if service.update.order != "start-first" or want.job:
        return False
    exclusive = (
        any(port.host_port for port in service.ports),
        any(a.ipv4_address or a.ipv6_address or a.mac_address for a in service.networks),
        any(m.kind != "tmpfs" and not m.read_only for m in service.mounts),
        service.network_mode == "host" or service.network_mode.startswith(("service:", "container:")),
    )
    return not any(exclusive)


def in_the_way(steps: Sequence[Step]) -> set[Slot]:
    """Slots whose old container has a name, a published port or an address that the new one of another slot needs."""
    needed: dict[str, Slot] = {}
    for step in steps:
        if step.starts_new and step.spec:
            needed |= dict.fromkeys(claims(step.spec.name, step.spec.body, step.spec.endpoints), step.slot)
    return {step.slot for step in steps if any(needed.get(c, step.slot) != step.slot for c in _held(step))}


def overlaps(one: str, other: str) -> bool:
    """Whether two subnets (CIDR notation) have an address in common; what is no subnet has none."""
    try:
        first, second = ip_network(one, strict=False), ip_network(other, strict=False)
    except ValueError:
        return False
    return first.version == second.version and first.overlaps(second)


def _held(step: Step) -> Iterator[str]:
    if step.current and step.starts_new:
        definition = step.current.definition
        endpoints = (definition.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
        yield from claims(step.current.name, definition, endpoints)


def claims(name: str, body: Mapping[str, Any], endpoints: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Each name, published port and address that was asked for, in words: equal words cannot be had twice."""
    yield f"name {name}"
    for port, bindings in ((body.get("HostConfig") or {}).get("PortBindings") or {}).items():
        protocol = port.partition("/")[2]
        yield from (f"port {b['HostPort']}/{protocol}" for b in bindings or () if b.get("HostPort"))
    for network, endpoint in endpoints.items():
        asked = endpoint.get("IPAMConfig") or {}
        yield from (f"address {asked[key]} of {network}" for key in ("IPv4Address", "IPv6Address") if asked.get(key))

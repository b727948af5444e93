"""Whether a new container may run beside the old one for a moment (`deploy.update_config.order: start-first`)."""

from __future__ import annotations

from reconciler.core.wanted import Want


def may_overlap(want: Want) -> bool:
    """Asked for, and nothing is there that only one of the two can have: a port, an address, a place to write."""
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

"""Which containers a person means and may touch: those of this fleet that are in service."""

from __future__ import annotations

from reconciler.core.scope import UnknownTarget
from reconciler.model.observed import Container, Observed


def ours(observed: Observed, owner: str, target: str) -> tuple[Container, ...]:
    """Our containers of `host`, `host/stack` or `host/stack/service`, by slot; stopped ones too. UnknownTarget.

    `owner` "": no pass has made anything here yet.
    """
    host, _, rest = target.partition("/")
    stack, _, service = rest.partition("/")
    if host != observed.host:
        raise UnknownTarget(
            "E-TARGET",
            f"there is no host {host!r} here",
            why=f"this machine is the host {observed.host}",
            next=f"a target is {observed.host}, {observed.host}/STACK or {observed.host}/STACK/SERVICE",
        )
    mine = [c for c in observed.containers if owner and c.owner == owner and c.role == "current"]
    found = [c for c in mine if stack in ("", c.stack) and service in ("", c.service)]
    if not found:
        there = sorted({f"{host}/{c.stack}/{c.service}" if stack else f"{host}/{c.stack}" for c in mine})
        raise UnknownTarget(
            "E-TARGET",
            f"no container of {target} is there",
            why=f"there are: {', '.join(there)}" if there else "reconciler has made none on this host yet",
            next="reconciler status; what others made is not touched",
        )
    return tuple(sorted(found, key=lambda container: container.slot))

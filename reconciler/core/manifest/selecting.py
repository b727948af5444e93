"""Which stacks a host runs."""

from __future__ import annotations

from reconciler.core.manifest.nearest import near
from reconciler.errors import BadConfiguration, Position
from reconciler.model.desired import Pairs
from reconciler.model.fleet import Fleet, Host, StackExtension


def selects(extension: StackExtension, host: Host, fleet: Fleet, at: Position) -> bool:
    """Whether the host runs the stack. BadConfiguration for an unknown host, or when nothing says which of several."""
    known = [h.name for h in fleet.hosts]
    for name in extension.hosts:
        if name not in known:
            raise BadConfiguration(
                "E-MANIFEST-HOST",
                f"the stack names the host {name!r}, which the fleet does not have",
                why=f"its hosts are: {', '.join(known)}{near(name, known)}",
                next="mend x-reconciler.hosts, or add the host to fleet.yaml",
                at=at,
            )
    if extension.hosts:
        return host.name in extension.hosts
    if extension.labels:
        if not any(_carries(h, extension.labels) for h in fleet.hosts):
            wanted = ", ".join(f"{key}: {value}" for key, value in extension.labels)
            carried = sorted({f"{key}: {value}" for h in fleet.hosts for key, value in h.labels})
            raise BadConfiguration(
                "E-MANIFEST-HOST",
                f"no host of the fleet has the labels {wanted}",
                why=f"labels of the fleet: {', '.join(carried) or 'none'}; a mistyped one would take the stack away",
                next="mend x-reconciler.hosts, or the labels in fleet.yaml",
                at=at,
            )
        return _carries(host, extension.labels)
    if len(known) > 1:
        raise BadConfiguration(
            "E-MANIFEST-HOST",
            "the stack does not say which hosts run it",
            why=f"the fleet has several: {', '.join(known)}",
            next=f"write x-reconciler: {{hosts: [{known[0]}]}} at the top of the file",
            at=at,
        )
    return True


def _carries(host: Host, labels: Pairs) -> bool:
    return set(labels) <= {*host.labels, ("name", host.name)}

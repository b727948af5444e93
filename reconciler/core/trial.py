"""A container in which new files are tried before anything that runs is touched: the new definition, and no harm."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from reconciler.model.plan import ContainerSpec

_OF_ONE_CONTAINER = frozenset("Z")
"""To relabel live data for a container of its own would take it from the one that runs (SELinux)."""


def trial(spec: ContainerSpec, copies: Mapping[str, str], absent: Collection[str], network: str) -> dict[str, Any]:
    """The create request of `spec` with `copies` in place of what it mounts; all that it mounts is read-only.

    `copies`: path on the host -> path of its copy; `absent`: volumes that do not exist yet, and are not made for this;
    `network`: its NetworkMode.
    """
    host = dict(spec.body.get("HostConfig") or {})
    binds = [bind.split(":") for bind in host.get("Binds", [])]
    host["Binds"] = [_bind(*bind, copies=copies) for bind in binds if bind[0] not in absent]
    host["Mounts"] = [
        {**mount, "Source": copies.get(mount["Source"], mount["Source"]), "ReadOnly": True}
        for mount in host.get("Mounts", [])
    ]
    for key in spec.namespaces:
        host.pop(key, None)
    return {**spec.body, "HostConfig": host | {"NetworkMode": network}}


def _bind(source: str, target: str, options: str = "", *, copies: Mapping[str, str]) -> str:
    given = set(options.split(",")) - {"", "rw", "ro"}
    kept = given if source in copies else given - _OF_ONE_CONTAINER
    return ":".join((copies.get(source, source), target, ",".join(["ro", *sorted(kept)])))

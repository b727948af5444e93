"""Binds that would lead elsewhere once their file is in git, and an override file that holds them where they are.

Two kinds: a folder of which git will hold a part (`.:/data`, beside the Compose file itself), and `~`, which is another
folder for whoever runs the pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import normpath, relpath

import yaml

from reconciler.core.survey import Project
from reconciler.model.desired import Mount, Stack

MARK = "/home-of-whoever-runs-it"
"""Stands for `~` in a stack that was loaded to see where it is used."""


def pins(stack: Stack, marked: Stack, project: Project, home: str) -> str:
    """The override file; "" when nothing needs it. `marked`: the same stack with MARK as its home.

    `home`: whose `~` it is, unless the container that runs says another.
    """
    held: dict[str, list[Mapping[str, object]]] = {}
    for service, twin in zip(stack.services, marked.services, strict=True):
        running = project.binds.get(service.name, {})
        for mount, source in _moved(service.mounts, twin.mounts, running, stack.directory, project.directory, home):
            held.setdefault(service.name, []).append(_entry(mount, source))
    if not held:
        return ""
    services = {name: {"volumes": volumes} for name, volumes in held.items()}
    head = "# Written by reconciler init: these stay where they are, though their Compose file has moved.\n"
    return head + yaml.safe_dump({"services": services}, sort_keys=False, allow_unicode=True, width=1000)


def _moved(
    mounts: tuple[Mount, ...],
    marked: tuple[Mount, ...],
    running: Mapping[str, str],
    folder: str,
    directory: str,
    home: str,
) -> Iterator[tuple[Mount, str]]:
    """Each with the place where it is now."""
    for mount, twin in zip(mounts, marked, strict=True):
        if mount.kind != "bind":
            continue
        if mount.repo_path is not None:
            yield mount, normpath(f"{directory}/{relpath(f'/{mount.repo_path}', f'/{folder}')}")
        elif twin.source.startswith(MARK):
            rest, now = twin.source.removeprefix(MARK), running.get(mount.target, "")
            source = now if now.endswith(rest) and now else home + rest
            if source != mount.source:
                yield mount, source


def _entry(mount: Mount, source: str) -> Mapping[str, object]:
    options = {"propagation": mount.propagation, "selinux": mount.selinux}
    bind: dict[str, object] = {key: value for key, value in options.items() if value}
    if not mount.create_host_path:
        bind["create_host_path"] = False
    entry: dict[str, object] = {"type": "bind", "source": source, "target": mount.target}
    if mount.read_only:
        entry["read_only"] = True
    return entry | ({"bind": bind} if bind else {})

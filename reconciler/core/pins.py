"""What runs otherwise than its file will say once that is in git, and an override file that holds it as it is.

A bind of a folder of which git will hold a part (`.:/data`, beside the Compose file itself); a bind of `~`, which is
another folder for whoever runs the pass; containers that were added with `--scale`; and what ran to its end, and is a
job: Compose does not ask whether a service shall run on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import normpath, relpath

from reconciler.core.first_files import MARK as WRITTEN
from reconciler.core.first_files import yaml_text
from reconciler.core.survey import Project
from reconciler.model.desired import Mount, Stack

MARK = "/home-of-whoever-runs-it"
"""Stands for `~` in a stack that was loaded to see where it is used."""


def pins(stack: Stack, marked: Stack, project: Project, home: str) -> str:
    """The override file; "" when nothing needs it. `marked`: the same stack with MARK as its home.

    `home`: whose `~` it is, unless the container that runs says another.
    """
    held: dict[str, dict[str, object]] = {}
    for service, twin in zip(stack.services, marked.services, strict=True):
        running = project.binds.get(service.name, {})
        moved = _moved(service.mounts, twin.mounts, running, stack.directory, project.directory, home)
        if volumes := [_entry(mount, source) for mount, source in moved]:
            held.setdefault(service.name, {})["volumes"] = volumes
        if project.services.get(service.name, 0) > max(1, service.replicas):
            held.setdefault(service.name, {})["deploy"] = {"replicas": project.services[service.name]}
        if service.name in project.done and not service.job:
            held.setdefault(service.name, {})["x-reconciler"] = {"job": True}
    if not held:
        return ""
    head = f"{WRITTEN}: what the Compose file does not tell, or would mean otherwise from within git.\n"
    return head + yaml_text({"services": held})


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

"""What a container has mounted, in one way of writing, however it was asked for.

The Engine API takes a mount as text (`HostConfig.Binds`), as a structure (`HostConfig.Mounts`) or, in memory, as
`HostConfig.Tmpfs`. We, docker-compose 1 and Compose 2 each choose differently; what runs is the same.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SAYS_NOTHING = frozenset(("", "rw", "rprivate", "cached", "delegated", "consistent"))
"""Options that are what the engine does anyway; the last three are for Docker on a Mac."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """`source` is a path, a volume's name, or empty for memory; `options` are sorted."""

    source: str
    target: str
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.source:
            return ":".join(filter(None, (f"tmpfs {self.target}", ",".join(self.options))))
        return f"volume {self.source}:{self.target}:{','.join(self.options) or 'rw'}"


def mounted(host: Mapping[str, Any]) -> dict[str, Mounted]:
    """Everything that a HostConfig mounts, by target; anonymous volumes are not part of a definition."""
    found = [*_binds(host.get("Binds") or ()), *_mounts(host.get("Mounts") or ()), *_tmpfs(host.get("Tmpfs") or {})]
    return {mount.target: mount for mount in (Mounted(_path(m.source), _path(m.target), m.options) for m in found)}


def _binds(binds: Iterable[str]) -> Iterator[Mounted]:
    for bind in binds:
        source, target, *options = bind.split(":")
        if not _ANONYMOUS.fullmatch(source):
            yield Mounted(source, target, _said(",".join(options).split(",")))


def _mounts(mounts: Iterable[Mapping[str, Any]]) -> Iterator[Mounted]:
    for mount in mounts:
        source = mount.get("Source", "")
        if mount["Type"] == "tmpfs":
            options = mount.get("TmpfsOptions") or {}
            size, mode = options.get("SizeBytes"), options.get("Mode")
            said = [f"size={size}" if size else "", f"mode={mode:o}" if mode else ""]
            yield Mounted("", mount["Target"], _said(said))
        elif source and not _ANONYMOUS.fullmatch(source):
            volume, bind = mount.get("VolumeOptions") or {}, mount.get("BindOptions") or {}
            said = ["ro" if mount.get("ReadOnly") else "", "nocopy" if volume.get("NoCopy") else ""]
            yield Mounted(source, mount["Target"], _said([*said, bind.get("Propagation", "")]))


def _tmpfs(tmpfs: Mapping[str, str]) -> Iterator[Mounted]:
    for target, options in tmpfs.items():
        yield Mounted("", target, _said(map(_in_bytes, options.split(","))))


def _path(name: str) -> str:
    """Without trailing and doubled slashes; the name of a volume as it is."""
    return posixpath.normpath(f"/{name.lstrip('/')}") if name.startswith("/") else name


def _said(options: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(options) - _SAYS_NOTHING))


def _in_bytes(option: str) -> str:
    """`size=16m` as `size=16777216`, as the structure has it (tmpfs(5))."""
    match = re.fullmatch(r"size=(\d+)([bkmg]?)", option, re.IGNORECASE)
    return f"size={int(match[1]) * _UNITS[match[2].lower()]}" if match else option

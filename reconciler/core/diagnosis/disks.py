"""Room on the file systems that a pass writes to, and what may go when there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.core.counting import count
from reconciler.core.diagnosis.commands import also, shell
from reconciler.model.diagnosis import Finding

_MIB, _GIB = 1 << 20, 1 << 30
LEAST, LITTLE = 64 * _MIB, _GIB
LEAST_INODES, FEW_INODES = 500, 5_000


@dataclass(frozen=True, slots=True)
class FileSystem:
    """One mounted file system and what of ours lies on it (`uses`). Sizes in bytes; `inodes` 0: it counts none."""

    mount: str
    uses: tuple[str, ...]
    size: int
    free: int
    inodes: int = 0
    free_inodes: int = 0


@dataclass(frozen=True, slots=True)
class Removable:
    """What may go. `mount`: where it lies; `command` removes it; `precious`: only when there is nothing else."""

    mount: str
    what: str
    size: int
    command: str
    files: int = 0
    precious: bool = False


def disks(systems: Sequence[FileSystem], removables: Sequence[Removable]) -> Iterator[Finding]:
    """One finding for each file system."""
    for system in systems:
        level = _level(system)
        used = ", ".join(system.uses)
        inodes = f", {system.free_inodes} inodes" if system.inodes else ""
        left = f"{system.mount} has {shown(system.free)} of {shown(system.size)} free{inodes}"
        if level == "ok":
            yield Finding("disk", "ok", f"{left} ({used})")
            continue
        there = [r for r in removables if r.mount == system.mount and (r.size or r.files)]
        there = [r for r in there if not r.precious] or there
        what = "; ".join(f"{r.what} ({shown(r.size)})" for r in there)
        look = f"see what is large: du -xhd2 {system.mount} | sort -h | tail"
        yield Finding(
            "disk",
            "fail" if level == "fail" else "warn",
            left,
            why=f"it holds {used}; a pass stops before it touches anything when it cannot write",
            next=f"the command removes: {what}" if what else look,
            mend=also(*(r.command for r in sorted(there, key=lambda r: -r.size))),
        )


def _level(system: FileSystem) -> str:
    """A small file system is not full because it is small: the bounds shrink with it."""
    least, little = min(LEAST, system.size // 20), min(LITTLE, system.size // 10)
    least_inodes, few = min(LEAST_INODES, system.inodes // 20), min(FEW_INODES, system.inodes // 10)
    if system.free < least or (system.inodes and system.free_inodes < least_inodes):
        return "fail"
    return "warn" if system.free < little or (system.inodes and system.free_inodes < few) else "ok"


def removable_logs(mount: str, logs: Sequence[tuple[str, int]]) -> Removable:
    """Logs of containers that grew without bound: (path, bytes). Emptied in place, since the engine keeps them open."""
    paths, size = [path for path, _ in logs], sum(size for _, size in logs)
    return Removable(mount, count(len(logs), "container log"), size, shell("truncate", "-s", "0", *paths))


def shown(size: int) -> str:
    """A size as people read it."""
    for unit, name in ((_GIB, "GiB"), (_MIB, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"

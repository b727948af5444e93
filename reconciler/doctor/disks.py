"""File systems, how full they are, and what on them could go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.core.counting import count
from reconciler.core.diagnosis.commands import shell
from reconciler.core.diagnosis.disks import FileSystem, Removable, removable_logs
from reconciler.core.diagnosis.engine import EngineFacts

_LARGE_LOG = 10 << 20


def mount_of(path: str) -> tuple[str, str]:
    """Where the file system of a path is mounted, and its type; "" for what /proc does not tell."""
    here = Path(path).resolve()
    while not os.path.ismount(here) and here != here.parent:
        here = here.parent
    kind = ""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, its, *_ = line.split()
        if where.encode().decode("unicode_escape") == str(here):
            kind = its  # the last one mounted there is the one that shows
    return str(here), kind


def file_systems(uses: Mapping[str, str]) -> tuple[FileSystem, ...]:
    """`uses`: what lies there -> path; what is not there yet counts for the folder above it."""
    by_mount: dict[str, list[str]] = {}
    for use, path in uses.items():
        by_mount.setdefault(mount_of(path)[0], []).append(use)
    found = []
    for mount, names in by_mount.items():
        told = os.statvfs(mount)
        found.append(
            FileSystem(
                mount,
                tuple(names),
                told.f_blocks * told.f_frsize,
                told.f_bavail * told.f_frsize,
                told.f_files,
                told.f_favail,
            )
        )
    return tuple(found)


def removables(state: str, engine: EngineFacts) -> Iterator[Removable]:
    """What may go without harm, on whatever file system it lies."""
    aside = [path for path in (Path(state) / "displaced").glob("*") if path.is_dir()]
    if aside:
        what = (
            f"{count(len(aside), 'folder')} with copies of files that people had changed in the checkout (look first)"
        )
        yield _folders(state, what, aside, precious=True)
    broken = [*Path(state).glob("repository.git.broken-*"), *Path(state).glob("repository.git.new-*")]
    if broken:
        yield _folders(state, "clones that were set aside", broken)
    archives = Path("/var/cache/apt/archives")
    if shutil.which("apt-get") and (size := _size(archives)) > 1 << 20:
        yield Removable(mount_of(str(archives))[0], "downloaded packages", size, "apt-get clean")
    journal = Path("/var/log/journal")
    if shutil.which("journalctl") and (size := _size(journal)) > 200 << 20:
        rest = size - (100 << 20)
        yield Removable(mount_of(str(journal))[0], "the old part of the journal", rest, "journalctl --vacuum-size=100M")
    if engine.root:
        yield from _of_the_engine(engine)


def _of_the_engine(engine: EngineFacts) -> Iterator[Removable]:
    mount = mount_of(engine.root)[0]
    logs = [(str(p), p.stat().st_size) for p in (Path(engine.root) / "containers").glob("*/*-json.log")]
    if large := [(path, size) for path, size in logs if size > _LARGE_LOG]:
        yield removable_logs(mount, large)
    if engine.nameless:
        prune = shell("docker", "-H", engine.address, "image", "prune", "--force")
        yield Removable(mount, "images without a name", engine.nameless, prune)


def _folders(state: str, what: str, folders: list[Path], *, precious: bool = False) -> Removable:
    size, files = sum(map(_size, folders)), sum(1 for f in folders for _ in f.rglob("*"))
    return Removable(mount_of(state)[0], what, size, shell("rm", "-r", *map(str, sorted(folders))), files, precious)


def _size(folder: Path) -> int:
    """Bytes of the files below a folder, as far as they can be looked at."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total

"""Compose files on this machine's disk: where they are, and what they say. Nothing here writes."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from reconciler.model.repository import Entry
from reconciler.ports import Disk

_SKIPPED = frozenset(("node_modules", "__pycache__", "vendor", "site-packages"))


def search(
    roots: Sequence[str], names: Collection[str], *, depth: int, most: int, avoid: Collection[str] = ()
) -> tuple[Mapping[str, Collection[str]], bool]:
    """Folder -> those of its files that are called as in `names`; and whether no root held more than `most` entries.

    Looks `depth` folders deep, never follows a link, never leaves the file system of a root, and passes over hidden
    folders and those of `avoid`. What cannot be read is passed over too.
    """
    found: dict[str, Collection[str]] = {}
    whole = True
    for root in roots:
        looked = 0
        for folder, entries in _walk(os.path.realpath(root), depth, frozenset(avoid)):
            here = {entry.name for entry in entries if entry.name in names and entry.is_file(follow_symlinks=False)}
            if here:
                found[folder] = here
            looked += len(entries)
            if looked > most:
                whole = False
                break
    return found, whole


def _walk(root: str, depth: int, avoid: frozenset[str]) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Folders with their entries, the nearest first."""
    device = _device(root)
    todo = [(root, 0)]
    for folder, level in todo:
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        yield folder, listed
        if level < depth:
            inner = (entry for entry in listed if _is_walked(entry))
            todo += [(e.path, level + 1) for e in inner if e.path not in avoid and _device(e.path) == device]


def _is_walked(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) and entry.name[:1] != "." and entry.name not in _SKIPPED
    except OSError:
        return False


def _device(path: str) -> int:
    try:
        return os.stat(path).st_dev
    except OSError:
        return -1


class LocalDisk(Disk):
    """The machine's own file system. What may not be read counts as not there."""

    def is_file(self, path: str) -> bool:
        try:
            return stat.S_ISREG(os.stat(path).st_mode)
        except (OSError, ValueError):
            return False

    def read(self, path: str, most: int = 1 << 20) -> bytes | None:
        try:
            return Path(path).read_bytes() if self.is_file(path) and os.stat(path).st_size <= most else None
        except OSError:
            return None

    def link(self, path: str) -> str:
        try:
            return os.readlink(path)
        except OSError:
            return ""

    def below(self, folder: str, without: Collection[str]) -> Iterator[tuple[str, Entry]]:
        for here, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if f"{here}/{name}" not in without and name != ".git")
            linked = [name for name in folders if os.path.islink(f"{here}/{name}")]
            for name in sorted((*files, *linked)):
                path = f"{here}/{name}"
                if path not in without and (entry := _entry(path)):
                    yield os.path.relpath(path, folder), entry

    def home(self, path: str) -> str:
        try:
            return pwd.getpwuid(os.stat(path).st_uid).pw_dir
        except (OSError, KeyError):
            return ""


def _entry(path: str) -> Entry | None:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return Entry("symlink", "", status.st_size)
    if not stat.S_ISREG(status.st_mode):
        return None
    return Entry("executable" if status.st_mode & 0o100 else "file", "", status.st_size)

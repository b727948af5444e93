"""Looking at the files of a working tree. Paths are the repository's; a symlink in the way is never followed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.worktree.record import Stat, fingerprint, kind_of, load, settled
from reconciler.model.repository import EntryKind

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """Something on disk: `kind` None is what git cannot hold; `id` is empty for that and for directories."""

    kind: EntryKind | None
    id: str
    stat: os.stat_result

    @property
    def is_link(self) -> bool:
        return self.kind == "symlink"


class Disk:
    """One look at a working tree; it remembers what it saw of folders, so make a new one after changing any."""

    def __init__(self, root: Path, known: Mapping[str, tuple[EntryKind, str, Stat]]) -> None:
        self.root, self._known = str(root), known
        self._folders: dict[str, bool] = {"": os.path.isdir(root)}
        self.fresh: dict[str, Stat] = {}  # of files that had to be hashed and hold what was known of them

    def lstat(self, path: str) -> os.stat_result | None:
        """None when it is not there, or lies behind something that is not a real folder."""
        if not self.is_folder(path.rpartition("/")[0]):
            return None
        try:
            return os.lstat(f"{self.root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_folder(self, path: str) -> bool:
        if path not in self._folders:
            found = self.lstat(path)
            self._folders[path] = found is not None and stat.S_ISDIR(found.st_mode)
        return self._folders[path]

    def find(self, path: str) -> Found | None:
        """What is at `path`; its content is hashed only when its stat is not the one known."""
        found = self.lstat(path)
        if found is None:
            return None
        kind = kind_of(found.st_mode)
        if kind is None or kind == "directory":
            return Found(kind, "", found)
        known = self._known.get(path)
        if known is not None and known[2] == fingerprint(found):
            return Found(kind, known[1], found)
        id = blob_id(f"{self.root}/{path}", found)
        if known is not None and known[1] == id:
            self.fresh[path] = settled(found)
        return Found(kind, id, found)

    def below(self, path: str) -> Iterator[str]:
        """All that is in a folder and is no folder itself."""
        for here, folders, files in os.walk(f"{self.root}/{path}"):
            linked = [name for name in folders if os.path.islink(os.path.join(here, name))]
            for name in (*files, *linked):
                yield os.path.join(here, name)[len(self.root) + 1 :]


def untouched(record: Path, root: Path, sha: str) -> bool:
    """Whether a working tree surely holds what was checked out of `sha`; no file is read to know it."""
    known = load(record)
    if known is None or known.sha != sha:
        return False
    disk = Disk(root, known.entries)
    return all((now := disk.lstat(path)) and fingerprint(now) == was for path, (_, _, was) in known.entries.items())


def blob_id(path: str, found: os.stat_result) -> str:
    """git's id of a file's content, or of a link's target."""
    if stat.S_ISLNK(found.st_mode):
        target = os.fsencode(os.readlink(path))
        return hashlib.sha1(b"blob %d\0%b" % (len(target), target), usedforsecurity=False).hexdigest()
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        digest = hashlib.sha1(b"blob %d\0" % os.fstat(handle).st_size, usedforsecurity=False)
        while chunk := os.read(handle, _CHUNK):
            digest.update(chunk)
        return digest.hexdigest()
    finally:
        os.close(handle)

"""A folder on disk read as if it were a revision: for `reconciler validate` before anything is committed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from reconciler.model.repository import Entry
from reconciler.ports import Tree

_CHUNK = 1 << 20


class DirectoryTree(Tree):
    """`root` is the folder that stands for the repository's root; `.git` is never seen. Folders have no id.

    Each entry is looked at once, and no file is held in memory to tell its id.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._entries: dict[str, Entry | None] = {}

    def entry(self, path: str) -> Entry | None:
        if path not in self._entries:
            self._entries[path] = self._entry(path)
        return self._entries[path]

    def _entry(self, path: str) -> Entry | None:
        full = self._root / path
        try:
            status = full.lstat()
            if stat.S_ISDIR(status.st_mode):
                return Entry("submodule" if path and (full / ".git").exists() else "directory", "")
            if stat.S_ISLNK(status.st_mode):
                target = self.read(path)
                return Entry("symlink", _blob_id(len(target), [target]), len(target))
            if not stat.S_ISREG(status.st_mode):
                return None
            with full.open("rb") as file:
                name = _blob_id(status.st_size, iter(lambda: file.read(_CHUNK), b""))
        except (OSError, KeyError, ValueError):
            return None
        return Entry("executable" if status.st_mode & 0o100 else "file", name, status.st_size)

    def read(self, path: str) -> bytes:
        full = self._root / path
        try:
            return os.fsencode(os.readlink(full)) if full.is_symlink() else full.read_bytes()
        except OSError as error:
            raise KeyError(path) from error

    def children(self, path: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(name for name in os.listdir(self._root / path) if name != ".git"))
        except OSError:
            return ()


def _blob_id(size: int, parts: Iterable[bytes]) -> str:
    """git's own id of a blob (git-scm.com/book, Git Objects)."""
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()

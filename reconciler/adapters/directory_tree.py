"""A folder on disk read as if it were a revision: for `reconciler validate` before anything is committed."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from reconciler.model.repository import Entry
from reconciler.ports import Tree


class DirectoryTree(Tree):
    """`root` is the folder that stands for the repository's root; `.git` is never seen. Folders have no id."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def entry(self, path: str) -> Entry | None:
        try:
            status = (self._root / path).lstat()
        except OSError:
            return None
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            return Entry("submodule" if path and (self._root / path / ".git").exists() else "directory", "")
        if stat.S_ISLNK(mode):
            return Entry("symlink", _blob_id(self.read(path)), status.st_size)
        if stat.S_ISREG(mode):
            return Entry("executable" if mode & 0o100 else "file", _blob_id(self.read(path)), status.st_size)
        return None

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


def _blob_id(content: bytes) -> str:
    """git's own id of a blob (git-scm.com/book, Git Objects)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

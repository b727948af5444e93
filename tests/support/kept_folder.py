"""What is in a folder, kept in memory: it can be put back again and again, quicker than from a copy beside it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import Self


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    mode: int
    changed: int
    content: bytes | str | None
    """Of a file; of a symbolic link, where it leads; None: a folder."""


@dataclass(frozen=True)
class KeptFolder:
    """Of folders, files and symbolic links only; a file with two names becomes two."""

    entries: tuple[_Entry, ...] | None

    @classmethod
    def of(cls, folder: Path) -> Self:
        """As it is now; a folder that is not there is kept as that."""
        return cls(tuple(_below(str(folder), "")) if folder.exists() else None)

    def put_back(self, folder: Path) -> None:
        """Only that is in the folder then, and every file is as old as it was."""
        shutil.rmtree(folder, ignore_errors=True)
        if self.entries is None:
            return
        folder.mkdir(parents=True)
        for entry in self.entries:
            path = f"{folder}/{entry.path}"
            if entry.content is None:
                os.mkdir(path)
                os.chmod(path, entry.mode)
            elif isinstance(entry.content, str):
                os.symlink(entry.content, path)
            else:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                try:
                    written = os.write(file, entry.content)
                    assert written == len(entry.content), f"{path} was not written whole"
                    os.fchmod(file, entry.mode)
                    os.utime(file, ns=(entry.changed, entry.changed))
                finally:
                    os.close(file)


def _below(folder: str, within: str) -> list[_Entry]:
    found: list[_Entry] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            seen, path = entry.stat(follow_symlinks=False), f"{within}{entry.name}"
            mode, changed = S_IMODE(seen.st_mode), seen.st_mtime_ns
            if S_ISDIR(seen.st_mode):
                found += [_Entry(path, mode, changed, None), *_below(entry.path, f"{path}/")]
            elif S_ISLNK(seen.st_mode):
                found.append(_Entry(path, mode, changed, os.readlink(entry.path)))
            else:
                assert S_ISREG(seen.st_mode), f"{entry.path} is no file"
                found.append(_Entry(path, mode, changed, Path(entry.path).read_bytes()))
    return found

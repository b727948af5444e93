"""Whether anything can be built here at all: folders that can be written, and disks that have room."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.adapters.portage.folders import own_folder
from reconciler.errors import ReconcilerError

_ROOM, _SHARE = 1 << 30, 0.05
"""Bytes, and part of its file system, of which a folder needs the smaller one free to count as one with room."""

_TRIED = 64 << 10
"""Bytes that are written to see whether that can be done."""

_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|ENOSPC|EDQUOT")


@dataclass(frozen=True, slots=True)
class Room:
    """`folder`: for what is kept; `builds`: where builds unpack and compile; `root`: where what was built is merged."""

    folder: Path
    builds: Path
    root: Path

    def missing(self) -> str:
        """Why nothing can be built; "" when it can."""
        return self._unusable() or self._scarce()

    def blamed(self, said: str) -> str:
        """Why an emerge that said this, and failed, says nothing about its package; "" when it does.

        What it took itself has been cleared away: with room for others, it was what asked for too much.
        """
        return self._unusable() or (self._scarce() if _NO_ROOM.search(said) else "")

    def _unusable(self) -> str:
        folder = self.builds
        try:
            own_folder(self.builds)
            for folder in (self.builds, self.folder):
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(bytes(_TRIED))
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            return f"nothing can be written to {folder}: {error.strerror or error}"
        except ReconcilerError as error:
            return str(error)
        return ""

    def _scarce(self) -> str:
        for folder in (self.folder, self.builds, self.root):
            with suppress(OSError):
                disk = os.statvfs(folder)
                free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
                if free < min(_ROOM, _SHARE * size):
                    return f"{folder} has {free >> 20} MiB left"
                if disk.f_files and not disk.f_favail:
                    return f"{folder} has no inodes left"
        return ""

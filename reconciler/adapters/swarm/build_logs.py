"""Logs of builds as files, one for each try, bounded each and in all. For people: a lost one loses no package."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path

from reconciler.errors import Transient
from reconciler.ports.swarm import BuildLogs

LARGEST = 32 << 20
"""Bytes of one log; what comes after them is not kept."""
KEPT = 2000
KEPT_BYTES = 2 << 30

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CUT = b"\n[the log is longer; the rest is not kept]\n"


class LogFolder(BuildLogs):
    """`folder` is made when the first piece comes."""

    def __init__(self, folder: Path, largest: int = LARGEST, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._folder, self._largest, self._kept, self._kept_bytes = folder, largest, kept, kept_bytes
        self._lock = threading.Lock()

    def append(self, build: str, attempt: int, offset: int, data: bytes) -> int:
        path = self._path(build, attempt)
        with self._lock:
            try:
                return self._append(path, offset, data)
            except OSError as error:
                raise Transient(
                    "E-SWARM-LOGS",
                    "the log of a build cannot be written",
                    why=error.strerror or str(error),
                    next="make room on the disk of serve.directory; the build goes on",
                ) from error

    def _append(self, path: Path, offset: int, data: bytes) -> int:
        size = path.stat().st_size if path.exists() else 0
        if size > self._largest:
            return offset + len(data)
        if offset > size:
            return size
        new = data[size - offset :]
        if not new:
            return max(size, offset + len(data))
        if not size:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._forget_old_ones()
        with path.open("ab") as file:
            file.write(new if size + len(new) <= self._largest else new[: self._largest - size] + _CUT)
        return size + len(new)

    def read(self, build: str, attempt: int, offset: int, limit: int = 65536) -> tuple[bytes, int]:
        try:
            with self._path(build, attempt).open("rb") as file:
                file.seek(offset)
                data = file.read(limit)
        except OSError:
            return b"", offset
        return data, offset + len(data)

    def size(self, build: str, attempt: int) -> int:
        try:
            return self._path(build, attempt).stat().st_size
        except OSError:
            return 0

    def _path(self, build: str, attempt: int) -> Path:
        if not _ID.fullmatch(build):
            raise ValueError(f"no id of a build: {build!r}")
        return self._folder / f"{build}.{attempt}.log"

    def _forget_old_ones(self) -> None:
        """The oldest, until both bounds hold."""
        logs = []
        for path in self._folder.glob("*.log"):
            with suppress(OSError):
                status = path.stat()
                logs.append((status.st_mtime_ns, status.st_size, path))
        logs.sort()
        total = sum(size for _, size, _ in logs)
        while logs and (len(logs) >= self._kept or total > self._kept_bytes):
            _, size, path = logs.pop(0)
            path.unlink(missing_ok=True)
            total -= size

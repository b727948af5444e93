"""The log of one build on the drone's disk: bounded, its end always there."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import BinaryIO

LARGEST = 8 << 20
"""Bytes of one file; a log is at most two of them: what was written last, and what was before it (`.1`)."""

TAIL = 32 << 10
"""Bytes of its end that go with an outcome."""

_KNOWN = 256 << 10
"""Bytes of its end that are looked at for the reason of a failure."""

_LOGS = 40
"""Files that are kept of builds before."""


class BuildLog:
    """Begins `file` anew. Raises OSError."""

    def __init__(self, file: Path) -> None:
        self._path = file
        file.parent.mkdir(parents=True, exist_ok=True)
        _forget_old(file.parent)
        self._file: BinaryIO = file.open("wb", buffering=0)
        self._size = 0
        self._end: deque[bytes] = deque()
        self._known = 0

    def write(self, data: bytes) -> None:
        if self._size + len(data) > LARGEST:
            self._file.close()
            os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
            self._file, self._size = self._path.open("wb", buffering=0), 0
        self._file.write(data)
        self._size += len(data)
        self._end.append(data)
        self._known += len(data)
        while self._known - len(self._end[0]) >= _KNOWN:
            self._known -= len(self._end.popleft())

    def end(self) -> str:
        """The last quarter of a megabyte, as text."""
        return b"".join(self._end)[-_KNOWN:].decode("utf-8", "replace").replace("\r\n", "\n")

    def tail(self) -> str:
        """What goes with an outcome: whole lines."""
        text = self.end().encode()[-TAIL:].decode("utf-8", "ignore")
        return text if len(text) < TAIL // 2 or "\n" not in text else text[text.index("\n") + 1 :]

    def close(self) -> None:
        self._file.close()


def _forget_old(folder: Path) -> None:
    logs = sorted(folder.glob("*.log*"), key=lambda log: log.stat().st_mtime, reverse=True)
    for log in logs[_LOGS:]:
        log.unlink(missing_ok=True)

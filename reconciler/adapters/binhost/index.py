"""`Packages` and `Packages.gz` of one profile: two copies of its index, each whole or not there.

Clients ask for the compressed one first, and take an index only when its time, in whole seconds, is later than that of
the one they have by more than Portage's tolerance: so both carry their TIMESTAMP as the time of the file, and it grows
by more than that with every writing, though it then runs ahead of the clock for a while.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from reconciler import durable
from reconciler.swarm.binhost.index import Entry, Index, joined_header, read_index, write_index

PLAIN, COMPRESSED = "Packages", "Packages.gz"
_STEP = 6
"""Seconds; Portage asks for what is more than 5 s newer (portage.util._urlopen.TIMESTAMP_TOLERANCE)."""

_LARGEST = 1 << 30
"""Bytes of an index that is read; the largest of Gentoo's own has a hundredth of it."""


class IndexFiles:
    """The index of the profile whose folder it is. Raises OSError. Not safe for several writers at once.

    `ahead`: a file that keeps the TIMESTAMP while it runs ahead of the clock; should the index be lost, the next one is
    later than that, too.
    """

    def __init__(self, folder: Path, ahead: Path) -> None:
        self._folder, self._ahead = folder, ahead
        self._known: tuple[tuple[int, ...], Index] | None = None
        self._written: tuple[tuple[int, ...], ...] = ()

    @property
    def foreign(self) -> bool:
        """Whether another program wrote a copy of the index since we did, or nobody knows."""
        return self._signs() != self._written

    def read(self) -> Index | None:
        """As it is on the disk; None when neither copy is there and whole."""
        sign = _sign(self._folder / PLAIN)
        if sign and self._known is not None and self._known[0] == sign:
            return self._known[1]
        index = self._read_plain() or self._read_compressed()
        self._known = (sign, index) if sign and index else None
        return index

    def write(self, header: Entry, entries: Sequence[Entry], now: float) -> Index:
        """Put it there in place of the old one, which may be there still when this raises."""
        before = self.read()
        timestamp = max(int(now), (before.timestamp if before else self._last_ahead()) + _STEP)
        if timestamp > int(now):
            durable.put(self._ahead, str(timestamp).encode())
        text = write_index(Index(header, tuple(entries)), timestamp).encode()
        durable.put(self._folder / PLAIN, text, 0o644, timestamp)
        self._put_compressed(text, timestamp)
        index = read_index(text.decode())
        self.take_over()
        self._known = (self._written[0], index)
        return index

    def take_over(self) -> None:
        """What is there now is as we would have written it."""
        self._written = self._signs()

    def mend(self) -> None:
        """Make the copies agree after a crash between them, and their times with what they say; the plain one leads."""
        self._sweep()
        index = self.read()
        if index is None or not index.timestamp:
            return
        if self._read_plain() is None:
            self.write(index.header, index.entries, index.timestamp)
            return
        text = (self._folder / PLAIN).read_bytes()
        if self._compressed() != text:
            self._put_compressed(text, index.timestamp)
        for name in (PLAIN, COMPRESSED):
            if (self._folder / name).stat().st_mtime != index.timestamp:
                os.utime(self._folder / name, (index.timestamp, index.timestamp))

    def set_aside(self, now: float) -> str:
        """Keep what is no index for people to look at; where it lies, "" when nothing is there."""
        broken = self._folder / PLAIN
        if not broken.exists():
            return ""
        aside = broken.with_name(f"{PLAIN}.broken-{int(now)}")
        os.replace(broken, aside)
        return str(aside)

    def begin(self, now: float) -> Index:
        """The index; an empty one is made where there is none."""
        return self.read() or self.write(joined_header({}, ()), (), now)

    def _signs(self) -> tuple[tuple[int, ...], ...]:
        return tuple(_sign(self._folder / name) for name in (PLAIN, COMPRESSED))

    def _last_ahead(self) -> int:
        try:
            return int(self._ahead.read_bytes())
        except (FileNotFoundError, ValueError):
            return 0

    def _put_compressed(self, text: bytes, timestamp: int) -> None:
        durable.put(self._folder / COMPRESSED, gzip.compress(text, 6, mtime=timestamp), 0o644, timestamp)

    def _read_plain(self) -> Index | None:
        try:
            with (self._folder / PLAIN).open("rb") as file:
                return _parsed(file.read(_LARGEST))
        except FileNotFoundError:
            return None

    def _read_compressed(self) -> Index | None:
        return _parsed(self._compressed())

    def _compressed(self) -> bytes:
        """What it unpacks to; nothing when it is missing or torn."""
        try:
            with gzip.open(self._folder / COMPRESSED) as file:
                return file.read(_LARGEST)
        except (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error):
            return b""

    def _sweep(self) -> None:
        """What a writer that died left beside them."""
        for left in self._folder.glob(f".{PLAIN}*"):
            left.unlink(missing_ok=True)


def _parsed(text: bytes) -> Index | None:
    try:
        return read_index(text.decode("utf-8", "replace"))
    except ValueError:
        return None


def _sign(file: Path) -> tuple[int, ...]:
    try:
        told = file.stat()
    except FileNotFoundError:
        return ()
    return told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns

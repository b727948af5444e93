"""A SQLite file of ours for those who only look: nothing is made, mended or set aside, and a disk that is full or
read-only is no reason to see nothing.

SQLite keeps an index of the write-ahead log in a file beside it, which cannot be made without room,
nor without the right to write. Then the database and its log are copied elsewhere and read there. Where there is no
elsewhere, the database is read without its log (`immutable`, https://www.sqlite.org/uri.html): what a pass wrote last
may be missing, and `note` says so.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from reconciler.database import BUSY_SECONDS, Database, Kind, beside, flaw, is_damage

ELSEWHERE = (tempfile.gettempdir(), "/dev/shm", "/run")  # noqa: S108  made by mkdtemp, for root alone
"""Where a copy may lie for the moment that it is opened."""


class DatabaseView(Database):
    """The database in the file `path`; an empty one when there is none, or none that can be used.

    `note`: what is special about this view, in a sentence; "" when nothing is. Writing raises Transient.
    """

    note: str

    def _open(self) -> None:
        with self.advice():
            self._connection, self.note, self.fresh = self._looked()

    def _looked(self) -> tuple[sqlite3.Connection, str, bool]:
        """The connection, its note, and whether there is none yet."""
        try:
            kind = self.path.lstat().st_mode
        except FileNotFoundError:
            return _nothing(self.kind), "", True
        if not stat.S_ISREG(kind):
            return _nothing(self.kind), self._unusable("it is not a regular file"), False
        try:
            connection, note = self._readable()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return _nothing(self.kind), self._unusable(f"it is damaged: {error}"), False
        if why := flaw(connection, self.kind):
            connection.close()
            return _nothing(self.kind), self._unusable(why), False
        return connection, note, False

    def _unusable(self, why: str) -> str:
        return f"{self.kind.name} {self.path} is unusable, {why}: the next pass sets it aside and begins a new one"

    def reopen_when_replaced(self) -> bool:
        """A view is of one moment."""
        return False

    def _readable(self) -> tuple[sqlite3.Connection, str]:
        first: Exception | None = None
        for connection, note in self._ways():
            try:
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            except sqlite3.Error as error:
                first = first or error
                connection.close()
            else:
                return connection, note
        raise first or FileNotFoundError(f"{self.path} cannot be read")

    def _ways(self) -> Iterator[tuple[sqlite3.Connection, str]]:
        """As it stands, from a copy, and without the log; each with what is to be said of it."""
        with suppress(sqlite3.Error):
            yield _connected(self.path, "mode=rw"), ""
        trouble = _trouble(self.path.parent)
        log = beside(self.path, "-wal")
        if not log.exists() or not log.stat().st_size:
            yield _connected(self.path, "mode=ro&immutable=1"), trouble
            return
        for folder in ELSEWHERE:
            with suppress(OSError, sqlite3.Error), tempfile.TemporaryDirectory(dir=folder) as aside:
                copy = Path(aside, self.path.name)
                shutil.copyfile(self.path, copy)
                shutil.copyfile(log, beside(copy, "-wal"))
                yield _connected(copy, "mode=rw"), trouble
        missing = f"{trouble}; what was recorded last is in {log.name} and cannot be read here: passes may be missing"
        yield _connected(self.path, "mode=ro&immutable=1"), missing


def _connected(path: Path, how: str) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?{how}"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _nothing(kind: Kind) -> sqlite3.Connection:
    """A database without a row."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(f"BEGIN; {kind.schema} COMMIT; PRAGMA query_only = ON;")
    return connection


def _trouble(folder: Path) -> str:
    """Why the database could not be opened as it stands."""
    if not os.access(folder, os.W_OK):
        return f"{folder} cannot be written: this is what was recorded so far"
    return f"{folder} has no room: this is what was recorded before, and nothing is added until there is some"

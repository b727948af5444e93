"""A SQLite file of ours: durable when a transaction returns, begun anew when it is unusable.

A usable file carries our marker (`application_id`, `user_version`) and passes `quick_check`. Anything else is moved to
`<name>.broken-<time>` with its write-ahead log, and `loss` says so. A new file is made complete under another name and
then renamed, so that a file without the marker is always damage and never a half-made database.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from reconciler.durable import sync_folder
from reconciler.errors import Transient

COMPANIONS = ("-wal", "-shm", "-journal")
BUSY_SECONDS = 10.0
PAGE_BYTES = 4096

Trouble = Literal["full", "busy", "broken", "access", "io"]


@dataclass(frozen=True, slots=True)
class Kind:
    """Which database it is. `name`: in sentences ("the ledger"); `codes`: of the errors that it raises.

    `application_id`: see https://www.sqlite.org/pragma.html#pragma_application_id; `schema`: SQL of an empty one.
    """

    name: str
    application_id: int
    version: int
    schema: str
    codes: Mapping[Trouble, str]


@dataclass(frozen=True, slots=True)
class Loss:
    """A file that had to be set aside: why, and where it lies."""

    why: str
    aside: str


class Database:
    """The file `path`, whose folder is made when missing. Raises Transient with the kind's codes.

    `make` False: it is somebody else's to make and to mend: Transient while it is not there, or unusable. `fresh`: it
    was made just now. Safe to use from several threads and processes. `clock` (epoch seconds) names what is set aside.
    """

    def __init__(self, path: str | Path, kind: Kind, clock: Callable[[], float] = time.time, make: bool = True) -> None:
        self.path = Path(path)
        self.kind = kind
        self.fresh = False
        self.loss: Loss | None = None
        self._clock, self._make, self._damaged = clock, make, False
        self._lock = RLock()
        self._open()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def do(self, statement: str, *values: object) -> int:
        """Run one writing statement (its own transaction); return the number of rows it changed."""
        with self._lock, self.advice():
            return self._connection.execute(statement, values).rowcount

    def ask(self, query: str, values: Any = ()) -> list[Any]:
        with self._lock, self.advice():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on the disk when the block has ended, or nothing when that raises.

        `durable` False: a power cut may take it back, a killed process not.
        """
        with self._lock, self.advice():
            self.reopen_when_replaced()
            if not durable:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                if not durable:
                    self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Everything that is read in the block is of one moment."""
        with self._lock, self.advice():
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")

    def changes(self) -> int:
        """A number that is another one once somebody else has written (PRAGMA data_version)."""
        return int(self.ask("PRAGMA data_version")[0][0])

    def reopen_when_replaced(self) -> bool:
        """A file deleted or replaced under a long-lived process would take our records with it."""
        with self._lock:
            return self._reopen(self._replaced())

    def reopen_when_lost(self) -> bool:
        """The same, also for one that was cut to nothing, or turned out to be damaged: it is looked at as at first."""
        with self._lock:
            return self._reopen(self._damaged or self._replaced(by_nothing=True))

    def _replaced(self, *, by_nothing: bool = False) -> bool:
        try:
            there = self.path.stat()
        except OSError:
            return True
        return not os.path.samestat(there, self._file) or (by_nothing and not there.st_size)

    def _reopen(self, needed: bool) -> bool:
        if needed:
            self._connection.close()
            self._open()
        return needed

    def _open(self) -> None:
        with self.advice():
            if self._make:
                with _one_at_a_time(self.path):
                    if why := _unusable(self.path, self.kind):
                        self.loss = Loss(why, _set_aside(self.path, self._clock()))
                    self.fresh = not _there(self.path)
                    if self.fresh:
                        _create(self.path, self.kind)
            elif why := _unusable(self.path, self.kind) or ("" if _there(self.path) else "it is not there yet"):
                raise self._trouble("access" if "yet" in why else "broken", why)
            self._connection = _connect(self.path)
            self._file, self._damaged = self.path.stat(), False

    @contextmanager
    def advice(self) -> Iterator[None]:
        """Turn what SQLite and the file system raise into Transient errors that say what to do."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            full = _primary(error) == sqlite3.SQLITE_FULL or _no_room(self.path)
            self._damaged = self._damaged or is_damage(error)
            raise self._trouble("full" if full else _trouble(error), str(error)) from error
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise self._trouble("full" if full else "access", str(error)) from error

    def _trouble(self, trouble: Trouble, why: str) -> Transient:
        what, advice = _WORDS[trouble]
        return Transient(self.kind.codes[trouble], f"{self.kind.name} {self.path} {what}", why=why, next=advice)


_WORDS: Mapping[Trouble, tuple[str, str]] = {
    "full": ("has no room to write", "free space on its file system"),
    "busy": ("is locked by another process", "end the program that has it open"),
    "broken": ("was damaged while open", "nothing: it is set aside when it is opened next"),
    "access": ("cannot be opened", "check owner, mode and mount of its folder"),
    "io": ("cannot be read or written", "check the disk (dmesg), then run again"),
}


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _create(path: Path, kind: Kind) -> None:
    draft = beside(path, ".new")
    for leftover in (draft, *(beside(file, suffix) for file in (draft, path) for suffix in COMPANIONS)):
        leftover.unlink(missing_ok=True)  # a log left by a deleted file would be replayed into the new one
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    marker = f"PRAGMA application_id = {kind.application_id}; PRAGMA user_version = {kind.version};"
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA page_size = {PAGE_BYTES}; BEGIN; {kind.schema} {marker} COMMIT;")
    draft.rename(path)
    sync_folder(path.parent)


def _unusable(path: Path, kind: Kind) -> str:
    """Why the file cannot be ours; "" when it can be, or when there is none.

    Only damage and a foreign marker count: a full disk or a busy file raises and leaves the file alone.
    """
    try:
        info = path.lstat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISREG(info.st_mode):
        return "it is not a regular file"
    if info.st_size == 0:
        return "it is empty"
    if info.st_size % PAGE_BYTES and not beside(path, "-wal").exists():  # SQLite would fill a cut page with zeros
        return "its last page is cut short"
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        return flaw(connection, kind)


def flaw(connection: sqlite3.Connection, kind: Kind) -> str:
    """Why what it is connected to cannot be ours; "" when it can be."""
    try:
        marker = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if marker != kind.application_id:
            return "it is another program's database, or has lost its marker"
        if version != kind.version:
            return f"its schema is version {version}, this program writes version {kind.version}"
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        return "" if verdict == "ok" else f"it is damaged: {verdict}"
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return f"it is damaged: {error}"
        raise


def is_damage(error: sqlite3.Error) -> bool:
    return _trouble(error) == "broken"


def _set_aside(path: Path, now: float) -> str:
    name = f".broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}"
    aside, count = beside(path, name), 1
    while _there(aside):
        aside, count = beside(path, f"{name}.{count}"), count + 1
    path.rename(aside)
    for suffix in COMPANIONS:
        if _there(beside(path, suffix)):
            beside(path, suffix).rename(beside(aside, suffix))
    sync_folder(path.parent)
    return str(aside)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two processes that open a damaged file must not set aside each other's new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    door = os.open(beside(path, ".opening"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield
    finally:
        os.close(door)


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _there(path: Path) -> bool:
    """Whether anything has that name, a dangling link too."""
    return os.path.lexists(path)


def _primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code: the low byte of the extended one (https://www.sqlite.org/rescode.html)."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _trouble(error: sqlite3.Error) -> Trouble:
    code = _primary(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "busy"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return "broken"
    return "access" if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM) else "io"


def _no_room(path: Path) -> bool:
    """SQLite reports a shared-memory file that cannot grow as a plain I/O error."""
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False

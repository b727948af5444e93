"""The ledger in SQLite: durable when a method returns, and begun anew when its file is unusable.

A usable file carries our marker (`application_id`, `user_version`) and passes `quick_check`. Anything else is
moved to `<name>.broken-<time>` with its write-ahead log, and `loss` says so. A new file is made complete under
another name and then renamed, so that a file without the marker is always damage and never a half-made ledger.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar

from reconciler.durable import sync_folder
from reconciler.errors import Transient
from reconciler.model.desired import RestartPolicy
from reconciler.model.report import VERIFIED, Intent, LedgerLoss, Outcome, Run, StepRecord
from reconciler.ports import Ledger

APPLICATION_ID = 0x7265636F  # "reco", see https://www.sqlite.org/pragma.html#pragma_application_id
SCHEMA_VERSION = 1
SCHEMA = f"""
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, command TEXT NOT NULL, actor TEXT NOT NULL,
    revision TEXT NOT NULL, base TEXT NOT NULL, started REAL NOT NULL, ended REAL, outcome TEXT NOT NULL,
    exit_code INTEGER, reason TEXT NOT NULL, detail TEXT NOT NULL, host TEXT NOT NULL);
CREATE INDEX runs_by_outcome ON runs (outcome, seq);
CREATE TABLE steps (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, stack TEXT NOT NULL, service TEXT NOT NULL,
    action TEXT NOT NULL, reasons TEXT NOT NULL, started REAL NOT NULL, ended REAL, result TEXT NOT NULL,
    detail TEXT NOT NULL);
CREATE INDEX steps_by_run ON steps (run, seq);
CREATE TABLE intents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, kind TEXT NOT NULL, container TEXT NOT NULL,
    name TEXT NOT NULL, policy TEXT NOT NULL, maximum_retries INTEGER NOT NULL, at REAL NOT NULL,
    UNIQUE (run, container, kind));
CREATE TABLE attempts (
    revision TEXT NOT NULL, boot_id TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (revision, boot_id));
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""
# Columns in the order of the fields of the model.
RUN = "id, command, actor, revision, base, started, ended, outcome, exit_code, reason, detail, host"
STEP = "run, stack, service, action, reasons, started, ended, result, detail"
INTENT = "run, kind, container, name, policy, maximum_retries, at"
COMPANIONS = ("-wal", "-shm", "-journal")
BUSY_SECONDS = 10.0
PAGE_BYTES = 4096


class SqliteLedger:
    """A `Ledger` in the file `path`, whose folder is made when missing. `clock` (epoch seconds) names losses."""

    EFFECTS: ClassVar[tuple[str, ...]] = Ledger.EFFECTS

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        self._path = Path(path)
        self._clock = clock
        self._lock = RLock()
        self._fresh = False
        self._loss: LedgerLoss | None = None
        self._open()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @property
    def fresh(self) -> bool:
        return self._fresh

    @property
    def loss(self) -> LedgerLoss | None:
        return self._loss

    def begin(self, run: Run) -> None:
        with self._lock:
            self._reopen_when_replaced()
            try:
                self._do(f"INSERT INTO runs ({RUN}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", *astuple(run))
            except sqlite3.IntegrityError as error:
                raise ValueError(f"run {run.id} has begun already") from error

    def intend(self, intent: Intent) -> None:
        self._do(
            f"INSERT INTO intents ({INTENT}) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            intent.run,
            intent.kind,
            intent.container,
            intent.name,
            intent.policy.name,
            intent.policy.maximum_retries,
            intent.at,
        )

    def open_intents(self) -> tuple[Intent, ...]:
        rows = self._ask(f"SELECT {INTENT} FROM intents ORDER BY seq")
        return tuple(Intent(r[0], r[1], r[2], r[3], RestartPolicy(r[4], r[5]), r[6]) for r in rows)

    def settle(self, run: str, container: str) -> None:
        self._do("DELETE FROM intents WHERE run = ? AND container = ?", run, container)

    def step(self, record: StepRecord) -> None:
        values = (json.dumps(v) if isinstance(v, tuple) else v for v in astuple(record))
        known = "SELECT ?,?,?,?,?,?,?,?,? WHERE EXISTS (SELECT 1 FROM runs WHERE id = ?)"
        if not self._do(f"INSERT INTO steps ({STEP}) {known}", *values, record.run):
            raise KeyError(record.run)

    def aim(self, run_id: str, revision: str, base: str) -> None:
        if not self._do("UPDATE runs SET revision = ?, base = ? WHERE id = ?", revision, base, run_id):
            raise KeyError(run_id)

    def finish(
        self, run_id: str, *, ended: float, outcome: Outcome, exit_code: int, reason: str = "", detail: str = ""
    ) -> None:
        changed = self._do(
            "UPDATE runs SET ended=?, outcome=?, exit_code=?, reason=?, detail=? WHERE id = ? AND outcome = ''",
            ended,
            outcome,
            exit_code,
            reason,
            detail,
            run_id,
        )
        if not changed:
            run, _ = self.run(run_id)
            raise ValueError(f"run {run_id} has ended already: {run.outcome}")

    def unfinished(self) -> tuple[Run, ...]:
        return tuple(Run(*row) for row in self._ask(f"SELECT {RUN} FROM runs WHERE outcome = '' ORDER BY seq"))

    def runs(self, limit: int = 20, *, host: str = "", stack: str = "", service: str = "") -> tuple[Run, ...]:
        rows = self._ask(
            f"""SELECT {RUN} FROM runs WHERE (:host = '' OR host = :host)
                AND ((:stack = '' AND :service = '') OR EXISTS (SELECT 1 FROM steps WHERE steps.run = runs.id
                     AND (:stack = '' OR stack = :stack) AND (:service = '' OR service = :service)))
                ORDER BY seq DESC LIMIT :limit""",
            {"host": host, "stack": stack, "service": service, "limit": limit},
        )
        return tuple(Run(*row) for row in rows)

    def run(self, run_id: str) -> tuple[Run, tuple[StepRecord, ...]]:
        rows = self._ask(f"SELECT {RUN} FROM runs WHERE id = ?", (run_id,))
        if not rows:
            raise KeyError(run_id)
        steps = self._ask(f"SELECT {STEP} FROM steps WHERE run = ? ORDER BY seq", (run_id,))
        return Run(*rows[0]), tuple(StepRecord(*[*s[:4], tuple(json.loads(s[4])), *s[5:]]) for s in steps)

    def verified(self) -> str | None:
        rows = self._ask(
            "SELECT revision FROM runs JOIN steps ON run = id WHERE action = ? ORDER BY steps.seq DESC LIMIT 1",
            (VERIFIED,),
        )
        return str(rows[0][0]) if rows else None

    def note_attempt(self, revision: str, boot_id: str) -> int:
        with self._lock:
            self._do(
                "INSERT INTO attempts VALUES (?,?,1) ON CONFLICT DO UPDATE SET count = count + 1", revision, boot_id
            )
            return self.attempts(revision, boot_id)

    def attempts(self, revision: str, boot_id: str) -> int:
        rows = self._ask("SELECT count FROM attempts WHERE revision = ? AND boot_id = ?", (revision, boot_id))
        return int(rows[0][0]) if rows else 0

    def forget_attempts(self, revision: str) -> None:
        self._do("DELETE FROM attempts WHERE revision = ?", revision)

    def _do(self, statement: str, *values: object) -> int:
        """Run one writing statement (its own transaction); return the number of rows it changed."""
        with self._lock, advice(self._path):
            return self._connection.execute(statement, values).rowcount

    def _ask(self, query: str, values: Any = ()) -> list[Any]:
        with self._lock, advice(self._path):
            return self._connection.execute(query, values).fetchall()

    def _open(self) -> None:
        with advice(self._path), _one_at_a_time(self._path):
            if why := _unusable(self._path):
                self._loss = LedgerLoss(why, _set_aside(self._path, self._clock()))
            self._fresh = not _there(self._path)
            if self._fresh:
                _create(self._path)
            self._connection = _connect(self._path)
            self._file = self._path.stat()

    def _reopen_when_replaced(self) -> None:
        """A file deleted or replaced under a long-lived process would take our records with it."""
        try:
            replaced = not os.path.samestat(self._path.stat(), self._file)
        except OSError:
            replaced = True
        if replaced:
            self._connection.close()
            self._open()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    draft = beside(path, ".new")
    for leftover in (draft, *(beside(file, suffix) for file in (draft, path) for suffix in COMPANIONS)):
        leftover.unlink(missing_ok=True)  # a log left by a deleted ledger would be replayed into the new one
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA page_size = {PAGE_BYTES}; BEGIN; {SCHEMA} COMMIT;")
    draft.rename(path)
    sync_folder(path.parent)


def _unusable(path: Path) -> str:
    """Why the file cannot be our ledger; "" when it can be, or when there is none.

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
        return flaw(connection)


def flaw(connection: sqlite3.Connection) -> str:
    """Why what it is connected to cannot be our ledger; "" when it can be."""
    try:
        marker = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if marker != APPLICATION_ID:
            return "it is another program's database, or has lost its marker"
        if version != SCHEMA_VERSION:
            return f"its schema is version {version}, this program writes version {SCHEMA_VERSION}"
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        return "" if verdict == "ok" else f"it is damaged: {verdict}"
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return f"it is damaged: {error}"
        raise


def is_damage(error: sqlite3.Error) -> bool:
    return _primary(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


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
    """Two processes that open a damaged ledger must not set aside each other's new one."""
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


@contextmanager
def advice(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into Transient errors that say what to do."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        full = _primary(error) == sqlite3.SQLITE_FULL or _no_room(path)
        raise _trouble(path, "full" if full else _primary(error), str(error)) from error
    except OSError as error:
        code = "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else sqlite3.SQLITE_CANTOPEN
        raise _trouble(path, code, str(error)) from error


def _no_room(path: Path) -> bool:
    """SQLite reports a shared-memory file that cannot grow as a plain I/O error."""
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False


def _trouble(path: Path, kind: int | str, why: str) -> Transient:
    if kind == "full":
        code, what, advice = "E-LEDGER-FULL", "has no room to write", "free space on its file system"
    elif kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        code, what, advice = "E-LEDGER-BUSY", "is locked by another process", "end the program that has it open"
    elif kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        code, what, advice = "E-LEDGER-BROKEN", "was damaged while open", "nothing: the next pass sets it aside"
    elif kind in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        code, what, advice = "E-LEDGER-ACCESS", "cannot be opened", "check owner, mode and mount of its folder"
    else:
        code, what, advice = "E-LEDGER-IO", "cannot be read or written", "check the disk (dmesg), then run again"
    return Transient(code, f"the ledger {path} {what}", why=why, next=advice)

"""The ledger in SQLite: durable when a method returns, and begun anew when its file is unusable."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any, ClassVar

from reconciler.database import Database, Kind
from reconciler.model.desired import RestartPolicy
from reconciler.model.report import VERIFIED, Intent, LedgerLoss, Outcome, Run, StepRecord
from reconciler.ports import Ledger

SCHEMA = """
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
"""
# Columns in the order of the fields of the model.
RUN = "id, command, actor, revision, base, started, ended, outcome, exit_code, reason, detail, host"
STEP = "run, stack, service, action, reasons, started, ended, result, detail"
INTENT = "run, kind, container, name, policy, maximum_retries, at"
KIND = Kind(
    name="the ledger",
    application_id=0x7265636F,  # "reco"
    version=1,
    schema=SCHEMA,
    codes={
        "full": "E-LEDGER-FULL",
        "busy": "E-LEDGER-BUSY",
        "broken": "E-LEDGER-BROKEN",
        "access": "E-LEDGER-ACCESS",
        "io": "E-LEDGER-IO",
    },
)


class SqliteLedger:
    """A `Ledger` in the file `path`, whose folder is made when missing. `clock` (epoch seconds) names losses."""

    EFFECTS: ClassVar[tuple[str, ...]] = Ledger.EFFECTS

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        self._database = self._opened(path, clock)

    def _opened(self, path: str | Path, clock: Callable[[], float]) -> Database:
        return Database(path, KIND, clock)

    def close(self) -> None:
        self._database.close()

    @property
    def fresh(self) -> bool:
        return self._database.fresh

    @property
    def loss(self) -> LedgerLoss | None:
        lost = self._database.loss
        return LedgerLoss(lost.why, lost.aside) if lost else None

    def begin(self, run: Run) -> None:
        self._database.reopen_when_replaced()
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
        with self._database.writing() as database:
            database.execute(
                "INSERT INTO attempts VALUES (?,?,1) ON CONFLICT DO UPDATE SET count = count + 1", (revision, boot_id)
            )
            return self.attempts(revision, boot_id)

    def attempts(self, revision: str, boot_id: str) -> int:
        rows = self._ask("SELECT count FROM attempts WHERE revision = ? AND boot_id = ?", (revision, boot_id))
        return int(rows[0][0]) if rows else 0

    def forget_attempts(self, revision: str) -> None:
        self._do("DELETE FROM attempts WHERE revision = ?", revision)

    def _do(self, statement: str, *values: object) -> int:
        return self._database.do(statement, *values)

    def _ask(self, query: str, values: Any = ()) -> list[Any]:
        return self._database.ask(query, values)

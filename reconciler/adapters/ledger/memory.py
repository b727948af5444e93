"""The ledger of tests and dry runs: the same contract as SQLite's, kept in memory."""

from __future__ import annotations

from dataclasses import replace
from threading import RLock
from typing import ClassVar

from reconciler.model.report import VERIFIED, Intent, LedgerLoss, Outcome, Run, StepRecord
from reconciler.ports import Ledger


class MemoryLedger:
    """A `Ledger` that ends with its process. Pass the same instance on to play a process that starts again."""

    EFFECTS: ClassVar[tuple[str, ...]] = Ledger.EFFECTS

    def __init__(self) -> None:
        self._lock = RLock()
        self._runs: dict[str, Run] = {}
        self._steps: list[StepRecord] = []
        self._intents: list[Intent] = []
        self._attempts: dict[tuple[str, str], int] = {}

    @property
    def fresh(self) -> bool:
        return not self._runs

    @property
    def loss(self) -> LedgerLoss | None:
        return None

    def begin(self, run: Run) -> None:
        with self._lock:
            if run.id in self._runs:
                raise ValueError(f"run {run.id} has begun already")
            self._runs[run.id] = run

    def intend(self, intent: Intent) -> None:
        with self._lock:
            key = (intent.run, intent.container, intent.kind)
            if not any((i.run, i.container, i.kind) == key for i in self._intents):
                self._intents.append(intent)

    def open_intents(self) -> tuple[Intent, ...]:
        with self._lock:
            return tuple(self._intents)

    def settle(self, run: str, container: str) -> None:
        with self._lock:
            self._intents = [i for i in self._intents if (i.run, i.container) != (run, container)]

    def step(self, record: StepRecord) -> None:
        with self._lock:
            if record.run not in self._runs:
                raise KeyError(record.run)
            self._steps.append(record)

    def aim(self, run_id: str, revision: str, base: str) -> None:
        with self._lock:
            self._runs[run_id] = replace(self._runs[run_id], revision=revision, base=base)

    def finish(
        self, run_id: str, *, ended: float, outcome: Outcome, exit_code: int, reason: str = "", detail: str = ""
    ) -> None:
        with self._lock:
            run = self._runs[run_id]
            if run.outcome:
                raise ValueError(f"run {run_id} has ended already: {run.outcome}")
            self._runs[run_id] = replace(
                run, ended=ended, outcome=outcome, exit_code=exit_code, reason=reason, detail=detail
            )

    def unfinished(self) -> tuple[Run, ...]:
        with self._lock:
            return tuple(run for run in self._runs.values() if not run.outcome)

    def runs(self, limit: int = 20, *, host: str = "", stack: str = "", service: str = "") -> tuple[Run, ...]:
        with self._lock:
            touched = {
                s.run for s in self._steps if (not stack or s.stack == stack) and (not service or s.service == service)
            }
            found = [
                run
                for run in reversed(self._runs.values())
                if (not host or run.host == host) and (not (stack or service) or run.id in touched)
            ]
            return tuple(found[:limit])

    def run(self, run_id: str) -> tuple[Run, tuple[StepRecord, ...]]:
        with self._lock:
            return self._runs[run_id], tuple(s for s in self._steps if s.run == run_id)

    def verified(self) -> str | None:
        with self._lock:
            return next((self._runs[s.run].revision for s in reversed(self._steps) if s.action == VERIFIED), None)

    def note_attempt(self, revision: str, boot_id: str) -> int:
        with self._lock:
            key = (revision, boot_id)
            self._attempts[key] = self._attempts.get(key, 0) + 1
            return self._attempts[key]

    def attempts(self, revision: str, boot_id: str) -> int:
        with self._lock:
            return self._attempts.get((revision, boot_id), 0)

    def forget_attempts(self, revision: str) -> None:
        with self._lock:
            self._attempts = {key: n for key, n in self._attempts.items() if key[0] != revision}

"""Progress that remembers in which phase a pass is, and the words for what it did."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.gate.wording import gate_lines
from reconciler.core.wording import verb
from reconciler.model.gate import GateAnswer
from reconciler.model.observed import Slot
from reconciler.model.plan import Plan
from reconciler.model.report import VERIFIED, StepRecord
from reconciler.model.result import Migrated
from reconciler.ports import Progress


class Told(Progress):
    """Passes everything on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.phase_now = ""

    def phase(self, name: str, text: str = "") -> None:
        self.phase_now = name
        self._progress.phase(name, text)

    def step(self, slot: Slot, state: str, text: str = "") -> None:
        self._progress.step(slot, state, text)

    def say(self, text: str) -> None:
        self._progress.say(text)

    @staticmethod
    def summary(plan: Plan, migrated: Sequence[Migrated]) -> str:
        """`2 recreate, 1 create, 1 migrated`."""
        counts: dict[str, int] = {}
        for step in plan.steps:
            counts[verb(step.action)] = counts.get(verb(step.action), 0) + 1
        counts |= {"migrated": len(migrated)} if migrated else {}
        return ", ".join(f"{count} {action}" for action, count in counts.items()) or "no container changed"

    @staticmethod
    def judged(run: str, gate: GateAnswer, now: float) -> StepRecord:
        """What CI said of the head, or who went past it and why, for the history."""
        result = "ok" if gate.open else "skipped"
        return StepRecord(run, "", "", "gate", tuple(gate_lines(gate)), now, now, result)

    @staticmethod
    def verified(run: str, revision: str, now: float) -> StepRecord:
        """The stamp moves to this revision; the ledger knows it as well, should the stamp be lost (I6)."""
        return StepRecord(run, "", "", VERIFIED, (f"the whole of {revision[:7]} runs and is well",), now, now, "ok")

    @staticmethod
    def noticed(run: str, line: str, now: float) -> StepRecord:
        """What a person did to a sentinel, for the history."""
        return StepRecord(run, "", "", "sentinel", (line,), now, now, "ok")

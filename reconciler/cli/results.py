"""The answer of a command that made a pass."""

from __future__ import annotations

from reconciler.cli.frame import Answer, Frame
from reconciler.core.wording import result_data, result_lines
from reconciler.errors import ReconcilerError, Refused
from reconciler.model.result import Result


def answer_of(frame: Frame, result: Result) -> Answer:
    """In words and as data; its exit code is that of the pass."""
    return Answer(
        result_data(result),
        result_lines(result),
        [str(step.slot) for step in result.plan.steps] if result.plan else [],
        result.warnings,
        result.exit_code,
        ok=result.exit_code == 0,
        error=result.error or (_not_done(result) if frame.machine else None),
    )


def _not_done(result: Result) -> ReconcilerError | None:
    """A program branches on a code; people read it in the headline."""
    if result.outcome == "paused":
        return Refused(
            "E-PAUSED", result.reason, why="somebody asked that nothing be changed", next="reconciler resume"
        )
    if result.outcome == "interrupted":
        why = "the pass was asked to stop, and did after the step at work"
        again = "deploy" if result.command == "deploy" else "converge"  # any pass finishes a rollback
        return ReconcilerError("E-INTERRUPTED", result.reason, why=why, next=f"reconciler {again}")
    return None

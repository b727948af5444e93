"""What a person does to containers outside of a pass: held back by a pause, recorded like a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.convergence.world import Interrupted, World
from reconciler.core.redact import redactor
from reconciler.errors import ReconcilerError
from reconciler.model.report import Outcome, Run
from reconciler.model.result import Result


class Paused(ReconcilerError):
    """Somebody asked that nothing be changed."""

    exit_code = 3


def refuse_when_paused(world: World, host: str, stacks: Iterable[str]) -> None:
    """Raises Paused when the host, or one of these stacks, is."""
    for stack in ("", *stacks):
        if pause := world.signals.paused(stack):
            where = f"{host}/{stack}" if stack else host
            raise Paused(
                "E-PAUSED",
                f"{where} is paused: {pause.reason or 'no reason given'} ({pause.holder or 'somebody'})",
                why="somebody asked that nothing be changed",
                next=f"reconciler resume {where}; or, when you know what they are doing, --force",
                unchanged="everything",
            )


def recorded(world: World, run: Run, work: Callable[[], str]) -> Result:
    """Do it, and write into the history how it ended; never raises a ReconcilerError. `work` says what it did."""
    world.ledger.begin(run)
    error: ReconcilerError | None = None
    outcome: Outcome
    try:
        outcome, code, reason = "succeeded", 0, work()
    except ReconcilerError as raised:
        clean = redactor(world.files.confidential()).clean
        raised.what, raised.why = clean(raised.what), clean(raised.why)
        outcome, code, reason, error = "failed", raised.exit_code, raised.what, raised
    except (KeyboardInterrupt, Interrupted):
        outcome, code, reason = "interrupted", 130, "interrupted; the next pass looks after what is left"
    now = world.clock.now()
    detail = error.why if error else ""
    world.ledger.finish(run.id, ended=now, outcome=outcome, exit_code=code, reason=reason, detail=detail)
    return Result(run.id, outcome, code, reason, error=error, seconds=now - run.started)

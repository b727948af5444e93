"""What a pass says at its end, to the command line, the history and (later) to people elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.errors import ReconcilerError
from reconciler.model.plan import Plan
from reconciler.model.report import Outcome
from reconciler.model.repository import CheckoutReport


@dataclass(frozen=True, slots=True)
class Result:
    """`plan` is None when the pass ended before there was one; `held` says why the head is not followed.

    `directory` is the working tree of the host.
    """

    run: str
    outcome: Outcome
    exit_code: int
    reason: str
    revision: str = ""
    base: str = ""
    held: str = ""
    plan: Plan | None = None
    checkout: CheckoutReport = CheckoutReport()
    directory: str = ""
    error: ReconcilerError | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

"""What becomes known of a pass while it goes, and the Result that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from reconciler.convergence.gather import Picture
from reconciler.convergence.world import Request
from reconciler.core.target import Target
from reconciler.errors import ReconcilerError
from reconciler.model.report import Outcome
from reconciler.model.repository import CheckoutReport
from reconciler.model.result import Migrated, Result, WayBack

_TOLD_LINES = 15


@dataclass
class Account:
    """Of one run. `touched`: whether anything that runs may have been changed by now. `turned_away`: the revision that
    this rollback blocked, to go back from it."""

    request: Request
    host: str
    started: float
    base: str = ""
    attempt: int = 0
    turned_away: str = ""
    touched: bool = False
    picture: Picture | None = None
    target: Target | None = None
    checkout: CheckoutReport = CheckoutReport()
    back: WayBack | None = None
    migrated: list[Migrated] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    by_hand: tuple[str, ...] = ()

    def result(
        self, outcome: Outcome, exit_code: int, reason: str, error: ReconcilerError | None = None, *, phase: str = ""
    ) -> Result:
        """How it ended."""
        picture, target = self.picture, self.target
        return Result(
            run=self.request.run,
            outcome=outcome,
            exit_code=exit_code,
            reason=reason,
            revision=picture.desired.revision if picture else "",
            base=self.base,
            held=target.held if target else "",
            plan=picture.plan if picture else None,
            checkout=self.checkout,
            directory=picture.desired.checkout if picture else "",
            error=error,
            warnings=picture.warnings if picture else (),
            command=self.request.command,
            actor=self.request.actor,
            host=self.host,
            started=self.started,
            attempt=self.attempt,
            phase=phase if error else "",
            log=tuple(error.why.splitlines()[-_TOLD_LINES:]) if error else (),
            gate=target.gate if target else None,
            untrusted=target.untrusted if target else False,
            changes=picture.changes if picture else None,
            migrated=tuple(self.migrated),
            back=self.back,
            cleared=tuple(self.cleared),
            by_hand=self.by_hand,
        )


def with_healing(result: Result, healed: Result | None) -> Result:
    """A pass that could not follow the branch, and what it did meanwhile for what was verified last."""
    if healed is None or result.error is None:
        return result
    done = healed.reason if healed.exit_code == 0 else f"healing failed: {healed.reason}"
    result.error.unchanged = f"what was verified last goes on: {done}"
    return replace(result, reason=f"{result.reason}; healed meanwhile: {done}", checkout=healed.checkout)


def cleaned(result: Result, clean: Callable[[str], str]) -> Result:
    """A container may write a password to its log, and an engine may repeat it in an error."""
    if result.error is not None:
        result.error.what, result.error.why = clean(result.error.what), clean(result.error.why)
    back = replace(result.back, trouble=clean(result.back.trouble)) if result.back else None
    return replace(result, reason=clean(result.reason), log=tuple(map(clean, result.log)), back=back)

"""What follows when a pass failed after it began to touch things: one way back, and what is said of it."""

from __future__ import annotations

from reconciler.convergence.account import Account
from reconciler.convergence.aim import Aim
from reconciler.convergence.gather import Gather, Picture
from reconciler.convergence.observe import listed
from reconciler.convergence.smoke import smoke
from reconciler.convergence.tidy import tidy
from reconciler.convergence.told import Told
from reconciler.convergence.undo import Undo
from reconciler.convergence.wait import Failures, Waiting, gravest
from reconciler.convergence.world import Rules, World
from reconciler.core.adoption import renewed
from reconciler.core.redact import redactor
from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.plan import Plan
from reconciler.model.report import StepRecord
from reconciler.model.result import Result, WayBack


class Failed:
    """The end of one run that failed."""

    def __init__(
        self, world: World, rules: Rules, gather: Gather, waiting: Waiting, account: Account, told: Told
    ) -> None:
        self._world, self._rules, self._gather, self._waiting = world, rules, gather, waiting
        self._account, self._phase = account, told.phase_now

    def result(self, picture: Picture, owner: str, failures: Failures) -> Result:
        """Takes back what has to be taken back."""
        clean = redactor(self._world.files.confidential()).clean
        for failure in failures.values():  # it goes on a block, too, where everybody may read it
            failure.what, failure.why = clean(failure.what), clean(failure.why)
        if self._account.request.command == "rollback":
            return self._halted(gravest(failures), failures)
        if self._only_sick_before(picture.plan, failures):
            observed = listed(self._world.engine, self._world.adoptions, self._rules.site.host, owner)
            tidy(self._world.engine, self._world.ledger, observed, picture.plan, owner)
            self._world.adoptions.remember(renewed(self._world.adoptions.known(), picture.plan))
            return self._not_healed(failures)
        return self._undone(picture, owner, failures)

    def _only_sick_before(self, plan: Plan, failures: Failures) -> bool:
        """Whether all that failed is the healing of what was ill before: no fault of this revision.

        What a pass that died has made for this revision was never well; its failure is the revision's.
        """
        kept = {container.slot for container in plan.leftovers}
        healing = {s.slot for s in plan.steps if s.heals and s.current and s.current.revision != plan.revision}
        return failures.keys() <= healing - kept

    def _not_healed(self, failures: Failures) -> Result:
        """What this revision changed is good and stays; the stamp waits until all is well."""
        error = gravest(failures)
        error.unchanged = error.unchanged or "everything else is as git wants it"
        reason = f"not healed: {_reason(failures)}"
        return self._account.result("failed", error.exit_code, reason, error, phase=self._phase)

    def _undone(self, picture: Picture, owner: str, failures: Failures) -> Result:
        account, world, error = self._account, self._world, gravest(failures)
        moved_on = bool(account.base) and account.base != picture.desired.revision
        aim = Aim(world, self._gather, account.request, account.base)
        undo = Undo(world, self._gather, self._rules.site.host, account.request.run, account.base)
        begun = world.clock.now()
        restored: list[str] = []
        trouble: ReconcilerError | None = None
        try:
            restored = (
                undo.everything(picture, owner, failures, aim) if moved_on else undo.failing(picture, owner, failures)
            )
        except ReconcilerError as raised:
            trouble = raised
        now = world.clock.now()
        seconds, result, run = now - begun, "failed" if trouble else "ok", account.request.run
        back = StepRecord(run, "", "", "undo", (_reason(failures),), begun, now, result, "\n".join(restored))
        world.ledger.step(back)
        trouble = trouble or (self._not_well(restored, owner) if moved_on else None)
        account.back = WayBack(
            to=account.base if moved_on else "",
            restored=tuple(restored),
            trouble=trouble.what if trouble else "",
            ahead=tuple(f"{m.stack}: {m.name}" for m in account.migrated),
            seconds=seconds,
        )
        if trouble:
            trouble.why = f"{trouble.why}\nwhat had failed before it: {error.what}".strip()
            return self._halted(trouble, failures)
        if undo.images.keys() == failures.keys():
            tags = ", ".join(dict.fromkeys(undo.images.values()))
            error.next = f"push an image that works under {tags}: the one that failed is blocked, the revision is not"
        if account.request.command == "deploy":
            error.next = (
                f"{error.next}; then deploy that. The timer waits (4 h) until: reconciler resume {account.host}"
            )
        if account.migrated or not error.unchanged:
            error.unchanged = self._what_runs(restored, moved_on)
        if restored or moved_on:
            return account.result("rolled-back", 4, _reason(failures), error, phase=self._phase)
        return account.result("failed", error.exit_code, _reason(failures), error, phase=self._phase)

    def _not_well(self, restored: list[str], owner: str) -> ReconcilerError | None:
        base = self._account.base
        words = smoke(self._world, self._rules, self._gather, self._waiting, base, owner, restored)
        if not words:
            return None
        return Terminal(
            "E-UNDO-SICK",
            f"went back to {base[:7]}, and it is not well: {words}",
            why="it was verified once; something else has changed since",
            next="look at what is named above; every pass heals and verifies it again",
            unchanged=f"everything runs as of {base[:7]} again",
        )

    def _halted(self, error: ReconcilerError, failures: Failures) -> Result:
        """The way back failed: there is no second one. What was kept stays kept; the next pass heals what it can."""
        error.unchanged = error.unchanged or "the containers of before are kept, stopped"
        return self._account.result(
            "halted", error.exit_code, f"{error.what} (after: {_reason(failures)})", error, phase="undo"
        )

    def _what_runs(self, restored: list[str], moved_on: bool) -> str:
        ahead = "; the schema stays ahead, nothing is migrated back" if self._account.migrated else ""
        if moved_on:
            return f"everything runs as of {self._account.base[:7]} again{ahead}"
        return (f"put back: {', '.join(restored)}" if restored else "what ran before still runs") + ahead


def _reason(failures: Failures) -> str:
    return "; ".join(dict.fromkeys(failure.what for failure in failures.values()))

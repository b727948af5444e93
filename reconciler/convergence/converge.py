"""One pass, from what git says to what runs.

Read it aloud: recover, signals, fetch, plan, guard, prepare, check out, apply, verify, record.

Nothing that runs is touched before everything that can fail has succeeded. Whatever fails afterwards is taken
back: the kept containers serve again, and the revision is blocked until another one comes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from reconciler.convergence.apply import Apply, Tools
from reconciler.convergence.exchange import Exchange
from reconciler.convergence.gather import Gather, Picture
from reconciler.convergence.observe import listed, observe
from reconciler.convergence.prepare import prepare_images, render_files
from reconciler.convergence.promise import promise_restarts
from reconciler.convergence.recover import recover
from reconciler.convergence.tidy import tidy
from reconciler.convergence.undo import Undo
from reconciler.convergence.wait import EVERYTHING, Failures, Waiting, gravest
from reconciler.convergence.world import Interrupted, Request, Rules, World
from reconciler.core import guard
from reconciler.core.adoption import remembered
from reconciler.core.planner import serving
from reconciler.core.redact import redactor
from reconciler.core.target import Target, check_ancestry, choose_target
from reconciler.errors import ReconcilerError, Refused
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan
from reconciler.model.report import Outcome, Pause, Run
from reconciler.model.repository import CheckoutReport
from reconciler.model.result import Result


class Pass:
    """One run of convergence for the host it runs on; the caller holds the pass lock."""

    def __init__(self, world: World, rules: Rules, request: Request) -> None:
        self._world, self._rules, self._request = world, rules, request
        self._gather = Gather(rules.site, rules.policy, world)
        waiting = Waiting(world.engine, world.clock, world.progress, rules.timeout, rules.job_timeout)
        self._tools = Tools(world.engine, world.ledger, world.clock, world.progress, waiting, rules.parallel)
        self._begun = world.clock.now()
        self._run = Run(request.run, request.command, request.actor, "", "", self._begun, host=rules.site.host)
        self._base = ""

    def run(self) -> Result:
        """Never raises a ReconcilerError: it becomes the Result, recorded like everything else."""
        self._world.ledger.begin(self._run)
        if loss := self._world.ledger.loss:
            self._world.progress.say(f"the ledger was unusable ({loss.why}); a new one begins, the old is {loss.aside}")
        for pause in self._world.signals.sweep():
            self._world.progress.say(f"the pause {pause.reason!r} of {pause.holder or 'somebody'} is over")
        try:
            result = self._converge()
        except ReconcilerError as error:
            result = self._result("failed", error.exit_code, error.what, error=error)
        except (KeyboardInterrupt, Interrupted):
            result = self._result("interrupted", 130, "interrupted; the next pass carries on")
        result = self._redacted(replace(result, seconds=self._world.clock.now() - self._begun))
        self._world.ledger.finish(
            self._request.run,
            ended=self._world.clock.now(),
            outcome=result.outcome,
            exit_code=result.exit_code,
            reason=result.reason,
            detail=str(result.error.why) if result.error else "",
        )
        return result

    def _redacted(self, result: Result) -> Result:
        """A container may write a password to its log, and an engine may repeat it in an error."""
        if result.error is None:
            return result
        clean = redactor(self._world.files.confidential()).clean
        result.error.what, result.error.why = clean(result.error.what), clean(result.error.why)
        return replace(result, reason=clean(result.reason))

    def _converge(self) -> Result:
        owner = self._world.identity.owner()
        observed = self._recovered(owner) if owner else None
        if pause := self._world.signals.paused():
            return self._paused(pause, observed, owner)
        target = self._target()
        self._world.ledger.aim(self._request.run, target.revision, self._base)
        owner = self._world.identity.owner(target.revision)
        observed = observed or self._observe(owner)
        self._world.progress.phase("plan", f"{target.revision[:7]} ({target.reason})")
        blocked = self._world.signals.blocked()
        picture = self._gather.picture(target.revision, self._base, owner, observed, blocked)
        self._refuse(picture, blocked)
        if picture.plan.empty and not picture.drifted and not picture.plan.unverified:
            return self._verified(picture, target, CheckoutReport(), "unchanged", "nothing to do")
        self._world.clock.sleep(0)  # who asked to stop during the fetch is heard here
        if not self._request.confirm(picture.plan):
            return self._result("held", 0, "not confirmed; nothing was done", picture=picture)
        return self._carry_out(picture, target, owner)

    def _paused(self, pause: Pause, observed: Observed | None, owner: str) -> Result:
        """Drift against what was verified last is seen and told, and left alone."""
        self._base = self._world.signals.stamp()
        picture = None
        if self._base and observed and self._world.repository.has(self._base):
            picture = self._gather.picture(self._base, self._base, owner, observed)
        reason = f"paused: {pause.reason or 'no reason given'} ({pause.holder or 'unknown'})"
        return self._result("paused", 3, reason, picture)

    def _recovered(self, owner: str) -> Observed:
        observed = self._observe(owner)
        world = self._world
        if recover(world.engine, world.ledger, world.clock, world.progress, observed, owner, self._request.run):
            return self._observe(owner)
        return observed

    def _observe(self, owner: str) -> Observed:
        return observe(self._world.engine, self._world.adoptions, self._rules.site.host, owner)

    def _listed(self, owner: str) -> Observed:
        return listed(self._world.engine, self._world.adoptions, self._rules.site.host, owner)

    def _target(self) -> Target:
        """The revision to go for; the branch is fetched and must descend from what was verified last."""
        repository = self._world.repository
        self._world.progress.phase("fetch")
        head = repository.fetch(self._request.run)
        self._base = self._world.signals.stamp() or self._world.ledger.verified() or ""
        if self._base:
            check_ancestry(head, self._base, descends=repository.is_descendant(head, self._base))
        return choose_target(head, self._base, self._world.signals.blocked())

    def _refuse(self, picture: Picture, blocked: Collection[str]) -> None:
        """What must not happen ends here, before anything was touched."""
        guard.check(
            picture.desired,
            picture.wants,
            picture.observed,
            picture.plan,
            self._rules.policy,
            picture.ground,
            blocked,
        )
        self._check_obstacles(picture)

    def _check_obstacles(self, picture: Picture) -> None:
        obstacles = self._world.repository.checkout_obstacles(picture.desired.revision, picture.desired.checkout)
        if obstacles:
            raise Refused(
                "E-CHECKOUT-UNTRACKED",
                f"untracked files are in the way: {', '.join(obstacles[:5])}",
                why=f"git wants to write them below {picture.desired.checkout}, and what lies there is not from git",
                next="move them away, or take them out of the repository",
            )

    def _carry_out(self, picture: Picture, target: Target, owner: str) -> Result:
        world, plan = self._world, picture.plan
        if plan.images:
            world.progress.phase("prepare", f"{len(plan.images)} images")
        prepare_images(world.engine, picture.tree, plan, world.progress, self._rules.parallel)
        render_files(world.files, picture.desired, picture.facts.paths, picture.facts.sealer)
        world.clock.sleep(0)
        world.adoptions.remember(remembered(world.adoptions.known(), plan, picture.observed))
        world.progress.phase("check out", f"{target.revision[:7]} into {picture.desired.checkout}")
        promise_restarts(Exchange(world.engine, world.ledger, world.clock, self._request.run), picture)
        checkout = world.repository.checkout(target.revision, picture.desired.checkout, self._request.run)
        failures = self._apply(picture, owner)
        if failures and self._only_sick_before(picture.plan, failures):
            tidy(world.engine, world.ledger, self._listed(owner), plan, owner)
            return self._not_healed(picture, checkout, failures)
        if failures:
            return self._undone(picture, checkout, failures, owner)
        tidy(world.engine, world.ledger, self._listed(owner), plan, owner)
        return self._verified(picture, target, checkout, "succeeded", _summary(plan))

    def _moved_on(self, picture: Picture) -> bool:
        """Whether there is a verified revision to go back to; then one failure takes everything back to it."""
        return bool(self._base) and self._base != picture.desired.revision

    def _apply(self, picture: Picture, owner: str) -> Failures:
        """Apply and verify; what failed, by slot."""
        plan, isolate = picture.plan, not self._moved_on(picture)
        self._world.progress.phase("apply", _summary(plan))
        try:
            existing = serving(picture.observed, owner)
            applied = Apply(self._tools, plan, picture.wants, existing, owner, self._request.run, isolate=isolate).run()
        except ReconcilerError as error:
            return {EVERYTHING: error}
        if applied.failures and not isolate:
            return applied.failures
        self._world.progress.phase("verify", f"{len(applied.touched)} containers for {self._rules.window:g} s")
        return applied.failures | self._tools.waiting.watch(applied.touched, self._rules.window)

    def _only_sick_before(self, plan: Plan, failures: Failures) -> bool:
        """Whether all that failed is the healing of what was ill before: no fault of this revision.

        What a pass that died has made for this revision was never well; its failure is the revision's.
        """
        kept = {container.slot for container in plan.leftovers}
        healing = {s.slot for s in plan.steps if s.heals and s.current and s.current.revision != plan.revision}
        return failures.keys() <= healing - kept

    def _not_healed(self, picture: Picture, checkout: CheckoutReport, failures: Failures) -> Result:
        """What this revision changed is good and stays; the stamp waits until all is well."""
        error = gravest(failures)
        error.unchanged = error.unchanged or "everything else is as git wants it"
        reason = "; ".join(dict.fromkeys(failure.what for failure in failures.values()))
        return self._result("failed", error.exit_code, f"not healed: {reason}", picture, checkout, error)

    def _undone(self, picture: Picture, checkout: CheckoutReport, failures: Failures, owner: str) -> Result:
        error, moved_on = gravest(failures), self._moved_on(picture)
        undo = Undo(self._world, self._gather, self._rules.site.host, self._request.run, self._base)
        restored = undo.everything(picture, owner, error) if moved_on else undo.failing(picture, owner, failures)
        error.unchanged = error.unchanged or _what_runs(self._base if moved_on else "", restored)
        reason = "; ".join(dict.fromkeys(failure.what for failure in failures.values()))
        if restored or moved_on:
            return self._result("rolled-back", 4, reason, picture, checkout, error)
        return self._result("failed", error.exit_code, reason, picture, checkout, error)

    def _verified(
        self, picture: Picture, target: Target, checkout: CheckoutReport, outcome: Outcome, reason: str
    ) -> Result:
        """The stamp moves only for a whole pass over the head's own manifests, with nothing left out of it."""
        whole = not self._rules.site.target.partition("/")[2]
        if whole and picture.complete and not target.held and target.revision != self._base:
            for blocked in self._world.signals.blocked():
                if self._world.repository.is_descendant(target.revision, blocked):
                    self._world.signals.clear(blocked)
            self._world.signals.write_stamp(target.revision)
        held = target.reason if target.held else ""
        return replace(self._result(outcome, 0, reason, picture, checkout), held=held)

    def _result(
        self,
        outcome: Outcome,
        exit_code: int,
        reason: str,
        picture: Picture | None = None,
        checkout: CheckoutReport = CheckoutReport(),
        error: ReconcilerError | None = None,
    ) -> Result:
        return Result(
            run=self._request.run,
            outcome=outcome,
            exit_code=exit_code,
            reason=reason,
            revision=picture.desired.revision if picture else "",
            base=self._base,
            plan=picture.plan if picture else None,
            checkout=checkout,
            directory=picture.desired.checkout if picture else "",
            error=error,
            warnings=picture.warnings if picture else (),
        )


def _summary(plan: Plan) -> str:
    counts: dict[str, int] = {}
    for step in plan.steps:
        counts[step.action] = counts.get(step.action, 0) + 1
    return ", ".join(f"{count} {action}" for action, count in counts.items()) or "no container changed"


def _what_runs(base: str, names: list[str]) -> str:
    if base:
        return f"everything runs as of {base[:7]} again"
    return f"put back: {', '.join(names)}" if names else "what ran before still runs"

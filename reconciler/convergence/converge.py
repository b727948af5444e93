"""One pass, from what git says to what runs.

Read it aloud: recover, signals, fetch, choose, plan, guard, prepare, check out, migrate, apply, verify, record.

Nothing that runs is touched before everything that can fail has succeeded. Whatever fails afterwards is taken
back: the kept containers serve again, and the revision is blocked until another one comes.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from reconciler.convergence.account import Account, cleaned, with_healing
from reconciler.convergence.aim import Aim
from reconciler.convergence.apply import Apply, Tools
from reconciler.convergence.exchange import Exchange
from reconciler.convergence.failed import Failed
from reconciler.convergence.gather import Gather, Picture
from reconciler.convergence.keep_built import kept_built
from reconciler.convergence.migrations import Due, due
from reconciler.convergence.observe import listed, observe
from reconciler.convergence.own_pause import OwnPause
from reconciler.convergence.prepare import prepare_images, render_files
from reconciler.convergence.promise import promise_restarts
from reconciler.convergence.rebuild import rebuild
from reconciler.convergence.recover import recover
from reconciler.convergence.refuse import refuse
from reconciler.convergence.taken_up import taken_up
from reconciler.convergence.tidy import tidy
from reconciler.convergence.told import Told
from reconciler.convergence.verify import Verify, in_view, probed
from reconciler.convergence.wait import EVERYTHING, Failures, Waiting, gravest
from reconciler.convergence.world import Interrupted, Request, Rules, World
from reconciler.core.adoption import remembered, renewed
from reconciler.core.alerts import LONGEST, told_already
from reconciler.core.counting import count
from reconciler.core.planner import serving
from reconciler.core.redact import redactor
from reconciler.core.target import Target
from reconciler.errors import ReconcilerError
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan
from reconciler.model.report import Outcome, Pause, Run
from reconciler.model.result import Result

_IGNORED = "only ignored paths changed"


class Pass:
    """One run of convergence for the host it runs on; the caller holds the pass lock."""

    def __init__(self, world: World, rules: Rules, request: Request) -> None:
        self._told = Told(world.progress)
        self._world = world = replace(world, progress=self._told)
        whole = not rules.site.target.partition("/")[2]
        request = taken_up(world, request) if whole else request
        if request.command == "rollback":
            rules = replace(rules, policy=replace(rules.policy, max_removed_stacks=sys.maxsize))
        self._rules, self._request = rules, request
        self._gather = Gather(rules.site, rules.policy, world)
        waiting = Waiting(world.engine, world.clock, world.progress, rules.timeout, rules.job_timeout)
        self._tools = Tools(world.engine, world.ledger, world.clock, world.progress, waiting, rules.parallel)
        self._account = Account(request, rules.site.host, world.clock.now())
        self._pause = OwnPause(world, request)
        self._free = False  # whether a pass may change anything here

    def run(self) -> Result:
        """Never raises a ReconcilerError: it becomes the Result, recorded like everything else."""
        account, world = self._account, self._world
        rebuild(world, account.host, self._request.run)
        world.ledger.begin(
            Run(
                self._request.run,
                self._request.command,
                self._request.actor,
                self._request.revision,
                "",
                account.started,
                host=account.host,
            )
        )
        self._look_back()
        try:
            result = self._followed()
        except (KeyboardInterrupt, Interrupted):
            result = account.result("interrupted", 130, "interrupted; the next pass carries on")
        result = self._kept_built(cleaned(result, redactor(world.files.confidential()).clean))
        return self._recorded(replace(result, seconds=world.clock.now() - account.started))

    def _kept_built(self, result: Result) -> Result:
        """Packages come last, when all that runs has its verdict; a part of the host has none."""
        site, picture = self._rules.site, self._account.picture
        if site.target.partition("/")[2]:
            return result
        return kept_built(self._world, self._request, result, picture.desired if picture else None, site.manifests)

    def _followed(self) -> Result:
        """The branch, as far as it goes. Where it cannot be followed, what was verified last is healed all the same."""
        account = self._account
        try:
            return self._converge()
        except ReconcilerError as error:
            result = account.result("failed", error.exit_code, error.what, error, phase=self._told.phase_now)
        if account.touched or not self._free or self._request.command != "converge":
            return result
        try:
            return with_healing(result, self._healed())
        except ReconcilerError:  # what was wrong first says more
            return result

    def _healed(self) -> Result | None:
        """The verified revision again; None when that is how it is, or when it was what could not be reached."""
        world, account, base = self._world, self._account, self._account.base
        if not base or not world.repository.has(base) or (account.picture and account.picture.plan.revision == base):
            return None
        owner, target = world.identity.owner(base), Target(base, "verified last; the branch cannot be followed")
        world.progress.phase("plan", f"{base[:7]} ({target.reason})")
        blocked = world.signals.blocked()
        picture = self._gather.picture(base, base, owner, self._observe(owner), blocked)
        refuse(world, self._rules.policy, picture, blocked)
        if not (picture.plan.steps or picture.drifted) or not self._request.confirm(picture.plan):
            return None
        account.picture = picture
        return self._carry_out(picture, target, owner, None)

    def _recorded(self, result: Result) -> Result:
        """However it ended, it ended: this attempt was none that died."""
        if self._account.attempt:
            self._world.ledger.forget_attempts(result.revision)
        self._pause.lift(result, touched=self._account.touched)
        if self._account.turned_away and result.outcome == "failed" and not self._account.touched:
            self._world.signals.clear(self._account.turned_away)  # nobody went back, so it is what is wanted, too
        if result.outcome == "failed":
            before = self._world.ledger.runs(LONGEST, host=self._account.host)
            result = replace(result, repeat=told_already(before, result.reason, self._world.clock.now()))
        self._world.ledger.finish(
            self._request.run,
            ended=self._world.clock.now(),
            outcome=result.outcome,
            exit_code=result.exit_code,
            reason=result.reason,
            detail=str(result.error.why) if result.error else "",
        )
        return result

    def _look_back(self) -> None:
        """What happened since the last pass, besides the work of passes."""
        world = self._world
        for pause in world.signals.sweep():
            world.progress.say(f"the pause {pause.reason!r} of {pause.holder or 'somebody'} is over")
        self._account.by_hand = world.signals.by_hand()
        for line in self._account.by_hand:
            world.progress.say(line)
            world.ledger.step(self._told.noticed(self._request.run, line, world.clock.now()))

    def _converge(self) -> Result:
        world, account = self._world, self._account
        owner = world.identity.owner()
        observed = self._recovered(owner) if owner else None
        account.base = world.signals.stamp() or world.ledger.verified() or ""
        if pause := self._pause.in_the_way():
            return self._paused(pause, observed, owner)
        self._free = True
        self._pause.raise_()
        aim = Aim(world, self._gather, self._request, account.base)
        account.target = target = self._aimed(aim)
        if target.superseded or not target.revision:
            return account.result("superseded" if target.superseded else "held", 0, target.reason)
        world.ledger.aim(self._request.run, target.revision, account.base)
        owner = world.identity.owner(target.revision)
        observed = observed or self._observe(owner)
        world.progress.phase("plan", f"{target.revision[:7]} ({target.reason})")
        blocked = world.signals.blocked()
        revision, is_head = target.revision, target.is_head
        picture = self._gather.picture(revision, account.base, owner, observed, blocked, is_head=is_head)
        account.picture = picture
        migrating = self._migrating(picture, owner)
        refuse(world, self._rules.policy, picture, blocked, migrating)
        if picture.plan.empty and not picture.drifted and not picture.plan.unverified and not migrating:
            return self._still_well(
                picture, target, owner, "unchanged", _IGNORED if _ignored(picture) else "nothing to do"
            )
        world.clock.sleep(0)  # who asked to stop during the fetch is heard here
        if not self._request.confirm(picture.plan):
            return account.result("held", 0, "not confirmed; nothing was done")
        return self._carry_out(picture, target, owner, migrating)

    def _aimed(self, aim: Aim) -> Target:
        """The target; what passes died at is blocked, also when that leaves none."""
        try:
            target = aim.target()
        finally:
            for block in aim.deadly:
                self._world.signals.block(block)
                self._world.ledger.forget_attempts(block.name)  # whoever clears the block wants it tried again
        if self._request.command == "rollback":
            self._block_what_runs(aim)
        if (gate := target.gate) and (gate.evidence or gate.overridden):
            self._world.ledger.step(self._told.judged(self._request.run, gate, self._world.clock.now()))
        return target

    def _paused(self, pause: Pause, observed: Observed | None, owner: str) -> Result:
        """Drift against what was verified last is seen and told, and left alone."""
        base = self._account.base
        if base and observed and self._world.repository.has(base):
            self._account.picture = self._gather.picture(base, base, owner, observed)
        return self._account.result(
            "paused", 3, f"paused: {pause.reason or 'no reason given'} ({pause.holder or 'unknown'})"
        )

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

    def _block_what_runs(self, aim: Aim) -> None:
        """A person turns away from what was verified: the timer must not bring it back."""
        base, asked, signals = self._account.base, self._request.revision, self._world.signals
        known = any(block.holds_for(base) for block in signals.blocks())  # then it says already who wanted it, and why
        if base and base != asked and not known:
            signals.block(aim.block(base, f"rolled back by {self._request.actor}: {self._request.reason}"))
            self._account.turned_away = base

    def _migrating(self, picture: Picture, owner: str) -> Due | None:
        """A way back has none."""
        if self._request.command == "rollback":
            return None
        return due(self._world, picture, self._account.base, self._rules.site.target, self._request.run, owner)

    def _carry_out(self, picture: Picture, target: Target, owner: str, migrating: Due | None) -> Result:
        world, plan, account = self._world, picture.plan, self._account
        if target.revision != account.base:
            account.attempt = world.ledger.note_attempt(target.revision, world.clock.boot())
        if plan.images:
            world.progress.phase("prepare", count(len(plan.images), "image"))
        blocked = world.signals.blocked()
        prepare_images(world.engine, picture.tree, plan, world.progress, self._rules.parallel, world.images, blocked)
        render_files(world.files, picture.desired, picture.facts.paths, picture.facts.sealer)
        self._validate(picture, owner)
        world.clock.sleep(0)
        if newer := self._newer_waits(target.revision):
            return account.result("superseded", 0, f"{newer[:7]} is newer and waits for its turn")
        account.touched = True
        world.adoptions.remember(remembered(world.adoptions.known(), plan, picture.observed))
        world.progress.phase("check out", f"{target.revision[:7]} into {picture.desired.checkout}")
        promise_restarts(Exchange(world.engine, world.ledger, world.clock, self._request.run), picture)
        account.checkout = world.repository.checkout(
            target.revision, picture.desired.checkout, self._request.run, picture.alone
        )
        if failures := self._apply(picture, owner, migrating):
            failed = Failed(world, self._rules, self._gather, self._tools.waiting, account, self._told)
            return failed.result(picture, owner, failures)
        tidy(world.engine, world.ledger, self._listed(owner), plan, owner)
        world.adoptions.remember(renewed(world.adoptions.known(), plan))
        summary = self._told.summary(plan, account.migrated)
        summary = f"{self._request.reason}: {summary}" if self._request.reason else summary
        if not _moves(plan, migrating):
            return self._still_well(picture, target, owner, "succeeded", _IGNORED if _ignored(picture) else summary)
        return self._verified(picture, target, "succeeded", summary)

    def _validate(self, picture: Picture, owner: str) -> None:
        if any(step.validate for step in picture.plan.steps):
            from reconciler.convergence.validate import Validate

            Validate(self._world, self._request.run, owner).run(picture)

    def _newer_waits(self, revision: str) -> str:
        """A deploy steps aside for a newer one, as long as nothing was touched (I12)."""
        if self._request.command != "deploy":
            return ""
        repository = self._world.repository
        waiting = (sha for sha in self._world.deploys.waiting() if sha != revision and repository.has(sha))
        return next((sha for sha in waiting if repository.is_descendant(sha, revision)), "")

    def _apply(self, picture: Picture, owner: str, migrating: Due | None) -> Failures:
        """Apply and verify; what failed, by slot."""
        plan, isolate = picture.plan, not self._account.base or self._account.base == picture.desired.revision
        self._world.progress.phase("apply", self._told.summary(plan, ()))
        try:
            existing = serving(picture.observed, owner)
            apply = Apply(self._tools, plan, picture.wants, existing, owner, self._request.run, isolate=isolate)
            applied = apply.run(migrating)
        except ReconcilerError as error:
            return {EVERYTHING: error}
        finally:
            self._account.migrated += migrating.done if migrating else ()
        if applied.failures and not isolate:
            return applied.failures
        watched = f"{count(len(applied.touched), 'container')} for {self._rules.window:g} s"
        self._world.progress.phase("verify", watched if applied.touched else "no container was touched")
        failures = applied.failures | self._tools.waiting.watch(applied.touched, self._rules.window)
        if (failures and not isolate) or not _moves(plan, migrating):
            return failures
        chosen = probed(picture, self._account.base, self._rules.site.target) - {slot.stack for slot in failures}
        return failures | self._verify(picture, owner).run(chosen)

    def _verify(self, picture: Picture, owner: str) -> Verify:
        return Verify(
            self._world,
            self._rules.policy,
            picture.desired,
            picture.wants,
            lambda: serving(self._listed(owner), owner),
        )

    def _still_well(self, picture: Picture, target: Target, owner: str, outcome: Outcome, reason: str) -> Result:
        """Nothing was to be done, so what fails now is not the fault of this pass: it is told, and what runs stays."""
        known = target.revision == self._account.base
        chosen = in_view(picture, self._rules.site.target)
        failures = self._verify(picture, owner).run(chosen, once=known)
        if not failures:
            return self._verified(picture, target, outcome, reason)
        error = gravest(failures)
        error.unchanged = error.unchanged or "everything that runs, and nothing is blocked"
        words = "; ".join(dict.fromkeys(failure.what for failure in failures.values()))
        what = "the verified revision is sick" if known else "not verified"
        return self._account.result("failed", error.exit_code, f"{what}: {words}", error, phase="verify")

    def _verified(self, picture: Picture, target: Target, outcome: Outcome, reason: str) -> Result:
        """The stamp moves only for a whole pass over the revision's own manifests, with nothing left out of it."""
        account, signals = self._account, self._world.signals
        whole = not self._rules.site.target.partition("/")[2]
        if whole and picture.complete and target.revision != signals.stamp():
            for blocked in signals.blocked():
                if self._world.repository.is_descendant(target.revision, blocked):
                    signals.clear(blocked)
                    account.cleared.append(blocked)
            self._world.ledger.step(self._told.verified(self._request.run, target.revision, self._world.clock.now()))
            signals.write_stamp(target.revision)
        return account.result(outcome, 0, reason)


def _ignored(picture: Picture) -> bool:
    """Whether nothing but `ignore`d paths lies between what was verified and this revision."""
    return picture.changes is not None and not picture.changes.any_deploy


def _moves(plan: Plan, migrating: Due | None) -> bool:
    """Whether a pass does anything that could make a service sick."""
    return bool(plan.steps or plan.unverified or migrating)

"""A turn at the pass lock for who waits for it: deploy, rollback, accept."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from reconciler.adapters.deploys import WaitingDeploys
from reconciler.adapters.lock import Holder, PassLock
from reconciler.cli.passes import full_pass
from reconciler.convergence.world import Interrupted, Request
from reconciler.core.revisions import before, named, verified
from reconciler.errors import Busy, Terminal
from reconciler.model.gate import GateAnswer
from reconciler.model.result import Result
from reconciler.model.settings import Settings
from reconciler.ports import Progress
from reconciler.wiring import make_world, new_run
from reconciler.wiring.clock import SystemClock, stopping_politely

T = TypeVar("T")
_POLL, _ASK_CI = 0.5, 15.0
_FAR = 500
_REMEMBERED = 10_000
"""How many runs the ledger is asked for: one an hour for more than a year."""


class Turn(AbstractContextManager["Turn"]):
    """`patience`: seconds to wait for the lock at most, each time. Signals end a wait at once."""

    def __init__(
        self, settings: Settings, showing: AbstractContextManager[Progress], why: str, patience: float
    ) -> None:
        self._settings, self._showing, self._why, self._patience = settings, showing, why, patience
        self._clock, self._lock = SystemClock(), PassLock(settings.state.directory)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._progress = self._stack.enter_context(self._showing)
        self._stack.enter_context(stopping_politely(self._clock))
        self._world = make_world(self._settings, self._clock, self._progress, closing=self._stack)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if kind is Interrupted:
            raise KeyboardInterrupt from None

    def revision(self, text: str) -> str:
        """The commit that is meant; the head of the branch when none is named. The branch is fetched."""
        head = self._fetched()
        return named(text, self._world.repository.first_parents(head, most=_FAR)) if text else head

    def earlier(self, text: str) -> str:
        """The commit to go back to, from what is known here already. Terminal when it is none."""
        world = self._world
        base = world.signals.stamp() or world.ledger.verified() or ""
        runs, repository = world.ledger.runs(_REMEMBERED), world.repository
        known = verified(runs)

        def earlier(sha: str) -> bool:  # on a branch that was rewritten, what was verified before is not above it
            if not base or sha == base or not repository.has(sha):
                return False
            above = repository.is_descendant(base, sha)
            return above or (sha in known and not repository.is_descendant(sha, base))

        if not text:
            blocked = world.signals.blocked()
            return before(known, base, lambda sha: earlier(sha) and sha not in blocked)
        sha = named(text, {*(run.revision for run in runs), *self._chain(base)})
        if not earlier(sha):
            raise Terminal(
                "E-ROLLBACK",
                f"{sha[:7]} is not earlier than {base[:7] or 'what runs'}",
                why="a rollback goes back to a commit that what runs descends from, or that was verified before it",
                next="reconciler history",
            )
        return sha

    def accept(self, text: str) -> str:
        """From there on a rewritten branch is followed; the commit. Terminal when the branch does not hold it."""
        head = self._fetched()
        sha = named(text, self._world.repository.first_parents(head, most=_FAR))
        if not self._world.repository.has(sha) or not self._world.repository.is_descendant(head, sha):
            raise Terminal(
                "E-DEPLOY-BRANCH",
                f"{sha[:7]} is not on the branch, whose head is {head[:7]}",
                why="only what the branch holds is ever followed",
                next=f"reconciler accept {head}",
            )
        self._held(lambda: self._world.signals.accept(sha))
        return sha

    def announced(self, sha: str, run: str) -> AbstractContextManager[None]:
        """As long as this lasts, older deploys step aside."""
        return WaitingDeploys(Path(self._settings.state.directory)).waiting_for(sha, run)

    def wait_for_ci(self, sha: str, patience: float) -> GateAnswer:
        """Ask until CI has said yes or no, or the time is over; without the lock, so that passes go on meanwhile."""
        until, told = self._clock.now() + patience, ""
        while True:
            base = self._world.signals.stamp()
            answer = self._world.gate.judge(sha, base)
            overtaken = base and base != sha and self._world.repository.is_descendant(base, sha)
            if answer.open or answer.state == "failed" or overtaken or self._clock.now() >= until:
                return answer
            if told != (told := f"waiting for CI of {sha[:7]}: {answer.state}: {answer.reason}"):
                self._progress.say(told)
            self._clock.sleep(min(max(_ASK_CI, answer.again - self._clock.now()), max(0.0, until - self._clock.now())))

    def take(self, request: Request) -> Result:
        """One pass under the lock."""
        return self._held(lambda: full_pass(self._settings, self._clock, self._progress, request))

    def _fetched(self) -> str:
        return self._held(lambda: self._world.repository.fetch(new_run()))

    def _chain(self, base: str) -> tuple[str, ...]:
        return self._world.repository.first_parents(base, most=_FAR) if base else ()

    def _held(self, work: Callable[[], T]) -> T:
        """Under the lock, waited for. Busy when it is not free in time."""
        until, told = self._clock.now() + self._patience, False
        while True:
            try:
                holder = Holder(os.getpid(), self._clock.now(), self._why)
                return self._lock.hold(holder, work, self._settings.inbox.trigger)
            except Busy as busy:
                if self._clock.now() >= until:
                    raise
                if not told:
                    self._progress.say(f"{busy.what}; waiting for it to end")
                told = True
                self._clock.sleep(_POLL)

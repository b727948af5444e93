"""The door to a pass: one at a time, and once more for who asked meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from reconciler.adapters.lock import Holder, PassLock
from reconciler.cli.actor import actor
from reconciler.convergence.converge import Pass
from reconciler.convergence.world import Request
from reconciler.model.plan import Plan
from reconciler.model.result import Result
from reconciler.ports import Clock, Progress
from reconciler.quick import look as quick
from reconciler.settings import Settings
from reconciler.wiring import make_rules, make_world, new_run


def take_pass(
    settings: Settings, clock: Clock, progress: Progress, confirm: Callable[[Progress, Plan], bool], target: str = ""
) -> Result:
    """A full pass under its lock. Busy when another one holds it; then that one goes once more."""
    door = Door(settings, clock, progress, "converge")
    return door.through(partial(door.full_pass, partial(confirm, progress), target))


@dataclass(frozen=True, slots=True)
class Door:
    """`command`: the verb that the history shows."""

    settings: Settings
    clock: Clock
    progress: Progress
    command: str

    def through(self, one_pass: Callable[[], Result]) -> Result:
        """Run it under the pass lock, and once more as long as somebody asks meanwhile. Busy."""
        why = f"{self.command}, asked by {actor()}"
        lock, trigger = PassLock(self.settings.state.directory), self.settings.inbox.trigger
        return lock.take_turns(lambda: Holder(os.getpid(), self.clock.now(), why), one_pass, trigger)

    def full_pass(self, confirm: Callable[[Plan], bool], target: str = "") -> Result:
        """For the holder of the lock. When it finds nothing to do on the whole host, quick looks may follow."""
        before = None if target else quick.gather(self.settings)
        quick.forget(self.settings)
        request = Request(new_run(), self.command, actor(), confirm)
        with ExitStack() as closing:
            world = make_world(self.settings, self.clock, self.progress, closing=closing)
            result = Pass(world, make_rules(self.settings, target), request).run()
        if before and result.outcome == "unchanged" and not result.held:
            quick.remember(self.settings, before, result.revision, result.directory)
        return result

"""The door to a pass: one at a time, and once more for who asked meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from reconciler.adapters.lock import Holder, PassLock
from reconciler.cli.telling import telling
from reconciler.convergence.converge import Pass
from reconciler.convergence.world import Request
from reconciler.errors import Busy
from reconciler.model.result import Result
from reconciler.model.settings import Settings
from reconciler.ports import Clock, Progress
from reconciler.quick import look as quick
from reconciler.wiring import make_heartbeat, make_rules, make_world

T = TypeVar("T")


def take_turns(settings: Settings, clock: Clock, asked_by: str, one_pass: Callable[[], T]) -> T:
    """Run it under the pass lock, and once more as long as somebody asks meanwhile. Busy: the other goes once more."""
    lock, why = PassLock(settings.state.directory), f"converge, asked by {asked_by}"
    try:
        return lock.take_turns(lambda: Holder(os.getpid(), clock.now(), why), one_pass, settings.inbox.trigger)
    except Busy:
        make_heartbeat(settings).busy()
        raise


def full_pass(
    settings: Settings,
    clock: Clock,
    progress: Progress,
    request: Request,
    target: str = "",
) -> Result:
    """For the holder of the lock. When it finds nothing to do on the whole host, quick looks may follow.

    Not while notices wait: a quick look delivers none. Nor while nobody knows what packages there are.
    """
    before = None if target else quick.gather(settings)
    looked = quick.checked(settings)
    quick.forget(settings)
    with telling(settings, clock, progress, request, looked) as told, ExitStack() as closing:
        world = make_world(settings, clock, told.progress, closing=closing)
        result = Pass(world, make_rules(settings, target), request).run()
        told.ended(result, world)
    sets = result.packages
    known = sets is None or not sets.unknown
    if before and known and result.outcome == "unchanged" and not result.held and not told.waiting:
        asked, waits = sets is not None and not sets.unasked, sets is not None and sets.waits
        quick.remember(settings, before, result.revision, result.directory, packages=asked, waits=waits)
    return result

"""The last thing of a pass: package sets are looked at, and what lacks is handed over to be built.

Whatever comes of it, what runs is what it was, the pass ends as it would have ended, and the next one looks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.convergence.world import Interrupted, Request, World
from reconciler.errors import ReconcilerError
from reconciler.model.desired import Desired
from reconciler.model.report import VERIFYING, Outcome, StepRecord
from reconciler.model.result import Result

if TYPE_CHECKING:
    from reconciler.model.sets import PackageDrift, Packages

HANDED = "packages"
"""The action of a step by which a run says what it handed over."""

_ENDS: tuple[Outcome, ...] = (*VERIFYING, "paused", "failed", "rolled-back", "halted")
"""A pass that was stopped, not agreed to or overtaken says nothing about packages."""


def kept_built(world: World, request: Request, result: Result, desired: Desired | None, manifests: str) -> Result:
    """The result with what the binhost lacks. `desired`: what the pass went for, as far as it came."""
    if result.outcome not in _ENDS:
        return result
    try:
        wanted = _wanted(world, result, desired, manifests)
        return _kept_built(world, request, result, wanted) if wanted else result
    except (KeyboardInterrupt, Interrupted):  # how the pass ended stands
        return result
    except ReconcilerError as error:
        world.progress.say(f"package sets: {error}")
        return result


def _wanted(world: World, result: Result, desired: Desired | None, manifests: str) -> Packages | None:
    """Of the revision that is good: what failed, or waits, asks for nothing."""
    revision = result.revision if result.outcome in VERIFYING else world.signals.stamp()
    if desired and desired.revision == revision:
        return desired.packages
    if not revision or not world.repository.has(revision):
        return None
    tree = world.repository.tree(revision)
    if not tree.children(f"{manifests}/packages"):
        return None
    from reconciler.core.packages.wanted import packages_at

    return packages_at(tree, manifests, result.host)


def _kept_built(world: World, request: Request, result: Result, wanted: Packages) -> Result:
    from reconciler.convergence.packages import looking, unasked

    looks = looking(world, wanted)
    if looks is None:
        return replace(result, packages=unasked(wanted))
    world.progress.phase("packages", ", ".join(each.name for each in wanted.sets))
    drift = looks.look()
    if result.outcome == "paused":
        return replace(result, packages=drift)
    handed = looks.hand_over(drift, f"{request.actor} on {result.host}")
    if handed.lines:
        now = world.clock.now()
        world.ledger.step(StepRecord(request.run, "", "", HANDED, handed.lines, now, now, "ok"))
    return _noted(result, handed.drift, handed.count)


def _noted(result: Result, drift: PackageDrift, handed: int) -> Result:
    """What failed keeps its reason: by it a failure that goes on is known."""
    from reconciler.core.packages.wording import package_note

    note = package_note(drift, handed)
    if not note or result.outcome not in VERIFYING:
        return replace(result, packages=drift)
    done = "no container to change" if result.reason == "nothing to do" else result.reason
    return replace(result, packages=drift, reason=f"{done}; {note}")

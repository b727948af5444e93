"""A look at git and the host, for the commands that only tell."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.adapters.lock import Holder, PassLock
from reconciler.convergence.aim import Aim
from reconciler.convergence.gather import Gather, Picture
from reconciler.convergence.migrations import due_stacks
from reconciler.convergence.observe import observe
from reconciler.convergence.world import Request, Rules, World
from reconciler.core.guard import check
from reconciler.core.target import Target
from reconciler.errors import Busy, ReconcilerError, Terminal
from reconciler.model.settings import Settings

if TYPE_CHECKING:
    from reconciler.model.sets import PackageDrift, Packages


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen; `warnings` hold what the guard would say to a pass, `migrations` those that would go with it.

    `packages`: what the binhost lacks of the host's package sets; None where there are none.
    """

    target: Target
    picture: Picture
    warnings: tuple[str, ...]
    migrations: tuple[str, ...] = ()
    packages: PackageDrift | None = None


def fetched(world: World, settings: Settings) -> str:
    """The head of the branch, fetched under the pass lock and no longer; "" while a pass has it."""
    holder = Holder(os.getpid(), world.clock.now(), "a fetch, to look only")
    lock = PassLock(settings.state.directory)
    try:
        return lock.hold(holder, lambda: world.repository.fetch("look"), settings.inbox.trigger)
    except Busy:
        return ""


def last_seen(world: World) -> str:
    """The revision that the latest pass went for. Terminal when none came as far as that."""
    for run in world.ledger.runs(20):
        if run.revision and world.repository.has(run.revision):
            return run.revision
    if (stamp := world.signals.stamp()) and world.repository.has(stamp):
        return stamp
    raise Terminal(
        "E-NO-REVISION",
        "no pass has fetched anything yet",
        why="there is nothing to compare with",
        next="reconciler converge",
    )


def look(world: World, rules: Rules, head: str) -> Seen:
    """Desired at the head of the branch, or at what is followed instead, beside what runs."""
    base = world.signals.stamp() or world.ledger.verified() or ""
    gather = Gather(rules.site, rules.policy, world)
    target = Aim(world, gather, Request("look", "converge", ""), base).choose(head)
    revision = target.revision or head  # what would be done once its gate lets it pass
    owner = world.identity.owner(revision)
    observed = observe(world.engine, world.adoptions, rules.site.host, owner)
    blocked = world.signals.blocked()
    is_head = target.is_head or revision == head
    picture = gather.picture(revision, base, owner, observed, blocked, is_head=is_head)
    warnings: tuple[str, ...] = ()
    try:
        check(
            picture.desired,
            picture.wants,
            picture.observed,
            picture.plan,
            rules.policy,
            picture.ground,
        )
    except ReconcilerError as error:
        warnings = (f"a pass would refuse this: {error}",)
    stacks = due_stacks(world, picture, base, rules.site.target)
    migrations = tuple(f"{stack.name}: {migration.name}" for stack in stacks for migration in stack.migrations)
    whole = not rules.site.target.partition("/")[2]
    packages = _packages(world, picture.desired.packages) if whole else None
    return Seen(target, picture, warnings + picture.warnings, migrations, packages)


def _packages(world: World, wanted: Packages | None) -> PackageDrift | None:
    if wanted is None or not wanted.sets:
        return None
    from reconciler.convergence.packages import looking, unasked

    looks = looking(world, wanted)
    return looks.look() if looks else unasked(wanted)

"""A look at git and the host, for the commands that only tell."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.convergence.converge import Rules, World
from reconciler.convergence.gather import Gather, Picture
from reconciler.core.guard import check
from reconciler.core.target import Target, check_ancestry, choose_target
from reconciler.errors import ReconcilerError, Terminal


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen. `refusal` is what the guard would say to a pass."""

    target: Target
    picture: Picture
    refusal: ReconcilerError | None
    warnings: tuple[str, ...]


def look(world: World, rules: Rules, *, fetch: bool) -> Seen:
    """Desired at the head (or at the last one that a pass saw) beside what runs."""
    base = world.signals.stamp() or world.ledger.verified() or ""
    warnings: tuple[str, ...] = ()
    if fetch:
        head = world.repository.fetch("look")
    else:
        head = _last_seen(world, base)
        warnings = ("a pass is running; this is as of the revision it goes for, without a fetch",)
    if base:
        check_ancestry(head, base, descends=world.repository.is_descendant(head, base))
    target = choose_target(head, base, world.signals.blocked())
    owner = world.identity.owner(target.revision)
    observed = world.engine.observe(rules.site.host, owner)
    gather = Gather(rules.site, world.repository, world.files, world.signals, world.ledger)
    picture = gather.picture(target.revision, base, owner, observed)
    refusal: ReconcilerError | None = None
    try:
        check(picture.desired, picture.wants, observed, picture.plan, rules.policy)
    except ReconcilerError as error:
        refusal = error
        warnings += (f"a pass would refuse this: {error}",)
    return Seen(target, picture, refusal, warnings + picture.warnings)


def _last_seen(world: World, base: str) -> str:
    for run in world.ledger.runs(5):
        if run.revision and world.repository.has(run.revision):
            return run.revision
    if base:
        return base
    raise Terminal("E-NO-REVISION", "no pass has fetched anything yet", next="reconciler converge")

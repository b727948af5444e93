"""The migrations that go with a revision: whose, what has to be up before them, and how they went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.convergence.gather import Picture
from reconciler.convergence.migrate import Migrate, Pattern
from reconciler.convergence.world import World
from reconciler.core.migrations import chosen, needed
from reconciler.model.desired import Stack
from reconciler.model.observed import Slot
from reconciler.model.report import VERIFYING
from reconciler.model.result import Migrated
from reconciler.ports import Ledger

_BACK = 50
"""How many runs the ledger is asked for. What is older than that is run again: by contract that is safe."""


class Due:
    """Of one pass. `done`: those that were run, in their order, the one that failed last."""

    def __init__(self, picture: Picture, stacks: tuple[Stack, ...], migrate: Migrate) -> None:
        self.stacks = stacks
        self._picture, self._migrate = picture, migrate

    @property
    def done(self) -> tuple[Migrated, ...]:
        return tuple(self._migrate.done)

    def needs(self, slots: Iterable[Slot]) -> list[Slot]:
        """Which of these must be up and healthy before the first migration."""
        needed_ = {slot for stack in self.stacks for slot in needed(stack, self._picture.wants)}
        return [slot for slot in slots if slot in needed_]

    def run(self, stack: Stack, patterns: Mapping[str, Pattern]) -> None:
        """All of one stack; `patterns`: by service. Raises Failed, Transient."""
        self._migrate.run(stack, patterns, self._picture.desired.checkout)


def due(world: World, picture: Picture, base: str, target: str, run: str, owner: str) -> Due | None:
    """Those that go with this pass; None when there are none."""
    stacks = due_stacks(world, picture, base, target)
    return Due(picture, stacks, Migrate(world, world.shell, run, owner, "deploy")) if stacks else None


def due_stacks(world: World, picture: Picture, base: str, target: str) -> tuple[Stack, ...]:
    """The stacks whose migrations go with the way from `base`: for every new revision, unless all changes are ignored.

    What a pass did at this revision is done, though it moved no stamp because a stack is paused, or out of its target.
    """
    ignored = picture.changes is not None and not picture.changes.any_deploy
    if ignored or picture.desired.revision == base:
        return ()
    stacks = chosen(picture.desired, target) if target else picture.desired.stacks
    stacks = tuple(s for s in stacks if s.migrations and not world.signals.paused(s.name, alone=True))
    done = _done_already(world.ledger, picture.desired.revision) if stacks else set()
    return tuple(s for s in stacks if not done.issuperset((s.name, m.name) for m in s.migrations))


def _done_already(ledger: Ledger, revision: str) -> set[tuple[str, str]]:
    """Stack and name of each migration that went well since the host was last at another revision."""
    done: set[tuple[str, str]] = set()
    for run in ledger.runs(_BACK):
        if run.revision in ("", revision) and run.outcome in VERIFYING:
            steps = ledger.run(run.id)[1] if run.revision else ()
            done |= {(step.stack, step.reasons[0]) for step in steps if step.action == "migrate"}
        elif not run.told_nothing:
            break
    return done

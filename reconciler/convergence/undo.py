"""The way back of a pass that failed: the block first, durably; then the files, the networks, the old containers.

There is one way back, never a second. Between two verified revisions everything goes back; on a first deploy, or when
drift was to be healed, only what failed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from reconciler.convergence.aim import Aim
from reconciler.convergence.exchange import REFRESH, grace
from reconciler.convergence.gather import Gather, Picture
from reconciler.convergence.networks import restore_networks
from reconciler.convergence.observe import observe
from reconciler.convergence.put_back import clear_places, put_back
from reconciler.convergence.renew import tell_again
from reconciler.convergence.tidy import tidy
from reconciler.convergence.wait import EVERYTHING, Failures, gravest
from reconciler.convergence.world import World
from reconciler.core.adoption import renewed
from reconciler.core.drift import images_at_fault
from reconciler.core.order import entangled
from reconciler.core.scope import narrowed
from reconciler.errors import ReconcilerError, Transient, Unreachable
from reconciler.model.observed import Observed, Slot
from reconciler.model.plan import Action, Plan
from reconciler.model.report import Block, Intent
from reconciler.ports import ContainerEngine


class Undo:
    """What one run did is taken back. `base`: the revision verified last, "" when there is none.

    `images`: slot -> reference of what was at fault itself, because its tag had moved to an image that fails.
    """

    def __init__(self, world: World, gather: Gather, host: str, run: str, base: str) -> None:
        self._world, self._gather, self._host, self._run, self._base = world, gather, host, run, base
        self.images: dict[Slot, str] = {}

    def everything(self, picture: Picture, owner: str, failures: Failures, aim: Aim) -> list[str]:
        """Back to the base revision; the names of the containers that serve again.

        The revision is blocked, unless nothing failed but images whose tags had moved: then they are.
        """
        world, error = self._world, gravest(failures)
        world.progress.phase("undo", error.what)
        unblocked = self._blocked(picture, owner, aim, failures)
        trouble = self._files_back(picture) or unblocked
        discard_made(world.engine, picture.plan, picture.observed, self._observe(owner), (), created=True)
        observed = self._observe(owner)
        intents = self._promises(observed, ())
        clear_places(world.engine, intents, observed)
        self._restore_networks(self._observe(owner), owner)
        put_back(world.engine, world.ledger, intents, self._observe(owner))
        if trouble:
            raise trouble
        tell_again(world.engine, world.ledger, world.progress, picture.plan)
        return [intent.name for intent in intents]

    def failing(self, picture: Picture, owner: str, failures: Failures) -> list[str]:
        """Only the stacks that failed go back, and all that cannot go without them; what is sound is tidied."""
        world, error = self._world, gravest(failures)
        world.progress.phase("undo", error.what)
        failed = entangled({slot.stack for slot in failures}, picture.wants)
        stacks = set() if EVERYTHING in failures else failed
        now = self._observe(owner)
        for block in self._image_blocks(picture, now, failures):
            world.signals.block(block)
        discard_made(world.engine, picture.plan, picture.observed, now, stacks, created=False)
        observed = self._observe(owner)
        intents = self._promises(observed, stacks)
        put_back(world.engine, world.ledger, intents, observed)
        sound = narrowed(picture.plan, "", sorted(failed), picture.wants)
        tidy(world.engine, world.ledger, self._observe(owner), sound, owner)
        world.adoptions.remember(renewed(world.adoptions.known(), sound))
        return [intent.name for intent in intents]

    def _observe(self, owner: str) -> Observed:
        return observe(self._world.engine, self._world.adoptions, self._host, owner)

    def _blocked(self, picture: Picture, owner: str, aim: Aim, failures: Failures) -> ReconcilerError | None:
        """First of all, and durably; where even that cannot be written, the old containers must serve all the same."""
        error = gravest(failures)
        if isinstance(error, Transient):
            return None
        try:
            blocks = self._image_blocks(picture, self._observe(owner), failures)
        except ReconcilerError:  # then nobody can tell an image from its revision
            blocks = []
        if self.images.keys() != failures.keys():
            blocks = [aim.block(picture.desired.revision, error.what)]
        try:
            for block in blocks:
                self._world.signals.block(block)
        except ReconcilerError as trouble:
            return trouble
        return None

    def _image_blocks(self, picture: Picture, now: Observed, failures: Failures) -> list[Block]:
        """For images that failed though nothing else about their services changed; `images` tells whose."""
        found = images_at_fault(picture.plan, picture.wants, picture.observed, now, failures)
        self.images = {slot: picture.wants[slot].spec.image for slot in found}
        named = ((slot, digest) for slot, digests in found.items() for digest in digests)
        return [Block(f"image-{digest}", failures[slot].what, self._run) for slot, digest in named]

    def _files_back(self, picture: Picture) -> ReconcilerError | None:
        """The files of the base revision; a full disk must not keep the old containers from serving again."""
        try:
            self._world.repository.checkout(self._base, picture.desired.checkout, self._run, picture.alone)
        except ReconcilerError as error:
            return error
        return None

    def _restore_networks(self, observed: Observed, owner: str) -> None:
        """As far as it goes: what does not start without its network is told by the undo itself."""
        try:
            before = self._gather.desired(self._base, owner)[1]
            restore_networks(self._world.engine, before.stacks, observed, owner)
        except Unreachable:
            raise
        except ReconcilerError as error:
            self._world.progress.say(error.what)

    def _promises(self, observed: Observed, stacks: Collection[str]) -> Sequence[Intent]:
        """Open promises about containers that were replaced; of some stacks, or of all when none is named."""
        stack_of = {c.id: c.stack for c in observed.containers}
        intents = (intent for intent in self._world.ledger.open_intents() if intent.kind != REFRESH)
        return tuple(i for i in intents if not stacks or stack_of.get(i.container) in stacks)


def discard_made(
    engine: ContainerEngine, plan: Plan, before: Observed, now: Observed, stacks: Collection[str], *, created: bool
) -> None:
    """Containers of `plan` that were not there `before`, of some stacks or of all when none is named.

    A replacement may have another name than the old one, so names alone do not find them. With `created` False new
    services that came into service stay: there is nothing that they took the place of.
    """
    known = {container.id for container in before.containers}
    actions = {step.slot: step.action for step in plan.steps if step.starts_new and step.spec}
    for container in now.containers:
        if container.id in known or container.slot not in actions or (stacks and container.stack not in stacks):
            continue
        if created or container.role == "new" or actions[container.slot] is not Action.CREATE:
            if container.running:
                engine.stop(container.id, grace(container))
            engine.remove(container.id)

"""Desired and Observed side by side, with the plan that leads from one to the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from reconciler.convergence.exchange import REFRESH
from reconciler.convergence.registries import Registries
from reconciler.core import guard, moved_data
from reconciler.core.adoption import is_new, newcomers, welcomed
from reconciler.core.assemble import HostSide, assemble, objects
from reconciler.core.changes import Side, describe
from reconciler.core.container import HostPaths
from reconciler.core.fingerprint import Sealer, external_secrets, repository_paths
from reconciler.core.guard import Ground, Policy
from reconciler.core.order import check_order
from reconciler.core.planner import plan
from reconciler.core.renewal import Renewal, may_stay, renewal, same_kinds
from reconciler.core.scope import left_alone, narrowed
from reconciler.core.wanted import HostFacts, Want, print_with, wants
from reconciler.errors import ReconcilerError, Unreachable
from reconciler.model.changes import Changes
from reconciler.model.desired import Desired
from reconciler.model.observed import Observed, Slot
from reconciler.model.plan import Plan
from reconciler.model.repository import Change, LeftAlone
from reconciler.ports import Clock, ContainerEngine, HostFiles, Images, Ledger, Repository, Signals, Tree

_COMMITS = 50
"""As many subjects as a person may want to read."""


@dataclass(frozen=True, slots=True)
class Site:
    """The host as this pass sees it: its name, where the manifests lie, its folders, and who the fleet is.

    `target` narrows the pass to `host`, `host/stack` or `host/stack/service`; "" is all. `ask_registries`: seconds
    between two questions about a moved tag; 0: never.
    """

    host: str
    manifests: str
    rendered: str
    secrets: str
    home: str = "/root"
    target: str = ""
    ask_registries: float = 0.0


@dataclass(frozen=True, slots=True)
class Picture:
    """All that deciding needs, and the decision. `drifted`: tracked files that differ in the working tree, without
    those that are `held`: what this pass leaves alone has them mounted (`alone`).

    `whole`: the plan before it was narrowed to a target and to what is not paused; `ground` is for the guard.
    `changes`: from the base to the desired revision; None when it is the same, or the base is unknown.
    """

    tree: Tree
    desired: Desired
    observed: Observed
    wants: Mapping[Slot, Want]
    facts: HostFacts
    plan: Plan
    drifted: tuple[str, ...]
    warnings: tuple[str, ...]
    whole: Plan
    ground: Ground
    changes: Changes | None = None
    alone: LeftAlone = LeftAlone()
    held: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing that the host needs was left out of the plan."""
        return (self.plan.steps, self.plan.networks, self.plan.unverified) == (
            self.whole.steps,
            self.whole.networks,
            self.whole.unverified,
        )


class Readable(Protocol):
    """What gathering reads from."""

    @property
    def repository(self) -> Repository: ...
    @property
    def engine(self) -> ContainerEngine: ...
    @property
    def files(self) -> HostFiles: ...
    @property
    def signals(self) -> Signals: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def images(self) -> Images: ...
    @property
    def clock(self) -> Clock: ...


class Gather:
    """Reads; changes nothing but what is remembered of registries."""

    def __init__(self, site: Site, policy: Policy, world: Readable) -> None:
        self._site, self._policy, self._repository, self._ledger = site, policy, world.repository, world.ledger
        self._files, self._signals, self._engine = world.files, world.signals, world.engine
        self._registries = Registries(world.engine, world.images, world.clock, site.ask_registries)

    def desired(self, revision: str, owner: str, called: str = "") -> tuple[Tree, Desired, HostFacts, tuple[str, ...]]:
        """The manifests of one revision. Raises BadConfiguration for the first thing that is wrong.

        `called`: what RECONCILER_SHA says instead, to compare what revisions want whatever they are called.
        """
        tree = self._repository.tree(revision)
        side = HostSide(self._site.host, self._files.environment, self._files.environment_folder, self._site.home)
        assembled = assemble(tree, self._site.manifests, side, revision=called or revision, owner=owner).or_raise()
        sealer = Sealer(self._files.key())
        paths = HostPaths(assembled.desired.checkout, self._site.rendered, self._site.secrets)
        facts = HostFacts(paths, sealer, assembled.builds, self._sealed_secrets(assembled.desired, sealer))
        return tree, assembled.desired, facts, assembled.warnings

    def picture(
        self,
        revision: str,
        base: str,
        owner: str,
        observed: Observed,
        blocked: Collection[str] = (),
        *,
        is_head: bool = False,
    ) -> Picture:
        """Desired at `revision` against `observed`, explained from `base`, the revision verified last.

        `blocked`: names of what may not be deployed; of images, for revisions were chosen before. `is_head`: the
        revision is known to be the head of the branch.
        """
        tree, desired, facts, warnings = self.desired(revision, owner)
        wanted = wants(desired, facts)
        check_order(wanted)
        observed = self._welcomed(observed, wanted, desired, blocked)
        real = {path: self._files.real(path) for path in guard.paths(desired, self._policy)}
        drifted = self._drift(desired, real)
        changed = self._changed(base, revision, observed, wanted)
        paths = {sha: tuple(change.path for change in found) for sha, found in changed.items()}
        renewals = dict(self._renewals(desired, wanted, facts, observed, changed))
        stale = {intent.container for intent in self._ledger.open_intents() if intent.kind == REFRESH}
        whole = plan(
            desired,
            wanted,
            observed,
            base=base,
            changes=paths,
            drifted=drifted,
            stale=stale,
            blocked=blocked,
            renewals=renewals,
            moved=self._registries.moved(wanted, observed),
            is_head=is_head,
        )
        paused = tuple(stack for stack in _stacks(desired, observed, owner) if self._signals.paused(stack, alone=True))
        chosen = narrowed(whole, self._site.target, paused, wanted)
        alone = left_alone(whole, chosen, wanted, desired.checkout)
        held = tuple(path for path in drifted if path in alone)
        drifted = tuple(path for path in drifted if path not in alone)
        ground = Ground(real, self._holding(desired, chosen, wanted))
        told = None if base in ("", revision) else self._told(base, changed.get(base), Side(desired, wanted))
        return Picture(
            tree, desired, observed, wanted, facts, chosen, drifted, warnings, whole, ground, told, alone, held
        )

    def _welcomed(
        self, observed: Observed, wanted: Mapping[Slot, Want], desired: Desired, blocked: Collection[str]
    ) -> Observed:
        """The host with what Compose started for our stacks as ours; only for that the engine is asked again."""
        new = newcomers(observed, wanted, desired.owner).values()
        put_back = (c for c in observed.containers if is_new(c))  # to be replaced once, and it serves again
        images = {c.image_id for c in (*new, *put_back)}
        configs = self._engine.image_configs(images) if images else {}
        return welcomed(observed, wanted, desired, configs, blocked)

    def _holding(self, desired: Desired, plan: Plan, wanted: Mapping[Slot, Want]) -> frozenset[str]:
        moved = moved_data.moves(desired, plan, wanted)
        return frozenset(p for m in moved for p in (m.old, m.new) if self._files.holds_data(p))

    def _drift(self, desired: Desired, real: Mapping[str, str]) -> tuple[str, ...]:
        """Nothing is read below a check-out that the guard will refuse."""
        if any(guard.checkout_refusals(desired, self._policy, real)):
            return ()
        return self._repository.checkout_drift(desired.revision, desired.checkout)

    def _changed(
        self, base: str, revision: str, observed: Observed, wanted: Mapping[Slot, Want]
    ) -> dict[str, tuple[Change, ...]]:
        """What changed since the revisions at which containers that no longer fit were made, and since the base."""
        prints = {slot: want.spec.fingerprint for slot, want in wanted.items()}
        since = {c.revision for c in observed.containers if c.slot in prints and prints[c.slot] != c.fingerprint}
        known = [sha for sha in since | {base} if sha and self._repository.has(sha)]
        return {sha: self._repository.changes(sha, revision) for sha in known}

    def _renewals(
        self,
        desired: Desired,
        wanted: Mapping[Slot, Want],
        facts: HostFacts,
        observed: Observed,
        changed: Mapping[str, tuple[Change, ...]],
    ) -> Iterator[tuple[str, Renewal]]:
        """Containers of which nothing differs but files that they mount, and that may stay for it."""
        now = dict(desired.objects)
        for container in observed.containers:
            want, since = wanted.get(container.slot), changed.get(container.revision)
            ours = container.owner == desired.owner and container.role == "current"
            if not (ours and want and want.service.on_change and since) or want.job or not may_stay(container):
                continue
            then = dict(objects(self._repository.tree(container.revision), [want.stack]))
            watched = repository_paths(want.service, want.stack)
            if not same_kinds(watched, then, now) or print_with(desired, want, facts, then) != container.fingerprint:
                continue
            paths = [path for change in since for path in (change.path, change.old_path) if path]
            files = {path for path in watched if not now.get(path, "").startswith("directory:")}
            if found := renewal(want, paths, files, desired.revision):
                yield container.id, found

    def _told(self, base: str, changed: tuple[Change, ...] | None, new: Side) -> Changes | None:
        """What lies between the base and the new side; the older manifests are loaded only when they have to be."""

        def old() -> Side | None:
            try:
                _, desired, facts, _ = self.desired(base, new.desired.owner)
            except Unreachable:
                raise
            except ReconcilerError:  # an older version of us may have read them
                return None
            return Side(desired, wants(desired, facts))

        if changed is None:
            return None
        commits, more = self._repository.log(base, new.desired.revision, _COMMITS)
        return replace(describe(changed, new, old), commits=commits, more=more)

    def _sealed_secrets(self, desired: Desired, sealer: Sealer) -> dict[str, str]:
        """Every external secret that is granted; a missing one is found here, before anything is touched."""
        names = {
            name for stack in desired.stacks for service in stack.services for name in external_secrets(service, stack)
        }
        return {name: sealer.seal(self._files.secret(name)) for name in sorted(names)}


def _stacks(desired: Desired, observed: Observed, owner: str) -> list[str]:
    running = {c.stack for c in observed.containers if c.owner == owner}
    return sorted({stack.name for stack in desired.stacks} | running)

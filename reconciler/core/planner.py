"""Desired x Observed -> Plan. Pure: the same values always give the same plan, and nothing is touched.

A container whose fingerprint equals the wanted one is left alone, whatever git says; everything else gets
a step with the reasons a person needs to agree or to object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core import drift
from reconciler.core.adoption import is_new, unlike, unlike_network
from reconciler.core.blocked_images import block_of, sound
from reconciler.core.differences import differences
from reconciler.core.drift import Seen
from reconciler.core.findings import findings
from reconciler.core.fingerprint import VERSION, repository_paths, version_of
from reconciler.core.following import follow, in_place
from reconciler.core.linked import relinked
from reconciler.core.overlap import overlaps
from reconciler.core.renewal import Renewal, to_validate
from reconciler.core.wanted import Want
from reconciler.model import labels
from reconciler.model.desired import Desired, Network, Stack
from reconciler.model.observed import Container, Observed, ObservedNetwork, Slot
from reconciler.model.plan import Action, ImageNeed, NetworkStep, Plan, Satisfied, Step, VolumeStep

Changes = Mapping[str, tuple[str, ...]]
"""Revision that a container was made at -> the paths that changed from there to the target."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What git knows about why things differ."""

    revision: str
    base: str
    changes: Changes

    def absence(self, stack: Stack) -> str:
        known = self.base and stack.file not in self.changes.get(self.base, (stack.file,))
        return "container missing" if known else "new"

    def files(self, want: Want, since: str) -> Iterator[str]:
        """The changed paths that the service mounts, is granted or builds from."""
        watched = list(repository_paths(want.service, want.stack))
        if want.service.build:
            watched.append(want.service.build.context)
        for path in self.changes.get(since, ()):
            if any(not w or path == w or path.startswith(f"{w}/") for w in watched):
                yield f"{path.removeprefix(f'{want.stack.directory}/')} changed in {self.revision[:7]}"


def plan(
    desired: Desired,
    wants: Mapping[Slot, Want],
    observed: Observed,
    *,
    base: str = "",
    changes: Changes | None = None,
    drifted: Sequence[str] = (),
    stale: Collection[str] = (),
    blocked: Collection[str] = (),
    renewals: Mapping[str, Renewal] | None = None,
    moved: Mapping[str, str] | None = None,
    is_head: bool = True,
) -> Plan:
    """What brings the host from `observed` to `desired`; an empty plan means there is nothing to do.

    `drifted`: tracked files that somebody changed in the working tree and that are about to be put back;
    `stale`: ids of containers that an earlier pass promised to restart, and did not;
    `blocked`: names of blocks, of which `image-<digest>` keeps a moved tag from being followed;
    `renewals`: by container that no longer fits, how it may stay all the same; `moved`: reference -> digest of what its
    registry has by now; `is_head`: what `desired` lacks is gone from git, for there is nothing newer.
    """
    ours = [c for c in observed.containers if c.owner == desired.owner]
    current, surplus = _by_slot(c for c in ours if c.role == "current")
    networks = tuple(_networks(desired, observed))
    remade = {step.network.name for step in networks if step.network and step.current}
    explain = Explanation(desired.revision, base, changes or {})
    seen = Seen(observed, frozenset(blocked), renewals or {}, moved or {})
    decided = {slot: _decide(want, current.get(slot), seen, remade, explain) for slot, want in wants.items()}
    for slot, reason in _stale(wants, current, drifted, stale):
        before = decided[slot]
        if before is None or before.action is Action.UPDATE:
            decided[slot] = in_place(wants[slot], Action.RESTART, (reason,), current[slot], observed.lacks)
    follow(decided, wants, current, observed)
    decided = {slot: step and _validated(step, wants[slot], explain) for slot, step in decided.items()}
    gone = [c for slot, c in current.items() if slot not in wants] + surplus
    steps = [step for step in decided.values() if step] + [_removal(c, desired, is_head) for c in gone]
    unchanged = {slot for slot, step in decided.items() if step is None}
    return Plan(
        host=desired.host,
        revision=desired.revision,
        base=base,
        steps=tuple(steps),
        networks=networks,
        volumes=tuple(_volumes(desired, observed)),
        images=tuple(_images(wants, decided, current, seen)),
        satisfied=tuple(Satisfied(slot, current[slot], wants[slot].job) for slot in wants if slot in unchanged),
        leftovers=tuple(c for c in ours if c.role != "current"),
        findings=tuple(findings(wants, current, unchanged, seen)),
    )


def serving(observed: Observed, owner: str) -> dict[Slot, Container]:
    """The container of each slot that has one."""
    return _by_slot(c for c in observed.containers if c.owner == owner and c.role == "current")[0]


def _by_slot(containers: Iterable[Container]) -> tuple[dict[Slot, Container], list[Container]]:
    """One container a slot, a running one if there is any; the others are surplus."""
    chosen: dict[Slot, Container] = {}
    surplus: list[Container] = []
    for container in sorted(containers, key=lambda c: (not c.running, c.name)):
        if container.slot in chosen:
            surplus.append(container)
        else:
            chosen[container.slot] = container
    return chosen, surplus


def _decide(want: Want, current: Container | None, seen: Seen, remade: set[str], explain: Explanation) -> Step | None:
    if current is None:
        return _step(want, Action.CREATE, (explain.absence(want.stack),))
    if reasons := tuple(_replacement(want, current, seen, remade, explain)):
        return _step(want, Action.REPLACE, reasons, current)
    lacks = seen.observed.lacks
    renewal = seen.renewals.get(current.id)
    if reason := drift.stopped(want, current):
        return in_place(want, Action.START, (reason, *(renewal.reasons if renewal else ())), current, lacks)
    if reason := drift.sick(current):
        return in_place(want, Action.RESTART, (reason, *(renewal.reasons if renewal else ())), current, lacks)
    if renewal:
        return replace(in_place(want, renewal.action, renewal.reasons, current, lacks), rules=renewal.rules)
    if mend := drift.mend(want.spec, current, lacks):
        return in_place(want, Action.UPDATE, mend.reasons, current, lacks)
    if is_new(current):
        return _step(want, Action.ADOPT, ("started by compose, and as git wants it",), current)
    return None


def _step(want: Want, action: Action, reasons: tuple[str, ...], current: Container | None = None) -> Step:
    return Step(want.slot, action, reasons, current, want.spec, want.service)


def _replacement(want: Want, current: Container, seen: Seen, remade: set[str], explain: Explanation) -> Iterator[str]:
    """Why the container must be made anew; none: it may stay."""
    if current.name != want.spec.name and (want.service.container_name or not current.adopted):
        yield f"name {current.name} -> {want.spec.name}"
    if is_new(current):
        yield from unlike(want, current, seen.observed)
        yield from drift.limited(want.spec, current, seen.observed.lacks)
    elif current.id in seen.renewals or _fits(want, current):
        yield from drift.tampered(want.spec, current, seen.observed.lacks)
    else:
        there = seen.observed
        found = [
            *differences(want.spec, current, there.lacks, there.defaults),
            *relinked(want.spec, current),
            *explain.files(want, current.revision),
        ]
        yield from found or ["definition changed"]
    if want.build_id or want.service.image_drift == "recreate":
        yield from drift.outdated(want, current, seen)
    yield from drift.network_gone(want.spec, current, seen.observed)
    yield from (f"network {name} is made anew" for name in want.spec.endpoints if name in remade)
    if current.state == "dead":
        yield "container is dead"


def _fits(want: Want, current: Container) -> bool:
    """Equal fingerprints; one of another version says nothing."""
    return current.fingerprint == want.spec.fingerprint or version_of(current.fingerprint) != VERSION


def _validated(step: Step, want: Want, explain: Explanation) -> Step:
    """With the checks of `on_change` that must succeed before it; a new service is checked as a whole."""
    if not want.service.on_change or step.action is Action.ADOPT:
        return step
    changed = explain.changes.get(step.current.revision, None if step.starts_new else ()) if step.current else None
    return replace(step, validate=tuple(to_validate(want, changed)))


def _stale(
    wants: Mapping[Slot, Want], current: Mapping[Slot, Container], drifted: Sequence[str], stale: Collection[str]
) -> Iterator[tuple[Slot, str]]:
    """Slots whose container must be restarted, and why: a mounted file stays the old inode until then."""
    for slot, want in wants.items():
        container = current.get(slot)
        if container is None or want.job:
            continue
        changed = shown(want, drifted)
        if changed or container.id in stale:
            yield slot, f"{changed[0]} was changed on the host" if changed else "a pass ended before it was restarted"


def shown(want: Want, drifted: Sequence[str]) -> list[str]:
    watched = repository_paths(want.service, want.stack)
    return [p for p in drifted if any(not w or p == w or p.startswith(f"{w}/") for w in watched)]


def _removal(container: Container, desired: Desired, is_head: bool) -> Step:
    gone = "is gone from git" if is_head else f"is not in {desired.revision[:7]}"
    stacks = {stack.name: stack for stack in desired.stacks}
    stack = stacks.get(container.stack)
    if stack is None:
        reason = f"stack {container.stack} {gone}"
    elif all(service.name != container.service for service in stack.services):
        reason = f"service {gone}"
    else:
        reason = "replica is not wanted any more"
    return Step(container.slot, Action.REMOVE, (reason,), container)


def _networks(desired: Desired, observed: Observed) -> Iterator[NetworkStep]:
    existing = {network.name: network for network in observed.networks}
    wanted: set[str] = set()
    needed: list[str] = []
    for stack in desired.stacks:
        for network in _used(stack):
            wanted.add(network.name)
            if step := _network(network, existing.get(network.name), stack, desired.owner):
                needed += [pool.subnet for pool in network.ipam]
                yield step
    for stale in observed.networks:
        if stale.owner == desired.owner and stale.name not in wanted:
            first = any(overlaps(one, other) for one in stale.subnets for other in needed)
            yield NetworkStep("no service uses it any more", current=stale, stack=stale.stack, first=first)


def _used(stack: Stack) -> list[Network]:
    keys = {attachment.network for service in stack.services for attachment in service.networks}
    return [network for network in stack.networks if network.key in keys and not network.external]


def _network(network: Network, current: ObservedNetwork | None, stack: Stack, owner: str) -> NetworkStep | None:
    if current is None:
        return NetworkStep("new", network=network, stack=stack.name)
    if current.owner == owner and (why := unlike_network(network, current)):
        return NetworkStep(why, network=network, current=current, stack=stack.name)
    return None


def _volumes(desired: Desired, observed: Observed) -> Iterator[VolumeStep]:
    """Volumes are made when missing; they are never changed and never removed."""
    existing = {volume.name for volume in observed.volumes}
    for stack in desired.stacks:
        used = {m.source for service in stack.services for m in service.mounts if m.kind == "volume"}
        for volume in stack.volumes:
            if volume.key in used and not volume.external and volume.name not in existing:
                yield VolumeStep(volume, stack.name)


def _images(
    wants: Mapping[Slot, Want],
    decided: Mapping[Slot, Step | None],
    current: Mapping[Slot, Container],
    seen: Seen,
) -> Iterator[ImageNeed]:
    needs: dict[str, ImageNeed] = {}
    for slot, want in wants.items():
        step = decided[slot]
        if slot in current and current[slot].adopted and not (step and step.starts_new):
            continue  # Compose built its image, and did not write down from what
        need = _built(want, seen.observed) if want.build_id else _pulled(want, seen, bool(step and step.starts_new))
        if need and need.reference in needs:
            before = needs[need.reference]
            needs[need.reference] = replace(before, services=(*before.services, *need.services))
        elif need:
            needs[need.reference] = need
    yield from needs.values()


def _built(want: Want, observed: Observed) -> ImageNeed | None:
    """An image carries the id of the build that made it, so an older one is found again instead of built again."""
    tagged = observed.image(want.spec.image)
    if tagged and tagged.labels.get(labels.BUILD) == want.build_id:
        return None
    present = next((i.id for i in observed.images if i.labels.get(labels.BUILD) == want.build_id), "")
    return ImageNeed(
        want.spec.image,
        "its build changed" if tagged else "not built yet",
        (str(want.slot),),
        want.spec.platform,
        want.service.build,
        want.build_id,
        present,
    )


def _pulled(want: Want, seen: Seen, starts_new: bool) -> ImageNeed | None:
    if not starts_new:
        return None
    image = seen.observed.image(want.spec.image)
    missing = image is None
    moved = want.service.image_drift == "recreate" and bool(drift.tag_moved(want, seen))
    if not moved and (block := block_of(image, seen.blocked)):
        return _instead(want, block, seen)
    always = want.service.pull_policy == "always" and not drift.registry_blocked(want, seen)
    if always or missing or moved:
        reason = "not here" if missing else "it moved in its registry" if moved else "pull_policy: always"
        return ImageNeed(want.spec.image, reason, (str(want.slot),), want.spec.platform, moved=moved and not missing)
    return None


def _instead(want: Want, block: str, seen: Seen) -> ImageNeed:
    """The tag goes back to what served before it; where nobody knows what that was, the guard refuses."""
    reason = f"its tag names {block.removeprefix('image-')[:12]}, which failed and is blocked"
    before = sound(want, seen.observed.containers, seen.observed, seen.blocked)
    held = "" if before else block
    return ImageNeed(want.spec.image, reason, (str(want.slot),), want.spec.platform, present=before, blocked=held)

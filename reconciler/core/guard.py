"""What is refused before anything is touched, each with what to do instead.

A volume is never removed, so nothing here has to forbid it: the planner knows no such step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core import blocked_images, moved_data
from reconciler.core.container import container_name
from reconciler.core.counting import count
from reconciler.core.fingerprint import volume_fingerprint
from reconciler.core.host_access import SOCKETS, Land, every_path, probed, sources
from reconciler.core.ports_taken import is_fixed, meet
from reconciler.core.powers import powers, volume_power
from reconciler.core.wanted import Want, replicas
from reconciler.errors import Refused
from reconciler.model.desired import Desired, Service, Stack
from reconciler.model.observed import Container, Observed, Slot
from reconciler.model.plan import Action, Plan, Step


@dataclass(frozen=True, slots=True)
class Policy:
    """The host's own limits (reconciler.toml); they never come from the repository (I18).

    `own`: folders of reconciler itself (configuration, state, program); `engine`: the path of the engine's socket.
    """

    allow_privileged: tuple[str, ...] = ()
    allow_host_mounts: tuple[str, ...] = ("/opt", "/srv")
    max_removed_stacks: int = 1
    own: tuple[str, ...] = ()
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the guard knows of the host's files.

    `real`: each of `paths` with its links followed; `holding`: those paths of `moved_data.moves` where there is data.
    """

    real: Mapping[str, str]
    holding: frozenset[str] = frozenset()


def paths(desired: Desired, policy: Policy) -> frozenset[str]:
    """Every path of the host of which `check` must know where it really leads."""
    engine = (policy.engine,) if policy.engine else ()
    return frozenset((*every_path(desired), *policy.allow_host_mounts, *policy.own, *SOCKETS, *engine))


def check(
    desired: Desired,
    wants: Mapping[Slot, Want],
    observed: Observed,
    plan: Plan,
    policy: Policy,
    ground: Ground,
    given_up: Collection[str] = (),
) -> None:
    """Raises the first `Refused`. `given_up`: blocked revisions; what they brought may always go."""
    real = ground.real
    removals = [s for s in plan.steps if s.action is Action.REMOVE and s.current and s.current.revision not in given_up]
    for refusal in (
        *checkout_refusals(desired, policy, real),
        *_emptied(desired, removals),
        *_removals(plan, removals, policy),
        *map(_not_allowed, asks(desired, policy, real)),
        *_probes(desired, policy, real),
        *twice(desired),
        *_foreign_names(desired, wants, observed),
        *_externals(desired, observed),
        *_changed_volumes(desired, observed),
        *moved_data.refusals(tuple(moved_data.moves(desired, plan, wants)), ground.holding),
        *_used_networks(desired, observed, plan),
        *_unobtainable(plan, wants),
    ):
        raise refusal


def _emptied(desired: Desired, removals: Sequence[Step]) -> Iterator[Refused]:
    if removals and not desired.stacks:
        yield Refused(
            "E-GUARD-EMPTY",
            f"no stack is wanted on {desired.host}, but {count(len(removals), 'container runs', 'containers run')}",
            why="an empty desired set is far more often a mistake than a wish",
            next="check repository.path and x-reconciler.hosts; to really clear the host, remove containers by hand",
        )


def _removals(plan: Plan, removals: Sequence[Step], policy: Policy) -> Iterator[Refused]:
    kept = {step.slot.stack for step in plan.steps if step.action is not Action.REMOVE}
    kept |= {done.slot.stack for done in plan.satisfied}
    removed = sorted({step.slot.stack for step in removals} - kept)
    if len(removed) > policy.max_removed_stacks:
        yield Refused(
            "E-GUARD-REMOVALS",
            f"{count(len(removed), 'stack')} would be removed at once: {', '.join(removed)}",
            why=f"at most {policy.max_removed_stacks} may go in one pass (trust.max_removed_stacks)",
            next="remove them in several commits, or raise the limit in reconciler.toml for this pass",
        )


def _land(policy: Policy, real: Mapping[str, str], *also: str) -> Land:
    engine = (policy.engine,) if policy.engine else ()
    return Land((*policy.allow_host_mounts, *also), policy.own, (*SOCKETS, *engine), real)


def checkout_refusals(desired: Desired, policy: Policy, real: Mapping[str, str]) -> Iterator[Refused]:
    """The repository chooses where root writes its files; the host says where it may choose."""
    land, folder = _land(policy, real), desired.checkout
    own = land.own_folder(folder)
    if real[folder] == "/" or own:
        yield Refused(
            "E-GUARD-CHECKOUT",
            f"the checkout of {desired.host} is {land.shown(folder)}",
            why=f"it is, contains or lies in {own}, which is reconciler's own" if own else "it is the root folder",
            next="give the host a folder of its own as its checkout: in fleet.yaml",
        )
    elif outside := land.outside(folder):
        quoted = ", ".join(f'"{each}"' for each in (*policy.allow_host_mounts, outside))
        yield Refused(
            "E-GUARD-CHECKOUT",
            f"the checkout of {desired.host} is {land.shown(folder)}",
            why="it lies below no folder that the host allows, and root would write there what the repository says",
            next=f"if that is wanted, write under [trust] in reconciler.toml: allow_host_mounts = [{quoted}]",
        )


def _untrusted(desired: Desired, policy: Policy) -> Iterator[tuple[Stack, Service]]:
    for stack in desired.stacks:
        if stack.name not in policy.allow_privileged:
            yield from ((stack, service) for service in stack.services)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a service may only do when the host's own file allows it, in `words` that follow the service's name.

    `mount`: the folder that trust.allow_host_mounts lacks; "": the stack has to be in trust.allow_privileged.
    """

    service: Service
    words: str
    mount: str = ""


def asks(desired: Desired, policy: Policy, real: Mapping[str, str]) -> Iterator[Ask]:
    """All that `check` would refuse for want of the host's leave; `real` as there."""
    land = _land(policy, real, desired.checkout)
    for stack, service in _untrusted(desired, policy):
        for power in (*powers(service, real), *_powers_by_mounts(service, stack, land)):
            yield Ask(service, power)
    for stack, service in _untrusted(desired, policy):
        for source in sources(service, stack):
            if outside := land.outside(source):
                yield Ask(service, f"mounts {land.shown(source)} of the host", outside)


def may_look_at(path: str, desired: Desired, policy: Policy, real: Mapping[str, str]) -> bool:
    """Whether a probe may say what is in a file of the host: where stacks may mount, and nothing of our own."""
    land = _land(policy, real, desired.checkout)
    return not land.outside(path) and not land.own_folder(path)


def _probes(desired: Desired, policy: Policy, real: Mapping[str, str]) -> Iterator[Refused]:
    for stack in desired.stacks:
        for path in probed(stack):
            if not may_look_at(path, desired, policy, real):
                yield Refused(
                    "E-GUARD-PROBE",
                    f"{stack.name} wants to know what is in {path} of the host",
                    why="probes may only look where stacks may mount, and never at what is reconciler's own",
                    next="name a file of the repository, or allow its folder: trust.allow_host_mounts",
                )


def _not_allowed(ask: Ask) -> Refused:
    service = ask.service
    if ask.mount:
        return Refused(
            "E-GUARD-MOUNT",
            f"{service.stack}/{service.name} {ask.words}",
            why="it lies neither in the repository nor below a folder that the host allows",
            next=f'if that is wanted, add "{ask.mount}" to trust.allow_host_mounts in reconciler.toml',
            at=service.position,
        )
    return Refused(
        "E-GUARD-PRIVILEGED",
        f"{service.stack}/{service.name} {ask.words}",
        why="that is as much as being root on the host, and the host's own file does not allow it",
        next=f'if you trust the stack, add "{service.stack}" to trust.allow_privileged in reconciler.toml',
        at=service.position,
    )


def _powers_by_mounts(service: Service, stack: Stack, land: Land) -> Iterator[str]:
    for source in sources(service, stack):
        if socket := land.socket(source):
            which = "" if socket in (source, land.real[source]) else f" ({socket})"
            yield f"mounts {land.shown(source)}, and with it the Docker socket or its like{which}"
        elif own := land.own_folder(source):
            yield f"mounts {land.shown(source)}, and with it reconciler's own {own}"
    used = {mount.source for mount in service.mounts if mount.kind == "volume"}
    yield from (power for volume in stack.volumes if volume.key in used and (power := volume_power(volume)))


def twice(desired: Desired) -> Iterator[Refused]:
    """The same container name, or the same published port, in two stacks of one host."""
    names: dict[str, Slot] = {}
    ports: dict[tuple[str, str], list[tuple[str, Slot]]] = {}
    for stack, service, number in replicas(desired):
        slot, name = Slot(stack.name, service.name, number), container_name(service, number)
        if (other := names.setdefault(name, slot)) != slot:
            yield _clash("E-GUARD-NAME-TWICE", f"container name {name}", slot, other, service)
        for port in filter(is_fixed, service.ports):
            taken = ports.setdefault((port.host_port, port.protocol), [])
            for address, other in taken:
                if other != slot and meet(address, port.host_ip):
                    what = f"port {port.host_ip}:{port.host_port}/{port.protocol}".replace(" :", " ")
                    yield _clash("E-GUARD-PORT-TWICE", what, slot, other, service)
            taken.append((port.host_ip, slot))


def _clash(code: str, what: str, slot: Slot, other: Slot, service: Service) -> Refused:
    return Refused(
        code,
        f"{slot} and {other} both want {what}",
        why="one host has it once",
        next="change one of them",
        at=service.position,
    )


def _foreign_names(desired: Desired, wants: Mapping[Slot, Want], observed: Observed) -> Iterator[Refused]:
    names = {want.spec.name: want for want in wants.values()}
    for container in observed.containers:
        if container.owner != desired.owner and container.name in names:
            yield _taken(names[container.name], container)


def _taken(want: Want, holder: Container) -> Refused:
    owner = f"fleet {holder.owner}" if holder.owner else "no fleet"
    away = f"rename or remove it (docker rename {want.spec.name} NEW-NAME), or choose another container_name"
    if not holder.owner and holder.stack:
        owner = f"the Compose project {holder.stack}, service {holder.service}"
        away = f"to take it over, give the stack and the service these names; or {away}"
    return Refused(
        "E-GUARD-NAME-TAKEN",
        f"{want.slot} wants the container name {want.spec.name}, which another container has",
        why=f"container {holder.id[:12]} ({holder.image}, {holder.state}) belongs to {owner}; it is not ours to touch",
        next=away,
        at=want.service.position,
    )


def _externals(desired: Desired, observed: Observed) -> Iterator[Refused]:
    networks = {network.name for network in observed.networks}
    volumes = {volume.name for volume in observed.volumes}
    for stack in desired.stacks:
        used = {a.network for s in stack.services for a in s.networks}
        mounted = {m.source for s in stack.services for m in s.mounts if m.kind == "volume"}
        missing = [
            ("network", n.name) for n in stack.networks if n.external and n.key in used and n.name not in networks
        ]
        missing += [
            ("volume", v.name) for v in stack.volumes if v.external and v.key in mounted and v.name not in volumes
        ]
        for kind, name in missing:
            yield Refused(
                "E-GUARD-EXTERNAL",
                f"stack {stack.name} uses the external {kind} {name}, which does not exist",
                why=f"an external {kind} is made by somebody else",
                next=f"docker {kind} create {name}",
            )


def _changed_volumes(desired: Desired, observed: Observed) -> Iterator[Refused]:
    live = {v.name: v for v in observed.volumes if v.owner == desired.owner}
    for stack in desired.stacks:
        for volume in stack.volumes:
            known = live.get(volume.name)
            if known and not volume.external and known.fingerprint != volume_fingerprint(volume):
                yield Refused(
                    "E-GUARD-VOLUME",
                    f"the definition of volume {volume.name} (stack {stack.name}) changed",
                    why="a volume can only be changed by removing it, and its data with it",
                    next="put the definition back, or move the data to a volume with a new name",
                )


def _used_networks(desired: Desired, observed: Observed, plan: Plan) -> Iterator[Refused]:
    """A network can only be made anew when nothing runs on it, and only our own containers may be stopped for that."""
    foreign = [c for c in observed.containers if c.owner != desired.owner and c.running]
    for step in plan.networks:
        users = [c.name for c in foreign if step.name in c.networks] if step.goes_first else []
        if users:
            yield Refused(
                "E-GUARD-NETWORK",
                f"network {step.name} has to be removed, but {', '.join(users)} is on it",
                why=f"{step.reason}; containers that are not ours are not touched",
                next=f"docker network disconnect {step.name} {users[0]}; afterwards connect it again",
            )


def _unobtainable(plan: Plan, wants: Mapping[Slot, Want]) -> Iterator[Refused]:
    never = {want.spec.image: want for want in wants.values() if want.service.pull_policy == "never"}
    for need in plan.images:
        if need.blocked:
            yield blocked_images.refusal(need.reference, need.blocked, need.services)
        elif not (need.build or need.present) and need.reference in never:
            yield Refused(
                "E-IMAGE-MISSING",
                f"image {need.reference} is not on the host, and pull_policy is never",
                why=f"{', '.join(need.services)} needs it",
                next=f"docker load or docker build it on the host, or change pull_policy ({need.reference})",
                at=never[need.reference].service.position,
            )

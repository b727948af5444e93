"""What is refused before anything is touched, each with what to do instead.

A volume is never removed, so nothing here has to forbid it: the planner knows no such step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import normpath

from reconciler.core.fingerprint import volume_fingerprint
from reconciler.core.wanted import Want
from reconciler.errors import Refused
from reconciler.model.desired import Desired, Service, Stack
from reconciler.model.observed import Container, Observed, Slot
from reconciler.model.plan import Action, Plan, Step

HARMLESS = ("/etc/localtime", "/etc/timezone")
"""What half of all Compose files mount to tell the time; read-only it gives nothing away."""

DOCKER_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")


@dataclass(frozen=True, slots=True)
class Policy:
    """The host's own limits (reconciler.toml); they never come from the repository (I18)."""

    allow_privileged: tuple[str, ...] = ()
    allow_host_mounts: tuple[str, ...] = ("/opt", "/srv")
    max_removed_stacks: int = 1


def check(
    desired: Desired,
    wants: Mapping[Slot, Want],
    observed: Observed,
    plan: Plan,
    policy: Policy,
    given_up: Collection[str] = (),
) -> None:
    """Raises the first `Refused`. `given_up`: blocked revisions; what they brought may always go."""
    removals = [s for s in plan.steps if s.action is Action.REMOVE and s.current and s.current.revision not in given_up]
    for refusal in (
        *_emptied(desired, removals),
        *_removals(plan, removals, policy),
        *_privileges(desired, policy),
        *_host_mounts(desired, policy),
        *_twice(wants),
        *_foreign_names(desired, wants, observed),
        *_externals(desired, observed),
        *_changed_volumes(desired, observed),
        *_used_networks(desired, observed, plan),
        *_unobtainable(plan, wants),
    ):
        raise refusal


def _emptied(desired: Desired, removals: Sequence[Step]) -> Iterator[Refused]:
    if removals and not desired.stacks:
        yield Refused(
            "E-GUARD-EMPTY",
            f"no stack is wanted on {desired.host}, but {len(removals)} containers run",
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
            f"{len(removed)} stacks would be removed at once: {', '.join(removed)}",
            why=f"at most {policy.max_removed_stacks} may go in one pass (trust.max_removed_stacks)",
            next="remove them in several commits, or raise the limit in reconciler.toml for this pass",
        )


def _services(desired: Desired) -> Iterator[Service]:
    for stack in desired.stacks:
        yield from stack.services


def _privileges(desired: Desired, policy: Policy) -> Iterator[Refused]:
    for service in _services(desired):
        if service.stack in policy.allow_privileged:
            continue
        ways = [m.source for m in service.mounts if m.kind == "bind" and _holds_a_socket(m.source)]
        if service.privileged or ways:
            what = f"mounts {ways[0]}, and with it the Docker socket" if ways else "is privileged"
            yield Refused(
                "E-GUARD-PRIVILEGED",
                f"{service.stack}/{service.name} {what}",
                why="that is as much as being root on the host, and the host's own file does not allow it",
                next=f'if you trust the stack, add "{service.stack}" to trust.allow_privileged in reconciler.toml',
                at=service.position,
            )


def _host_mounts(desired: Desired, policy: Policy) -> Iterator[Refused]:
    allowed = (*policy.allow_host_mounts, desired.checkout)
    for stack in desired.stacks:
        if stack.name in policy.allow_privileged:
            continue
        for service in stack.services:
            for source in _host_sources(service, stack):
                if not _below(source, allowed):
                    yield Refused(
                        "E-GUARD-MOUNT",
                        f"{service.stack}/{service.name} mounts {source} of the host",
                        why="it lies neither in the repository nor below a folder that the host allows",
                        next=f'if that is wanted, add "{source}" to trust.allow_host_mounts in reconciler.toml',
                        at=service.position,
                    )


def _host_sources(service: Service, stack: Stack) -> Iterator[str]:
    """Every path of the host that a container would see: binds, configs and secrets, and volumes that are binds."""
    for mount in service.mounts:
        harmless = mount.read_only and mount.source in HARMLESS
        if mount.kind == "bind" and mount.repo_path is None and mount.source not in DOCKER_SOCKETS and not harmless:
            yield mount.source
    granted = {(grant.kind, grant.key) for grant in service.grants}
    for item in stack.files:
        if (item.kind, item.key) in granted and item.host_path is not None:
            yield item.host_path
    used = {mount.source for mount in service.mounts if mount.kind == "volume"}
    for volume in stack.volumes:
        device = dict(volume.driver_opts).get("device", "")
        if volume.key in used and device.startswith("/"):
            yield device


def _holds_a_socket(path: str) -> bool:
    return any(_below(socket, (path,)) for socket in DOCKER_SOCKETS)


def _below(path: str, folders: tuple[str, ...]) -> bool:
    real = normpath(path)
    return any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in folders)


def _twice(wants: Mapping[Slot, Want]) -> Iterator[Refused]:
    """The same container name, or the same published port, in two stacks of one host."""
    names: dict[str, Slot] = {}
    ports: dict[str, Slot] = {}
    for slot, want in wants.items():
        if (other := names.setdefault(want.spec.name, slot)) != slot:
            yield _clash("E-GUARD-NAME-TWICE", f"container name {want.spec.name}", slot, other, want)
        for port in want.service.ports:
            key = f"{port.host_ip}:{port.host_port}/{port.protocol}"
            if port.host_port and (other := ports.setdefault(key, slot)) != slot:
                yield _clash("E-GUARD-PORT-TWICE", f"port {key.lstrip(':')}", slot, other, want)


def _clash(code: str, what: str, slot: Slot, other: Slot, want: Want) -> Refused:
    return Refused(
        code,
        f"{slot} and {other} both want {what}",
        why="one host has it once",
        next="change one of them",
        at=want.service.position,
    )


def _foreign_names(desired: Desired, wants: Mapping[Slot, Want], observed: Observed) -> Iterator[Refused]:
    names = {want.spec.name: want for want in wants.values()}
    for container in observed.containers:
        if container.owner != desired.owner and container.name in names:
            yield _taken(names[container.name], container)


def _taken(want: Want, holder: Container) -> Refused:
    owner = f"fleet {holder.owner}" if holder.owner else "no fleet"
    return Refused(
        "E-GUARD-NAME-TAKEN",
        f"{want.slot} wants the container name {want.spec.name}, which another container has",
        why=f"container {holder.id[:12]} ({holder.image}, {holder.state}) belongs to {owner}; it is not ours to touch",
        next=f"rename or remove it (docker rename {want.spec.name} NEW-NAME), or choose another container_name",
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
        if need.build is None and need.reference in never:
            yield Refused(
                "E-IMAGE-MISSING",
                f"image {need.reference} is not on the host, and pull_policy is never",
                why=f"{', '.join(need.services)} needs it",
                next=f"docker load or docker build it on the host, or change pull_policy ({need.reference})",
                at=never[need.reference].service.position,
            )

"""Desired becomes the containers that shall exist: one rendered and fingerprinted spec for every slot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from reconciler.core import fingerprint
from reconciler.core.container import HostPaths, container_name, render
from reconciler.core.fingerprint import Sealer
from reconciler.model.desired import Desired, Service, Stack
from reconciler.model.observed import Slot
from reconciler.model.plan import ContainerSpec


@dataclass(frozen=True, slots=True)
class Want:
    """One container that shall exist. `job`: it shall have run to the end, not be running."""

    slot: Slot
    spec: ContainerSpec
    service: Service
    stack: Stack
    build_id: str = ""
    job: bool = False


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What rendering needs of the host. `builds`: "stack/service" -> build id; `secrets`: name -> sealed content."""

    paths: HostPaths
    sealer: Sealer
    builds: Mapping[str, str]
    secrets: Mapping[str, str]


def wants(desired: Desired, facts: HostFacts) -> dict[Slot, Want]:
    """Every slot of the host, stacks and services in their own order."""
    objects = dict(desired.objects)
    every = replicas(desired)
    names = {
        container_name(service, number): Slot(stack.name, service.name, number) for stack, service, number in every
    }
    made = (_want(desired, stack, service, number, facts, objects, names) for stack, service, number in every)
    return {want.slot: want for want in made}


def digest(desired: Desired, facts: HostFacts, tree: str) -> str:
    """What a host shall run, whatever commit says so: equal digests want the same containers, networks, migrations
    and probes: mending a wrong probe makes another revision of it.

    Changes with a service's definition, mounted files, builds and secrets; never with words elsewhere in the
    repository, unless something runs on the host itself: nobody knows what that reads. `tree` names all files.
    """
    prints = [f"{slot} {want.spec.fingerprint}" for slot, want in wants(desired, facts).items()]
    around = [
        repr((stack.name, stack.networks, stack.volumes, stack.migrations, stack.verify)) for stack in desired.stacks
    ]
    anything = [tree] if any(m.run for stack in desired.stacks for m in stack.migrations) else []
    return sha256("\n".join(sorted([*prints, *around, *anything])).encode()).hexdigest()


def print_with(desired: Desired, want: Want, facts: HostFacts, objects: Mapping[str, str]) -> str:
    """The fingerprint that a container would have if the repository held these `objects` in place of its own."""
    names = {container_name(s, n): Slot(k.name, s.name, n) for k, s, n in replicas(desired)}
    number = want.slot.number
    return _want(desired, want.stack, want.service, number, facts, objects, names).spec.fingerprint


def replicas(desired: Desired) -> list[tuple[Stack, Service, int]]:
    """Every container that shall exist, by its service and its number there."""
    return [
        (stack, service, number)
        for stack in desired.stacks
        for service in stack.services
        for number in range(1, service.replicas + 1)
    ]


def _want(
    desired: Desired,
    stack: Stack,
    service: Service,
    number: int,
    facts: HostFacts,
    objects: Mapping[str, str],
    names: Mapping[str, Slot],
) -> Want:
    build_id = facts.builds.get(f"{stack.name}/{service.name}", "")
    spec = fingerprint.stamp(
        render(service, stack, number, facts.paths, facts.sealer, names),
        service,
        stack,
        owner=desired.owner,
        revision=desired.revision,
        objects=objects,
        build_id=build_id,
        secrets=facts.secrets,
        sealer=facts.sealer,
    )
    return Want(spec.slot, spec, service, stack, build_id, service.job or service.name in _awaited(stack))


def _awaited(stack: Stack) -> set[str]:
    """Whoever is waited for to complete is a job (Compose specification, depends_on)."""
    return {
        dependency.service
        for service in stack.services
        for dependency in service.depends_on
        if dependency.condition == "service_completed_successfully"
    }

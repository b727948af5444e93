"""Migrations of a stack: which there are, who may have them, and the container that one runs in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from reconciler.core.mistakes import Mistakes
from reconciler.core.order import closure
from reconciler.core.positioned import Map
from reconciler.core.scope import UnknownTarget
from reconciler.core.wanted import Want
from reconciler.errors import BadConfiguration, Position, Refused
from reconciler.model import labels
from reconciler.model.desired import Desired, Migration, Stack
from reconciler.model.observed import Slot

_STANDING = ("PortBindings", "PublishAllPorts", "RestartPolicy", "AutoRemove", "ContainerIDFile", "Links")
"""Of HostConfig: what is of a service that stands, and not of a command that runs once beside it."""

_OWN = ("Hostname", "Domainname", "MacAddress", "ExposedPorts", "Volumes", "OnBuild", "AttachStdin", "AttachStdout")


def with_migrations(
    stack: Stack, migrations: Sequence[Migration], raw: Map, others: Collection[str] = frozenset()
) -> Stack:
    """The stack with its migrations. BadConfiguration when one names no service, or what it does is not clear.

    `raw`: `x-reconciler` as it stands in the file; `others`: services that are there as well.
    """
    seen: set[str] = set()
    known = {*(service.name for service in stack.services), *others}
    with Mistakes() as mistakes:
        for index, migration in enumerate(migrations):
            for problem in _problems(migration, known, seen):
                mistakes.of(_refuse, migration, problem, raw.item_at("migrations", index))
            seen.add(migration.name)
    return replace(stack, migrations=tuple(migrations))


def _refuse(migration: Migration, problem: str, at: Position) -> NoReturn:
    raise BadConfiguration(
        "E-MANIFEST-MIGRATION",
        f"migration {migration.name}: {problem}",
        why="it says either service: and command:, or run:",
        next="mend it under x-reconciler.migrations",
        at=at,
    )


def _problems(migration: Migration, services: Collection[str], seen: Collection[str]) -> Iterator[str]:
    if migration.name in seen:
        yield "there are two of that name"
    inside = bool(migration.service and migration.command)
    if inside == bool(migration.run) or bool(migration.service) != bool(migration.command):
        yield "it is not clear where it runs"
    for service in dict.fromkeys((migration.service, *migration.needs)):
        if service and service not in services:
            yield f"the stack has no service {service!r}"
    if migration.timeout <= 0:
        yield "its timeout is zero"


def chosen(desired: Desired, target: str) -> tuple[Stack, ...]:
    """The stacks of a target with the migrations that it means; one service: only those that run beside it.

    UnknownTarget when there is no such host, stack or service.
    """
    host, _, rest = target.partition("/")
    name, _, service = rest.partition("/")
    stacks = tuple(stack for stack in desired.stacks if name in ("", stack.name)) if host == desired.host else ()
    if not stacks or (service and all(each.name != service for each in stacks[0].services)):
        raise UnknownTarget(
            "E-TARGET",
            f"there is no {target} here",
            why=f"this machine is the host {desired.host}, and runs: {', '.join(s.name for s in desired.stacks)}",
            next=f"a target is {desired.host}, {desired.host}/STACK or {desired.host}/STACK/SERVICE",
        )
    return tuple(
        replace(stack, migrations=tuple(m for m in stack.migrations if service in ("", m.service))) for stack in stacks
    )


def needed(stack: Stack, wants: Mapping[Slot, Want]) -> set[Slot]:
    """What must be up and healthy before the migrations of a stack: what each names under `needs`, with all below it.

    Without `needs`: what its service depends on, so that an application migrates before its new code serves; when that
    depends on nothing, the service itself, for it is the database.
    """
    asked = [service for migration in stack.migrations for service in _needs(migration, stack)]
    return closure((Slot(stack.name, service) for service in asked), wants)


def _needs(migration: Migration, stack: Stack) -> tuple[str, ...]:
    if migration.needs or not migration.service:
        return migration.needs
    below = tuple(d.service for d in stack.service(migration.service).depends_on)
    return below or (migration.service,)


def refuse_untrusted(stack: Stack, trusted: Collection[str]) -> None:
    """Raises Refused when a stack runs something on the host and the host does not trust it with that."""
    commands = [migration.name for migration in stack.migrations if migration.run]
    if commands and stack.name not in trusted:
        raise Refused(
            "E-GUARD-PRIVILEGED",
            f"{stack.name} wants to run {', '.join(commands)} on the host itself",
            why="that is as much as being root on the host, and the host's own file does not allow it",
            next=f'if you trust the stack, add "{stack.name}" to trust.allow_privileged in reconciler.toml',
        )


def oneoff(
    definition: Mapping[str, Any],
    image: str,
    volumes: Mapping[str, str],
    command: Sequence[str],
    environment: Mapping[str, str],
    marks: Mapping[str, str],
) -> dict[str, Any]:
    """A create request like that of `docker compose run --rm`: the service's container, for one command beside it.

    `definition`: of the service's container, in the shape of a create request; `volumes`: its anonymous volumes,
    name by destination, so that the command sees the same data; `marks`: labels. It has no ports, no name or
    address of the service, no health check and no restart policy.
    """
    host = {key: value for key, value in (definition.get("HostConfig") or {}).items() if key not in _STANDING}
    taken = {bind.split(":")[1] for bind in host.get("Binds") or []} | {m["Target"] for m in host.get("Mounts") or []}
    carried = [f"{name}:{target}:rw" for target, name in volumes.items() if target not in taken]
    host["Binds"] = [*(host.get("Binds") or []), *carried]
    body = {key: value for key, value in definition.items() if key not in (*_OWN, "HostConfig", "NetworkingConfig")}
    names = {f"{name}=" for name in environment}
    kept = [entry for entry in body.get("Env") or [] if not entry.startswith(tuple(names))]
    return body | {
        "Image": image,
        "Cmd": list(command),
        "Env": [*kept, *(f"{name}={value}" for name, value in environment.items())],
        "Labels": dict(marks),
        "Healthcheck": {"Test": ["NONE"]},
        "Tty": False,
        "OpenStdin": False,
        "HostConfig": host,
    }


def marks(owner: str, stack: str, service: str) -> dict[str, str]:
    """Ours, so that a pass clears away what a dead one left; and one-off for Compose."""
    return {labels.OWNER: owner, labels.PROJECT: stack, labels.SERVICE: service, labels.ONEOFF: "True"}

"""The tree of one revision becomes Desired: the fleet file, then every stack that this host shall run."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.core.build_context import build_id, read_context
from reconciler.core.compose.load import HostContext, LoadedStack, try_stack
from reconciler.core.compose.problems import LacksHostValue
from reconciler.core.compose.source import override_beside
from reconciler.core.compose.variables import is_whole
from reconciler.core.document import Map, parse, read_file
from reconciler.core.fingerprint import repository_paths
from reconciler.core.fleet_file import fleet_of
from reconciler.core.manifest.selecting import selects
from reconciler.core.migrations import with_migrations
from reconciler.core.mistakes import Mistakes, every, together
from reconciler.errors import BadConfiguration, Position, ReconcilerError
from reconciler.model.desired import Desired, Service, Stack
from reconciler.model.fleet import Fleet, Host, ServiceExtension, StackExtension
from reconciler.model.images import ImageDrift
from reconciler.ports import Tree

if TYPE_CHECKING:
    from reconciler.core.packages.wanted import Wanted

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


@dataclass(frozen=True, slots=True)
class HostSide:
    """What a host adds to the manifests: its env files by stack, and where they lie."""

    name: str
    environment: Callable[[str], Mapping[str, bytes]]
    environment_folder: Callable[[str], str]
    home: str = "/root"


@dataclass(frozen=True, slots=True)
class Assembled:
    """`builds`: "stack/service" -> id of its build; `problems`: everything that is wrong, not only the first."""

    desired: Desired
    builds: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    problems: tuple[ReconcilerError, ...] = ()

    def or_raise(self) -> Assembled:
        """Itself; raises the first problem when there is one. Mistakes are told together, trouble by itself."""
        if not self.problems:
            return self
        first, mistakes = self.problems[0], [each for each in self.problems if isinstance(each, BadConfiguration)]
        raise together(mistakes) if first in mistakes else first


def assemble(
    tree: Tree, manifests: str, side: HostSide, *, revision: str, owner: str, checking: bool = False
) -> Assembled:
    """Raises BadConfiguration for the fleet file; what is wrong in stacks is collected.

    A stack that says plainly that another host runs it is not read any further: it may need files that only that
    host has. `checking` reads all the same, for `validate`, and takes hosts that are reached in any way.
    """
    fleet = fleet_of(tree, manifests)
    host = _host(fleet, side.name, manifests)
    if not checking:
        _require_local(host, manifests)
    return assemble_for(tree, manifests, side, fleet, host, revision=revision, owner=owner, checking=checking)


def assemble_for(
    tree: Tree, manifests: str, side: HostSide, fleet: Fleet, host: Host, *, revision: str, owner: str, checking: bool
) -> Assembled:
    """The same with the fleet and one of its hosts given."""
    problems: list[ReconcilerError] = []
    folders = list(_stack_folders(tree, manifests, problems))
    warnings = [*fleet.warnings, *_unknown_directories(host, folders, manifests)]
    stacks: list[Stack] = []
    builds: dict[str, str] = {}
    reads = {posixpath.join(manifests, "fleet.yaml")}
    for folder in folders:
        try:
            if not checking and _is_elsewhere(tree, folder[2], host, fleet):
                continue
            loaded = _load(tree, folder, host, side, revision)
            grave = list(loaded.problems)
            if checking:  # what only a host has is told, and the stack is looked at as far as it goes
                problems += [problem for problem in grave if isinstance(problem, LacksHostValue)]
                grave = [problem for problem in grave if not isinstance(problem, LacksHostValue)]
            stack = _stack(loaded, grave, host, fleet)
            if stack is None:
                continue
            warnings += loaded.warnings
            stacks.append(stack)
            builds |= _builds(tree, loaded.stack)
            reads |= {loaded.stack.file, *loaded.reads}
        except ReconcilerError as problem:
            problems += problem.each
    problems += _same_name(stacks)
    wanted = _packages(tree, manifests, fleet, host)
    if wanted:
        problems += wanted.problems
        warnings += wanted.warnings
        reads |= {each.file for each in wanted.packages.sets}
    desired = Desired(
        revision,
        host.name,
        owner,
        host.checkout,
        tuple(stacks),
        tuple(sorted(objects(tree, stacks))),
        tuple(sorted(reads)),
        fleet.ignore,
        fleet.quiet,
        wanted.packages if wanted else None,
    )
    return Assembled(desired, builds, tuple(warnings), tuple(problems))


def _packages(tree: Tree, manifests: str, fleet: Fleet, host: Host) -> Wanted | None:
    """Whoever has no package set does not pay for their models."""
    if not tree.children(posixpath.join(manifests, "packages")):
        return None
    from reconciler.core.packages.wanted import packages_of

    return packages_of(tree, manifests, fleet, host)


def _is_elsewhere(tree: Tree, file: str, host: Host, fleet: Fleet) -> bool:
    """Whether the file alone says that the stack is for others; variables and override files must be read first."""
    if override_beside(tree, file):
        return False
    try:
        document = parse(read_file(tree, file), file)
        raw = document.get("x-reconciler") if isinstance(document, Map) else None
        if not isinstance(raw, Map) or "hosts" not in raw or "$" in repr(raw["hosts"]):
            return False
        alone = Map(raw.place)
        alone.take(raw, "hosts")
        return not selects(_read_extension(alone, file), host, fleet, raw.position)
    except ReconcilerError:
        return False  # loading says what is wrong, and says it better


def _host(fleet: Fleet, name: str, manifests: str) -> Host:
    for host in fleet.hosts:
        if host.name == name:
            break
    else:
        known = ", ".join(h.name for h in fleet.hosts) or "none"
        raise BadConfiguration(
            "E-MANIFEST-HOST",
            f"the fleet has no host {name!r}",
            why=f"its hosts are: {known}",
            next="mend `host` in reconciler.toml, or add the host to fleet.yaml",
            at=Position(posixpath.join(manifests, "fleet.yaml")),
        )
    return host


def _require_local(host: Host, manifests: str) -> None:
    if host.connect != "local":
        raise BadConfiguration(
            "E-MANIFEST-CONNECT",
            f"host {host.name} is reached by {host.connect}",
            why="this version converges the host it runs on",
            next="install it on that host, and write `connect: local`",
            at=Position(posixpath.join(manifests, "fleet.yaml")),
        )


def _stack_folders(tree: Tree, manifests: str, problems: list[ReconcilerError]) -> Iterator[tuple[str, str, str]]:
    """Name, folder and Compose file of each stack."""
    root = posixpath.join(manifests, "stacks")
    for name in tree.children(root):
        folder = posixpath.join(root, name)
        entry = tree.entry(folder)
        if entry is None or entry.kind != "directory":
            continue
        found = [file for file in COMPOSE_FILES if tree.entry(posixpath.join(folder, file))]
        if found:
            yield name, folder, posixpath.join(folder, found[0])
        else:
            problems.append(
                BadConfiguration(
                    "E-MANIFEST-STACK",
                    f"{folder} holds no Compose file",
                    why=f"a stack is a folder with one of {', '.join(COMPOSE_FILES)}",
                    next="add one, or move the folder out of stacks/",
                    at=Position(folder),
                )
            )


def _unknown_directories(host: Host, folders: list[tuple[str, str, str]], manifests: str) -> Iterator[str]:
    known = {name for name, _, _ in folders}
    file = posixpath.join(manifests, "fleet.yaml")
    for name, _ in host.directories:
        if name not in known:
            yield f"{file}: `directories` of {host.name} names {name}, which is no stack"


def _stack(loaded: LoadedStack, problems: list[ReconcilerError], host: Host, fleet: Fleet) -> Stack | None:
    """The stack with what `x-reconciler` says; None when other hosts run it. BadConfiguration: all that is wrong.

    `problems`: those of `loaded` that keep it from running.
    """
    made: Stack | None = None
    with Mistakes() as mistakes:
        mistakes.found += problems
        extension = mistakes.of(_stack_extension, loaded)
        here = mistakes.of(selects, extension, host, fleet, _at(loaded)) if extension else None
        if here is False:
            return None
        made = mistakes.of(_extended, loaded, extension or StackExtension())
        if extension and loaded.others is not None:
            base = made or loaded.stack
            mistakes.of(with_migrations, base, extension.migrations, loaded.extensions, loaded.others)
            made = mistakes.of(_probed, base, extension, host.checkout, loaded)
    return replace(made, migrations=extension.migrations) if made and extension else None


def _load(tree: Tree, folder: tuple[str, str, str], host: Host, side: HostSide, revision: str) -> LoadedStack:
    """An app proves its version only if it knows it: what is written with these two is replaced at every commit."""
    name, _, file = folder
    context = HostContext(
        checkout=host.checkout,
        directory=dict(host.directories).get(name, ""),
        home=side.home,
        host_files=side.environment(name),
        host_file_root=side.environment_folder(name),
        variables={"RECONCILER_SHA": revision, "RECONCILER_HOST": host.name},
    )
    return try_stack(tree, file, context, name)


def _at(loaded: LoadedStack) -> Position:
    return loaded.extensions.position if loaded.extensions else Position(loaded.stack.file, 1, 1)


# Whoever writes no x-reconciler does not pay for its models.


def _stack_extension(loaded: LoadedStack) -> StackExtension | None:
    """None when its variables could not be filled in, which was told."""
    whole = not loaded.problems or is_whole(loaded.extensions)
    return _read_extension(loaded.extensions, loaded.stack.file) if whole else None


def _read_extension(raw: Map, file: str) -> StackExtension:
    if not raw:
        return StackExtension()
    from reconciler.core.manifest.stack import load_stack_extension

    return load_stack_extension(raw, file)


def _service_extension(raw: Map | None, file: str) -> ServiceExtension:
    if not raw:
        return ServiceExtension()
    from reconciler.core.manifest.stack import load_service_extension

    return load_service_extension(raw, file)


def _probed(stack: Stack, extension: StackExtension, checkout: str, loaded: LoadedStack) -> Stack:
    if not extension.verify:
        return stack
    from reconciler.core.manifest.verify import with_probes

    return with_probes(stack, extension.verify, checkout, loaded.extensions, loaded.others or ())


def _extended(loaded: LoadedStack, stack: StackExtension) -> Stack:
    """The stack with what `x-reconciler` of its services says."""

    def one(loaded: LoadedStack, service: Service) -> Service:
        return _extended_service(loaded, service, stack.image_drift)

    return replace(loaded.stack, services=tuple(every(one, loaded, loaded.stack.services)))


def _extended_service(loaded: LoadedStack, service: Service, image_drift: ImageDrift) -> Service:
    raw = loaded.service_extensions.get(service.name)
    extension = _service_extension(raw, loaded.stack.file)
    rebuilds = any(rule.action == "rebuild" for rule in extension.on_change)
    if raw is not None and rebuilds and not service.build and not loaded.problems:
        raise BadConfiguration(
            "E-MANIFEST-VALUE",
            f"{service.name}: on_change asks to rebuild, and there is no build:",
            why="its image comes from elsewhere",
            next="write action: recreate",
            at=raw.position,
        )
    job = service.job or extension.job
    drift = extension.image_drift or image_drift
    return replace(service, job=job, on_change=extension.on_change, image_drift=drift)


def _builds(tree: Tree, stack: Stack) -> dict[str, str]:
    return {
        f"{stack.name}/{service.name}": build_id(read_context(tree, service.build), service.build, service.platform)
        for service in stack.services
        if service.build
    }


def objects(tree: Tree, stacks: Iterable[Stack]) -> Iterator[tuple[str, str]]:
    """Kind and git object id of every path that the services mount or are granted, as far as the tree has it."""
    paths = {path for stack in stacks for service in stack.services for path in repository_paths(service, stack)}
    for path in paths:
        if entry := tree.entry(path):
            yield path, f"{entry.kind}:{entry.id}"


def _same_name(stacks: list[Stack]) -> Iterator[BadConfiguration]:
    files: dict[str, str] = {}
    for stack in stacks:
        other = files.setdefault(stack.name.casefold(), stack.file)
        if other != stack.file:
            yield BadConfiguration(
                "E-MANIFEST-TWICE",
                f"two stacks are called {stack.name}: {other} and {stack.file}",
                why="the project name is how a host tells its stacks apart",
                next="give one of them another `name:`",
                at=Position(stack.file),
            )

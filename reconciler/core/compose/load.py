"""A Compose file, as git holds it, becomes a `Stack`: every rule of Compose applied, nothing left to decide."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from reconciler.core.compose import read, references, resources
from reconciler.core.compose.envsource import EnvFiles
from reconciler.core.compose.paths import Aside, Paths, parent
from reconciler.core.compose.problems import FromHost, bad_value, fail
from reconciler.core.compose.service import check_service, make_service, profiles
from reconciler.core.compose.source import Model, Source, override_beside
from reconciler.core.compose.variables import Variables, is_sealed, is_whole
from reconciler.core.document import Map
from reconciler.core.mistakes import Mistakes, together
from reconciler.errors import BadConfiguration, Position, ReconcilerError
from reconciler.model.desired import FileObject, Network, Service, Stack, Volume
from reconciler.ports import Tree

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_MOST_PORTS = 4096
_SERVICE = re.compile(r"[a-zA-Z0-9._-]+")

Resource = TypeVar("Resource", Network, Volume)


@dataclass(frozen=True, slots=True)
class HostContext:
    """What the host adds to a stack. `host_files` are the files of `<config>/env/<stack>/` by relative path.

    `directory`: the absolute folder of the host in which relative paths lie that git does not have; "": the check-out.
    """

    checkout: str
    directory: str = ""
    home: str = "/root"
    host_files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    host_file_root: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    profiles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LoadedStack:
    """A stack, and what reconciler's own manifests say beside it (`x-reconciler`, positioned and interpolated).

    `disabled`: services whose profiles are off. `reads`: every path of the repository that was read. `problems`: what
    is wrong; the stack then has only what is right, and lacks `others`: services that are there and could not be read
    (None: nobody knows which).
    """

    stack: Stack
    extensions: Map
    service_extensions: dict[str, Map]
    disabled: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[ReconcilerError, ...] = ()
    others: frozenset[str] | None = frozenset()


def load_stack(tree: Tree, path: str, host: HostContext, default_name: str) -> LoadedStack:
    """The stack of the Compose file at `path`, and of the override file beside it, for one host. BadConfiguration."""
    loaded = try_stack(tree, path, host, default_name)
    if loaded.problems:
        raise together(loaded.problems)
    return loaded


def try_stack(tree: Tree, path: str, host: HostContext, default_name: str) -> LoadedStack:
    """The same with all that is wrong. BadConfiguration when one of the files cannot be read at all."""
    mistakes = Mistakes()
    try:
        return _tried(tree, path, host, default_name, mistakes)
    except BadConfiguration as error:
        raise together([*mistakes.found, *error.each]) from None


def _tried(tree: Tree, path: str, host: HostContext, default_name: str, mistakes: Mistakes) -> LoadedStack:
    aside = Aside(parent(path), host.directory) if host.directory else None
    paths = Paths(tree, host.checkout, host.home, aside)
    folders: dict[str, str] = {}
    warnings: dict[str, None] = {}
    env_files = EnvFiles(paths, folders, host.host_files, host.host_file_root)
    source = Source(paths, env_files, folders, warnings, mistakes)
    start = Position(path, 1, 1)
    beside = override_beside(tree, path)
    documents = [source.parse(file, start) for file in (path, beside) if file]
    variables = _variables(host, env_files, parent(path), warnings, start)
    name = mistakes.of(_project_name, documents, variables, default_name) or "unnamed"
    variables.layers = (*variables.layers[:1], {"COMPOSE_PROJECT_NAME": name}, *variables.layers[1:])
    model = source.model(documents, path, variables)
    work = _Work(name, model, variables, env_files, mistakes)
    services, disabled = work.services(_active_profiles(host, variables))
    work.check(services, disabled)
    stack = work.stack(services, path)
    raw = {name: given for name, given in model.sections["services"].items() if name not in disabled}
    extensions = {name: given.child("x-reconciler") for name, given in raw.items() if work.whole(given)}
    return LoadedStack(
        stack,
        model.extension,
        extensions,
        disabled,
        reads=tuple(paths.reads),
        warnings=tuple(warnings),
        problems=tuple(mistakes.found),
        others=work.others(services, disabled) if model.complete else None,
    )


def _variables(
    host: HostContext, env_files: EnvFiles, folder: str, warnings: dict[str, None], at: Position
) -> Variables:
    """The caller's variables, then the host's `.env`, then the repository's. Each may use those before it."""
    given = Variables((host.variables,), warnings)
    beside_host = given.below(env_files.host_env(given.get))
    return beside_host.below(env_files.repo_env(folder, beside_host.get, at))


def _active_profiles(host: HostContext, variables: Variables) -> frozenset[str]:
    named = (variables.get("COMPOSE_PROFILES") or "").split(",")
    return host.profiles | {name.strip() for name in named if name.strip()}


def _project_name(documents: Sequence[Map], variables: Variables, default_name: str) -> str:
    """COMPOSE_PROJECT_NAME, then the last `name:`, then the default, as Compose has it."""
    chosen = variables.get("COMPOSE_PROJECT_NAME")
    document = next((one for one in reversed(documents) if one.get("name") is not None), documents[0])
    at = document.at("name")
    if not chosen and document.get("name") is not None:
        chosen = variables.fill(read.text(document, "name"), at)
    if chosen:
        if not _PROJECT.fullmatch(chosen):
            bad_value(at, "name", chosen, "a project name (a-z, 0-9, _ and -, beginning with a letter or digit)")
        return str(chosen)
    name = project_name(default_name)
    if not name:
        fail("E-COMPOSE-VALUE", f"no project name can be made of {default_name!r}", at, next="write name: at the top")
    return name


def project_name(folder: str) -> str:
    """What Compose makes of a folder's name; "" when nothing of it can stand."""
    return re.sub(r"[^a-z0-9_-]", "", folder.lower()).lstrip("_-")


@dataclass(frozen=True, slots=True)
class _Work:
    name: str
    model: Model
    variables: Variables
    env_files: EnvFiles
    mistakes: Mistakes

    def services(self, active: frozenset[str]) -> tuple[tuple[Service, ...], tuple[str, ...]]:
        """The services that are on, in the file's order, and the names of those that are off."""
        section = self.model.sections["services"]
        found: list[Service] = []
        disabled: list[str] = []
        published = 0
        for name, given in section.items():
            self.mistakes.of(_check_name, section, name)
            if not self.whole(given):
                self.mistakes.of(check_service, name, given)
                continue
            wanted = self.mistakes.of(profiles, given)
            if wanted and "*" not in active and active.isdisjoint(wanted):
                self.mistakes.of(check_service, name, given)
                disabled.append(name)
                continue
            found.append(self._service(name, given))
            published += len(found[-1].ports)
            if published > _MOST_PORTS:
                at = given.at("ports")
                fail("E-COMPOSE-VALUE", f"the stack publishes more than {_MOST_PORTS} ports", at, next="publish fewer")
        if not section and not self.mistakes.found:
            fail("E-COMPOSE-VALUE", "the file has no services", section.position, next="define one under services:")
        off = frozenset(disabled)
        return tuple(_without(service, off) for service in found), tuple(disabled)

    def check(self, services: tuple[Service, ...], disabled: tuple[str, ...]) -> None:
        """What the services say about each other, and about the rest of the stack."""
        if self.model.complete:
            others = self.others(services, disabled)
            references.check(services, self.model.sections, frozenset(disabled), others, self.mistakes)

    def others(self, services: tuple[Service, ...], disabled: tuple[str, ...]) -> frozenset[str]:
        """Services that are there, and could not be read."""
        known = frozenset((*self.model.sections["services"], *self.model.broken))
        return known - {service.name for service in services} - set(disabled)

    def whole(self, given: Any) -> bool:
        """Whether all its variables could be filled in; without a mistake there is nothing to look for."""
        return not self.mistakes.found or is_whole(given)

    def _service(self, name: str, given: Map) -> Service:
        made = make_service(
            name,
            given,
            stack=self.name,
            extended=self.model.extended.get(name, ()),
            variables=self.variables,
            env_files=self.env_files,
            mistakes=self.mistakes,
        )
        at = self.model.sections["services"].key_at(name)
        return replace(made, position=at)

    def stack(self, services: tuple[Service, ...], path: str) -> Stack:
        """The stack with what its services use; what no service uses is checked and left out, as Compose does."""
        networks = self._networks(services)
        volumes = self._volumes(services)
        files, sealed_files = self._files(services)
        sealed = self._sealed() | sealed_files
        return Stack(
            self.name,
            parent(path),
            path,
            tuple(replace(s, sealed=s.sealed or not sealed.isdisjoint(_uses(s))) for s in services),
            networks,
            volumes,
            files,
        )

    def _networks(self, services: tuple[Service, ...]) -> tuple[Network, ...]:
        section = self.model.sections["networks"]
        used = {a.network for s in services for a in s.networks}
        made = self._made(resources.network, section)
        if "default" in used:
            made.setdefault("default", Network("default", f"{self.name}_default"))
        return tuple(network for key, network in made.items() if key in used)

    def _volumes(self, services: tuple[Service, ...]) -> tuple[Volume, ...]:
        section = self.model.sections["volumes"]
        used = {m.source for s in services for m in s.mounts if m.kind == "volume"}
        made = self._made(resources.volume, section)
        return tuple(volume for key, volume in made.items() if key in used)

    def _made(self, make: Callable[[Map, str, str], Resource], section: Map) -> dict[str, Resource]:
        """Those of a section that are right."""
        whole = (key for key in section if self.whole(section[key]))
        made = {key: self.mistakes.of(make, section, key, self.name) for key in whole}
        return {key: one for key, one in made.items() if one is not None}

    def _files(self, services: tuple[Service, ...]) -> tuple[tuple[FileObject, ...], set[tuple[str, str]]]:
        """The configs and secrets in use; and which of them hold a value of the host."""
        made: list[FileObject] = []
        sealed: set[tuple[str, str]] = set()
        kinds: tuple[tuple[Literal["config", "secret"], str], ...] = (("config", "configs"), ("secret", "secrets"))
        used = {(g.kind, g.key) for s in services for g in s.grants}
        for kind, section_name in kinds:
            section = self.model.sections[section_name]
            for key in section:
                if (kind, key) not in used or not self.whole(section[key]):
                    if section[key] is not None:
                        self.mistakes.of(resources.check_file_keys, section, key, kind)
                    continue
                one = self.mistakes.of(
                    resources.file_object, section, key, kind, self.name, self.env_files, self.variables
                )
                if one is None:
                    continue
                made.append(one)
                variable = section[key].get("environment") if isinstance(section[key], Map) else None
                if variable and isinstance(self.variables.get(variable), FromHost):
                    sealed.add((section_name, key))
        return tuple(made), sealed

    def _sealed(self) -> set[tuple[str, str]]:
        names = ("networks", "volumes", "configs", "secrets")
        sections = self.model.sections
        return {(name, key) for name in names for key in sections[name] if is_sealed(sections[name][key])}


def _check_name(section: Map, name: str) -> None:
    if not _SERVICE.fullmatch(name):
        bad_value(section.key_at(name), "the service name", name, "made of letters, digits, . _ and -")


def _uses(service: Service) -> set[tuple[str, str]]:
    """The resources of the stack that enter a service, as (section, key)."""
    return {
        *(("networks", a.network) for a in service.networks),
        *(("volumes", m.source) for m in service.mounts if m.kind == "volume"),
        *((f"{g.kind}s", g.key) for g in service.grants),
    }


def _without(service: Service, disabled: frozenset[str]) -> Service:
    """Without its optional dependencies on services that are off."""
    kept = tuple(d for d in service.depends_on if d.required or d.service not in disabled)
    return service if len(kept) == len(service.depends_on) else replace(service, depends_on=kept)

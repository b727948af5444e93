"""Compose files of the repository become one model: variables filled in, `include`d files joined, `extends` resolved.

The model is still positioned raw data; its meaning is read later, so every value keeps the file it came from.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.compose import keys, read
from reconciler.core.compose.envsource import EnvFiles
from reconciler.core.compose.merge import count, merge_files, merge_services, settle
from reconciler.core.compose.paths import Paths, parent
from reconciler.core.compose.problems import bad_value, check_keys, fail, show, unsupported, want_map, want_seq
from reconciler.core.compose.variables import Variables, filled, is_whole
from reconciler.core.document import Limits, Map, Place, Seq, parse, read_file
from reconciler.core.mistakes import Mistakes
from reconciler.errors import BadConfiguration, Position
from reconciler.ports import Tree

SECTIONS = ("services", "networks", "volumes", "configs", "secrets")
OVERRIDES = tuple(f"{name}.override.{end}" for name in ("compose", "docker-compose") for end in ("yml", "yaml"))
"""The first that is there is laid over a Compose file (compose-go, cli.DefaultOverrideFileNames)."""

_MOST_FILES = 100
_MOST_VALUES = 200_000


@dataclass(slots=True)
class Model:
    """The sections of a stack, and for each service the other files whose definition it extends.

    `broken`: services that are there, and could not be read; `complete`: whether every section and included file could.
    """

    sections: dict[str, Map]
    extension: Map
    extended: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: dict[str, None] = field(default_factory=dict)
    complete: bool = True


class Source:
    """Reads Compose files for one stack. `folders`: file -> folder at which its relative paths begin.

    `mistakes` hears of what is wrong in a part, without which the other parts can be read all the same.
    """

    def __init__(
        self,
        paths: Paths,
        env_files: EnvFiles,
        folders: dict[str, str],
        warnings: dict[str, None],
        mistakes: Mistakes,
    ) -> None:
        self.paths = paths
        self.env_files = env_files
        self.folders = folders
        self.warnings = warnings
        self.mistakes = mistakes
        self._opened = 0

    def parse(self, path: str, at: Position) -> Map:
        """The document at a path of the repository, its top-level keys checked, its variables not yet filled in."""
        entry = self.paths.tree.entry(self.paths.follow(path, at))
        if entry is None or entry.kind not in ("file", "executable"):
            fail(
                "E-COMPOSE-REFERENCE",
                f"there is no file {path} in the repository",
                at,
                next="commit it, or correct the path",
            )
        self._opened += 1
        if self._opened > _MOST_FILES:
            fail("E-COMPOSE-CYCLE", f"more than {_MOST_FILES} files are read for one stack", at)
        real = self.paths.follow(path, at)
        if entry.size <= Limits().size:
            self.paths.check_content(real, at)
        self.paths.reads[real] = None
        document = want_map(parse(read_file(self.paths.tree, real), path), Position(path, 1, 1), "a Compose file")
        self.mistakes.of(check_keys, document, keys.TOP, "the file", keys.TOP_REFUSED)
        return document

    def model(self, documents: Sequence[Map], path: str, variables: Variables) -> Model:
        """The model of parsed documents, each laid over those before it, with all that they include and extend."""
        return self._assemble(self._laid(documents, variables), path, variables, (path,))

    def _laid(self, documents: Sequence[Map], variables: Variables) -> Map:
        """Several files as one. Variables are filled in first: what they make decides which entries are the same."""
        made: list[Map] = [filled(document, variables, document.position, self.mistakes) for document in documents]
        return functools.reduce(merge_files, made)

    def _assemble(self, laid: Map, path: str, variables: Variables, chain: tuple[str, ...]) -> Model:
        found = {name: self.mistakes.of(_section, laid, name) for name in (*SECTIONS, "x-reconciler")}
        sections = {name: Map(laid.places[name]) if made is None else made for name, made in found.items()}
        model = Model(sections, sections.pop("x-reconciler"), complete=None not in found.values())
        extends = _Extends(self, variables)
        resolved = Map(sections["services"].place)
        for name in sections["services"]:
            service = self.mistakes.of(extends.resolve, name, path, sections["services"], ())
            if service is None:
                model.broken[name] = None
                continue
            resolved.put(name, service[0], *_places(sections["services"], name))
            model.extended[name] = service[1]
        model.sections = {name: settle(section) for name, section in {**sections, "services": resolved}.items()}
        if laid.get("include") is not None:
            self._include(model, laid, variables, chain)
        return model

    def _include(self, model: Model, laid: Map, variables: Variables, chain: tuple[str, ...]) -> None:
        items = self.mistakes.of(want_seq, laid["include"], laid.at("include"), "include")
        if items is None:
            model.complete = False
            return
        for index in range(len(items)):
            part = self.mistakes.of(self._included, items, index, variables, chain) if is_whole(items[index]) else None
            if part is None:
                model.complete = False
                continue
            model.complete &= part.complete
            model.broken |= part.broken
            for name, section in part.sections.items():
                self.mistakes.of(_join, model.sections[name], section, name)
            for name, files in part.extended.items():
                model.extended.setdefault(name, files)
            if part.extension:
                self.warnings[f"{part.extension.position}: x-reconciler of an included file is not read"] = None

    def _included(self, items: Seq, index: int, variables: Variables, chain: tuple[str, ...]) -> Model:
        item, at = items[index], items.at(index)
        here = self.env_files.folder(at)
        if isinstance(item, Map):
            check_keys(item, keys.INCLUDE, "include")
            if "path" not in item:
                fail("E-COMPOSE-VALUE", "an include needs a path", item.position)
            written = read.one_or_many(item, "path")
        else:
            written = (read.filled(items, index),)
        files = [self.local(path, here, at) for path in written]
        if not files:
            bad_value(at, "path", item, "a path")
        for file in files:
            if file in chain:
                fail("E-COMPOSE-CYCLE", f"{' includes '.join((*chain, file))}", at, next="remove one of the includes")
        given = item if isinstance(item, Map) else Map()
        folder = self._project_folder(given, here, files[0])
        self.folders.update(dict.fromkeys(files, folder))
        inner = variables.below(self._include_env(given, folder, variables, at))
        documents = [self.parse(file, at) for file in files]
        return self._assemble(self._laid(documents, inner), files[0], inner, (*chain, *files))

    def local(self, path: str, folder: str, at: Position) -> str:
        if "://" in path or path.startswith(("git@", "oci:", "github.com/")):
            unsupported(
                at,
                f"the remote include {show(path)}",
                "copy the file into the repository",
                "what is deployed must be what the revision in git says",
            )
        repo = self.paths.locate(path, folder, at).repo
        if repo is None:
            fail(
                "E-COMPOSE-PATH",
                f"{show(path)} is outside the repository",
                at,
                why="what is deployed must be what the revision in git says",
                next="copy the file into the repository",
            )
        return repo

    def _project_folder(self, item: Map, here: str, file: str) -> str:
        if item.get("project_directory") is None:
            return parent(file)
        at = item.at("project_directory")
        repo = self.paths.locate(read.text(item, "project_directory"), here, at).repo
        if repo is None:
            fail("E-COMPOSE-PATH", "project_directory is outside the repository", at)
        return repo

    def _include_env(self, item: Map, folder: str, variables: Variables, at: Position) -> dict[str, str]:
        if item.get("env_file") is None:
            return self.env_files.repo_env(folder, variables.get, at)
        names = item["env_file"]
        files = names if isinstance(names, Seq) else Seq(item.places["env_file"], [(names, item.places["env_file"])])
        found: dict[str, str] = {}
        for index in range(len(files)):
            found.update(self.env_files.load(files, index, variables.get, {}))
        return found


class _Extends:
    """Resolves `extends` within one model; every service of every file once."""

    def __init__(self, source: Source, variables: Variables) -> None:
        self.source = source
        self.variables = variables
        self._services: dict[str, Map | BadConfiguration] = {}
        self._weight = 0
        self._done: dict[tuple[str, str], tuple[Map, tuple[str, ...]] | BadConfiguration] = {}

    def resolve(
        self, name: str, path: str, services: Map, chain: tuple[tuple[str, str], ...]
    ) -> tuple[Map, tuple[str, ...]]:
        """The service with what it extends, and the other files that it came from."""
        done = self._done.get((path, name))
        if done is None:
            try:
                done = self._resolve(name, path, services, chain)
            except BadConfiguration as error:  # whoever extends it is told the same, also when they go in a circle
                done = error
            self._done[path, name] = done
        if isinstance(done, BadConfiguration):
            raise done
        return done

    def _resolve(
        self, name: str, path: str, services: Map, chain: tuple[tuple[str, str], ...]
    ) -> tuple[Map, tuple[str, ...]]:
        service = want_map(services[name], services.at(name), f"the service {name}")
        if service.get("extends") is None:
            return service, ()
        at = service.at("extends")
        if not is_whole(service["extends"]):
            return service, ()
        chain = (*chain, (path, name))
        if len(chain) > 32:
            fail("E-COMPOSE-CYCLE", "services extend each other more than 32 levels deep", at)
        base_name, file = self._wanted(service)
        base_path, base_services = path, services
        if file is not None:
            base_path = self.source.local(file, self.source.env_files.folder(at), at)
            if base_path != path:
                base_services = self._open(base_path, at)
        if (base_path, base_name) in chain:
            ring = " extends ".join([*(f"{file}:{service}" for file, service in chain), f"{base_path}:{base_name}"])
            fail("E-COMPOSE-CYCLE", ring, at, next="remove one of the extends")
        if base_name not in base_services:
            fail("E-COMPOSE-REFERENCE", f"{name} extends {base_name!r}, which {base_path} does not have", at)
        base, files = self.resolve(base_name, base_path, base_services, chain)
        self._weigh(base, service, at)
        merged = merge_services(settle(base), service)
        merged.drop("extends")
        return merged, files if base_path == path else tuple(dict.fromkeys((*files, base_path)))

    def _weigh(self, base: Map, own: Map, at: Position) -> None:
        """Bound what many services make of one large base, before it is copied."""
        self._weight += count(base) + count(own)
        if self._weight > _MOST_VALUES:
            fail("E-YAML-SIZE", f"with extends resolved the stack holds more than {_MOST_VALUES} values", at)

    def _wanted(self, service: Map) -> tuple[str, str | None]:
        if isinstance(service["extends"], str):
            return read.filled(service, "extends"), None
        wanted = want_map(service["extends"], service.at("extends"), "extends")
        check_keys(wanted, keys.EXTENDS, "extends")
        if "service" not in wanted:
            fail("E-COMPOSE-VALUE", "extends needs a service", wanted.position)
        return read.filled(wanted, "service"), read.filled(wanted, "file") if wanted.get("file") is not None else None

    def _open(self, path: str, at: Position) -> Map:
        """The services of another file, which is read once, also when that fails."""
        if path not in self._services:
            try:
                document = self.source.parse(path, at)
                self._services[path] = _section(filled(document, self.variables, at, self.source.mistakes), "services")
            except BadConfiguration as error:
                self._services[path] = error
        found = self._services[path]
        if isinstance(found, BadConfiguration):
            raise found
        return found


def override_beside(tree: Tree, path: str) -> str | None:
    """The override file in the folder of a Compose file."""
    beside = (f"{parent(path)}/{name}".lstrip("/") for name in OVERRIDES)
    return next((file for file in beside if tree.entry(file)), None)


def _section(document: Map, name: str) -> Map:
    if document.get(name) is None:
        return Map(document.places.get(name, document.place))
    return want_map(document[name], document.at(name), name)


def _places(holder: Map, key: str) -> tuple[Place, Place]:
    return holder.places[key], holder.key_places[key]


def _join(target: Map, part: Map, section: str) -> None:
    for key in part:
        if key not in target:
            target.take(part, key)
        elif not _same(target[key], part[key]):
            fail(
                "E-COMPOSE-REFERENCE",
                f"{key!r} of {section} is defined here and in an included file",
                target.key_at(key),
                why=f"the other definition is at {part.key_at(key)}",
                next="rename one of them, or use extends",
            )


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)

"""Which files of the machine a project's Compose files call for, before any of them is in git.

Only what loading needs inside the repository is followed: what is mounted stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from posixpath import dirname, normpath
from posixpath import join as joined
from typing import Any

from reconciler.core.compose.mounts import is_path
from reconciler.core.compose.paths import join
from reconciler.core.compose.problems import fail
from reconciler.core.compose.variables import Variables, fill_tree
from reconciler.core.document import Map, Seq, parse
from reconciler.errors import Position
from reconciler.ports import Disk

_MOST_FILES = 100


@dataclass(slots=True)
class Needs:
    """All paths are absolute. `documents`: every Compose file that is read; `named`: those that another one names.

    `env_files`: the name under which a host keeps it -> where it is now. `values`: the `.env` of included folders.
    `contexts`: folders that are built from.
    `stays`: what is mounted by a relative path, configs and secrets among it. `profiles`: those of each service.
    """

    documents: dict[str, bytes] = field(default_factory=dict)
    named: dict[str, None] = field(default_factory=dict)
    env_files: dict[str, str] = field(default_factory=dict)
    values: dict[str, None] = field(default_factory=dict)
    contexts: dict[str, Position] = field(default_factory=dict)
    dockerfiles: dict[str, None] = field(default_factory=dict)
    stays: dict[str, None] = field(default_factory=dict)
    profiles: dict[str, tuple[str, ...]] = field(default_factory=dict)


def needs(files: tuple[str, ...], directory: str, disk: Disk, variables: Variables) -> Needs:
    """What the project with these files needs; its relative paths begin at `directory`. BadConfiguration."""
    walk = _Walk(directory, disk, variables)
    for file in files:
        walk.document(file, directory, Position(file))
    return walk.found


class _Walk:
    def __init__(self, directory: str, disk: Disk, variables: Variables) -> None:
        self._directory, self._disk, self._variables = directory, disk, variables
        self.found = Needs()

    def document(self, path: str, base: str, at: Position) -> None:
        """Read one file, whose relative paths begin at `base`, and follow what it names."""
        if path in self.found.documents:
            return
        content = self._disk.read(path)
        if content is None:
            fail("E-INIT-FILE", f"{path} cannot be read", at, next="check that it is there, and no larger than 1 MiB")
        self.found.documents[path] = content
        if len(self.found.documents) > _MOST_FILES:
            fail("E-COMPOSE-CYCLE", f"more than {_MOST_FILES} files are read for one stack", at)
        document = parse(content, path)
        if isinstance(document, Map):
            self._follow(fill_tree(document, self._variables, document.position), base)

    def _follow(self, document: Map, base: str) -> None:
        for item, at in _items(document, "include"):
            self._include(item, base, at)
        for kind in ("configs", "secrets"):
            section = document.child(kind)
            for file in filter(None, (_text(section.child(name).get("file")) for name in section)):
                self.found.stays[_absolute(file, base)] = None
        services = document.child("services")
        for name in services:
            service = services.child(name)
            self._extends(service, base)
            self._environment(service, base)
            self._build(service, base)
            self._binds(service, base)
            if "profiles" in service:
                self.found.profiles[name] = tuple(_texts(service, "profiles"))

    def _include(self, item: Any, base: str, at: Position) -> None:
        written = list(_texts(item, "path"))
        folder = _text(item.get("project_directory")) if isinstance(item, Map) else ""
        files = [self._inside(path, base, at) for path in written if "://" not in path]
        inner = _absolute(folder, base) if folder else dirname(files[0]) if files else base
        for file in files:
            self.found.named[file] = None
            self.document(file, inner, at)
        if isinstance(item, Map) and item.get("env_file") is not None:
            self._environment(item, inner)
        elif inner != self._directory:
            self.found.values[f"{inner}/.env"] = None

    def _extends(self, service: Map, base: str) -> None:
        extends = service.get("extends")
        file = _text(extends.get("file")) if isinstance(extends, Map) else ""
        if file:
            path = self._inside(file, base, service.at("extends"))
            self.found.named[path] = None
            self.document(path, dirname(path), service.at("extends"))

    def _environment(self, holder: Map, base: str) -> None:
        for key in ("env_file", "label_file"):
            for item, at in _items(holder, key):
                for written in _texts(item, "path"):
                    self._env_file(written, base, at)

    def _env_file(self, written: str, base: str, at: Position) -> None:
        """The host keeps it under the name by which the loader asks for it (docs/manifests.md)."""
        relative = "" if written.startswith(("/", "~")) else join("", written) or ""
        name, path = relative or written.rpartition("/")[2], _absolute(written, base)
        if self.found.env_files.setdefault(name, path) != path:
            other = self.found.env_files[name]
            fail("E-INIT-ENVFILE", f"{other} and {path} would both be kept as {name}", at, next="rename one of them")

    def _build(self, service: Map, base: str) -> None:
        build = service.get("build")
        if build is None:
            return
        given = service.child("build")
        context = _text(build) or _text(given.get("context")) or "."
        if "://" in context or context.startswith(("git@", "github.com/")):
            return  # refused when it is loaded
        folder = self._inside(context, base, service.at("build"))
        self.found.contexts[folder] = service.at("build")
        if dockerfile := _text(given.get("dockerfile")):
            self.found.dockerfiles[self._inside(dockerfile, folder, service.at("build"))] = None

    def _binds(self, service: Map, base: str) -> None:
        for item, _ in _items(service, "volumes"):
            source = _text(item.get("source")) if isinstance(item, Map) else _text(item).partition(":")[0]
            if is_path(source):
                self.found.stays[_absolute(source, base)] = None

    def _inside(self, written: str, base: str, at: Position) -> str:
        path = _absolute(written, base)
        if path != self._directory and not path.startswith(f"{self._directory.rstrip('/')}/"):
            fail(
                "E-INIT-OUTSIDE",
                f"{path} lies outside the folder of its project, {self._directory}",
                at,
                why="a stack is one folder in git, with all that is needed to load and build it",
                next="move it into the folder of the project, and correct the path",
            )
        return path


def _absolute(written: str, base: str) -> str:
    return normpath(joined(base, written))


def _items(holder: Map, key: str) -> Iterator[tuple[Any, Position]]:
    """The entries of a list, or the one thing that stands in its place."""
    value = holder.get(key)
    if isinstance(value, Seq):
        yield from ((item, value.at(index)) for index, item in enumerate(value))
    elif value is not None:
        yield value, holder.at(key)


def _texts(item: Any, key: str) -> Iterator[str]:
    """A text, or the texts under `key` of a mapping."""
    value = item.get(key) if isinstance(item, Map) else item
    yield from (text for text in (value if isinstance(value, Seq) else [value]) if isinstance(text, str) and text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

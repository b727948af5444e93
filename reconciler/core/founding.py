"""A project of this machine becomes a stack: what of it goes into git, and what stays with the host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from posixpath import basename, dirname, relpath

from reconciler.core.assemble import COMPOSE_FILES
from reconciler.core.build_context import ignore_patterns, is_ignored
from reconciler.core.compose.envfile import BadEnvFile, parse_env
from reconciler.core.compose.load import HostContext, LoadedStack, load_stack
from reconciler.core.compose.problems import fail
from reconciler.core.compose.source import OVERRIDES
from reconciler.core.compose.variables import Variables
from reconciler.core.needs import needs
from reconciler.core.pins import MARK, pins
from reconciler.core.survey import Project
from reconciler.core.trees import Content, Executable, MemoryTree, Symlink
from reconciler.errors import Position, ReconcilerError
from reconciler.ports import Disk

_MOST_FILES = 10_000
MAIN, OVER, ENV = "compose.yaml", "compose.override.yaml", ".env"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the new stacks go: the folder of manifests in git, the host's check-out and home, `<config>/env`.

    `most`: bytes that a project may bring into git.
    """

    manifests: str
    checkout: str
    home: str
    env: str
    most: int = 20 << 20


@dataclass(frozen=True, slots=True)
class Taken:
    """`files`: path below the stack's folder -> content. `environment`: name below `<config>/env/<stack>/` -> content.

    `origins`: both kinds of name -> the file of the machine that it is a copy of. `hints`: files that are mounted
    read-only, from where they are; git could manage them. `idle`: services that do not run; a pass would start them.
    """

    project: Project
    files: Mapping[str, Content]
    environment: Mapping[str, bytes] = field(repr=False)
    origins: Mapping[str, str]
    hints: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.project.name


def take(project: Project, disk: Disk, to: Destination) -> Taken:
    """The project as a stack that loads. BadConfiguration, with the place in the user's own file."""
    draft = _Draft(project, disk, to)
    loaded = _load(draft.taken(), to)
    if loaded.stack.name != project.name and not project.labelled:
        return take(replace(project, name=loaded.stack.name), disk, to)
    draft.named = loaded.stack.name != project.name
    draft.on = frozenset(project.services) & frozenset(loaded.disabled)
    loaded = _load(draft.taken(), to)
    marked = _load(draft.taken(), replace(to, home=MARK))
    draft.pins = pins(loaded.stack, marked.stack, project, disk.home(project.directory) or to.home).encode()
    taken = draft.taken()
    loaded = _load(taken, to)
    _refuse_moved_files(taken, loaded)
    at_rest = {*project.services, *project.done}
    idle = tuple(s.name for s in loaded.stack.services if s.replicas and s.name not in at_rest)
    return replace(taken, hints=tuple(_hints(taken, loaded, disk)), idle=idle)


class _Draft:
    """What becomes of a project, step by step.

    `named`: the name that containers have is written down, since the file says another. `on`: services that run by a
    profile that was given on the command line. `pins`: an override file that holds binds where they are.
    """

    named = False
    on: frozenset[str] = frozenset()
    pins = b""

    def __init__(self, project: Project, disk: Disk, to: Destination) -> None:
        self.project, self.disk, self.to = project, disk, to
        self.origins: dict[str, str] = {}
        self.env = self._env()
        self.own = self._own()
        layers = ({"COMPOSE_PROJECT_NAME": project.name}, self.own, self._shell())
        self.needs = needs(project.files, project.directory, disk, Variables(layers, {}))

    def taken(self) -> Taken:
        self.origins = {ENV: self.origins[ENV]} if ENV in self.origins else {}
        files = self._main()
        for path in self.needs.named:
            self._put(files, self._inside(path), self.needs.documents[path], path)
        for path, content in self._contexts.items():
            if (inside := self._inside(path)) not in files:
                self._put(files, inside, content, path)
        return Taken(self.project, files, self._environment(), dict(self.origins))

    def _main(self) -> dict[str, Content]:
        """One file and its override keep to the names that everybody knows; anything else needs a file around it."""
        parts = [(self.needs.documents[path], path) for path in self.project.files]
        parts += [(self.pins, "")] if self.pins else []
        files: dict[str, Content] = {}
        if len(parts) <= 2 and not self.named:
            names = [MAIN, OVER][: len(parts)]
        else:
            names = [f"compose.{number}.yaml" for number, _ in enumerate(parts, 1)]
            files[MAIN] = _around(self.project, names)
        for name, (content, path) in zip(names, parts, strict=True):
            self._put(files, name, content, path)
        return files

    def _put(self, files: dict[str, Content], name: str, content: Content, origin: str) -> None:
        if name in files and files[name] != content:
            fail(
                "E-INIT-FILE",
                f"{origin} and {self.origins.get(name, 'a file of ours')} would both be {name}",
                Position(origin),
                next="rename it, and correct the path in the file that names it",
            )
        files[name], self.origins[name] = content, origin

    def _inside(self, path: str) -> str:
        return relpath(path, self.project.directory)

    def _env(self) -> bytes:
        """What stands for `.env`."""
        found = [(path, self.disk.read(path)) for path in self.project.env_files]
        for path, content in found:
            if content is not None:
                self.origins[ENV] = path
        text = b"\n".join(content.rstrip(b"\n") for _, content in found if content)
        return text + b"\n" if text else b""

    def _own(self) -> dict[str, str]:
        try:
            return parse_env(self.env, {"COMPOSE_PROJECT_NAME": self.project.name, **self._shell()}.get)
        except BadEnvFile as error:
            at = Position(self.origins.get(ENV, ENV), error.line, 1)
            fail("E-COMPOSE-ENVFILE", str(error), at, next="write one KEY=value per line")

    def _shell(self) -> dict[str, str]:
        """What every shell gives to the Compose files that it starts, and a pass does not."""
        home = self.disk.home(self.project.directory)
        return {"PWD": self.project.directory, "HOME": home, "USER": basename(home)}

    def _environment(self) -> dict[str, bytes]:
        named = {name: (path, self.disk.read(path)) for name, path in self.needs.env_files.items()}
        made = {name: content for name, (_, content) in named.items() if content is not None}
        self.origins |= {name: path for name, (path, _) in named.items() if name in made}
        # The project's own values count for more than those of folders that it includes: the last one stands.
        inner = [self.disk.read(path) for path in self.needs.values]
        env = b"\n".join((*(content for content in inner if content), self.env))
        more = self._from_shell() | self._profiles()
        lines = "".join(f"{name}={json.dumps(value)}\n" for name, value in more.items())
        if lines:
            note = "# Written by reconciler init: what the shell or the command line gave that started the project.\n"
            made[ENV] = env + (note + lines).encode()
        elif env:
            made[ENV] = env
        return made

    def _from_shell(self) -> dict[str, str]:
        text = b"\n".join(self.needs.documents.values())
        return {k: v for k, v in self._shell().items() if _uses(text, k) and self.own.get(k) is None}

    def _profiles(self) -> dict[str, str]:
        """The first profile of each service that is on without one of ours, besides those that were on anyway."""
        wanted = {self.needs.profiles[name][0] for name in self.on if self.needs.profiles.get(name)}
        before = self.own.get("COMPOSE_PROFILES") or ""
        return {"COMPOSE_PROFILES": ",".join(filter(None, (before, *sorted(wanted))))} if wanted else {}

    @cached_property
    def _contexts(self) -> dict[str, Content]:
        """What images are built from, by absolute path; never a file with values, nor what is mounted."""
        found: dict[str, Content] = {}
        without = {*self.project.env_files, *self.needs.env_files.values(), *self.needs.stays}
        dockerfiles = {*self.needs.dockerfiles, *(f"{folder}/Dockerfile" for folder in self.needs.contexts)}
        size = 0
        for folder, at in self.needs.contexts.items():
            ignored = ignore_patterns(self.disk.read(f"{folder}/.dockerignore") or b"")
            for path, entry in self.disk.below(folder, without):
                full = f"{folder}/{path}"
                if self._stays_out(full) or (is_ignored(path, ignored) and full not in dockerfiles):
                    continue
                size += entry.size
                if size > self.to.most or len(found) > _MOST_FILES:
                    self._too_much(folder, at)
                found[full] = self._content(full, entry.kind)
        beside = [path for path in dockerfiles if path not in found and self.disk.is_file(path)]
        return found | {path: self._content(path, "file") for path in beside}

    def _stays_out(self, path: str) -> bool:
        """Values, and Compose files that are no part of the project, or go by another name in git."""
        composes = dirname(path) == self.project.directory and basename(path) in (*COMPOSE_FILES, *OVERRIDES)
        return basename(path) == ENV or composes

    def _too_much(self, folder: str, at: Position) -> None:
        fail(
            "E-INIT-SIZE",
            f"the build context {folder} holds more than {self.to.most >> 20} MiB, or {_MOST_FILES} files",
            at,
            why="an image follows from git alone, so the whole context goes into git",
            next="keep data out of it with a .dockerignore, or allow more with --max-context",
        )

    def _content(self, path: str, kind: str) -> Content:
        if kind == "symlink":
            return Symlink(self.disk.link(path))
        content = self.disk.read(path, self.to.most)
        if content is None:
            fail("E-INIT-FILE", f"{path} cannot be read", Position(path), next="check its owner and mode")
        return Executable(content) if kind == "executable" else content


def _around(project: Project, names: list[str]) -> bytes:
    origins = "".join(f"#   {name}: {path}\n" for name, path in zip(names, project.files, strict=False))
    return (
        f"# Written by reconciler init. {project.name} runs of these files, each laid over those before it:\n"
        f"{origins}name: {json.dumps(project.name)}\ninclude:\n  - path: [{', '.join(names)}]\n"
    ).encode()


def _uses(text: bytes, name: str) -> bool:
    return re.search(rb"(?<!\$)\$\{?" + name.encode() + rb"\b", text) is not None


def _load(taken: Taken, to: Destination) -> LoadedStack:
    folder = f"{to.manifests}/stacks/{taken.name}".lstrip("/")
    tree = MemoryTree({f"{folder}/{path}": content for path, content in taken.files.items()})
    root = f"{to.env}/{taken.name}"
    context = HostContext(to.checkout, taken.project.directory, to.home, taken.environment, root)
    try:
        return load_stack(tree, f"{folder}/{MAIN}", context, taken.name)
    except ReconcilerError as error:
        for one in dict.fromkeys((error, *error.each)):
            if one.at:
                name = one.at.file.removeprefix(f"{folder}/").removeprefix(f"{root}/")
                one.at = replace(one.at, file=taken.origins.get(name) or one.at.file)
        raise


def _refuse_moved_files(taken: Taken, loaded: LoadedStack) -> None:
    """A config or secret that git holds is mounted from the check-out: never by surprise."""
    for item in loaded.stack.files:
        if item.repo_path is not None:
            now = f"{taken.project.directory}/{relpath(item.repo_path, loaded.stack.directory)}"
            fail(
                "E-INIT-BIND",
                f"the {item.kind} {item.key} is {now}, which is also read as a Compose file or to build",
                Position(taken.project.files[0]),
                why="git will hold that file, so it would be mounted from git's check-out instead",
                next="give it a file of its own",
            )


def _hints(taken: Taken, loaded: LoadedStack, disk: Disk) -> Iterator[str]:
    """Configuration that stays where it is, and could be managed with git."""
    directory = f"{taken.project.directory}/"
    for service in loaded.stack.services:
        for mount in service.mounts:
            is_bind = mount.kind == "bind" and mount.read_only and mount.source.startswith(directory)
            if is_bind and disk.read(mount.source) is not None:
                yield mount.source

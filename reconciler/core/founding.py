"""A project of this machine becomes a stack: what of it goes into git, and what stays with the host."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from posixpath import basename, relpath

from reconciler.core.build_context import ignore_patterns, is_ignored
from reconciler.core.compose.envfile import BadEnvFile, parse_env
from reconciler.core.compose.load import HostContext, LoadedStack, load_stack
from reconciler.core.compose.problems import fail
from reconciler.core.compose.variables import Variables
from reconciler.core.needs import needs
from reconciler.core.survey import Project
from reconciler.core.trees import Content, Executable, MemoryTree, Symlink
from reconciler.errors import Position, ReconcilerError
from reconciler.ports import Disk

MAIN, OVER, ENV = "compose.yaml", "compose.override.yaml", ".env"


@dataclass(frozen=True, slots=True)
class Ground:
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
    read-only, from where they are; git could manage them.
    """

    project: Project
    files: Mapping[str, Content]
    environment: Mapping[str, bytes] = field(repr=False)
    origins: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.project.name


def take(project: Project, disk: Disk, ground: Ground) -> Taken:
    """The project as a stack that loads. BadConfiguration, with the place in the user's own file."""
    draft = _Draft(project, disk, ground)
    taken = draft.taken()
    loaded = _load(taken, ground)
    if loaded.stack.name != project.name and not project.labelled:
        return take(replace(project, name=loaded.stack.name), disk, ground)
    off = set(project.services) & set(loaded.disabled)
    if off or loaded.stack.name != project.name:
        taken = draft.taken(named=loaded.stack.name != project.name, on=off)
        loaded = _load(taken, ground)
    _refuse_moved_binds(taken, loaded, ground)
    return replace(taken, warnings=loaded.warnings, hints=tuple(_hints(taken, loaded, disk)))


class _Draft:
    def __init__(self, project: Project, disk: Disk, ground: Ground) -> None:
        self.project, self.disk, self.ground = project, disk, ground
        self.origins: dict[str, str] = {}
        self.env = self._env()
        self.own = self._own()
        layers = ({"COMPOSE_PROJECT_NAME": project.name}, self.own, self._shell())
        self.needs = needs(project.files, project.directory, disk, Variables(layers, {}))

    def taken(self, *, named: bool = False, on: Collection[str] = ()) -> Taken:
        """`named`: the name that containers have is written down, since the file says another.

        `on`: services that run by a profile that was given on the command line.
        """
        files = self._main(named=named)
        for path in self.needs.named:
            self._put(files, self._inside(path), self.needs.documents[path], path)
        self._contexts(files)
        return Taken(self.project, files, self._environment(on), dict(self.origins))

    def _main(self, *, named: bool) -> dict[str, Content]:
        """One file and its override keep to the names that everybody knows; anything else needs a file around it."""
        paths = self.project.files
        files: dict[str, Content] = {}
        if len(paths) <= 2 and not named:
            names = [MAIN, OVER][: len(paths)]
        else:
            names = [f"compose.{number}.yaml" for number, _ in enumerate(paths, 1)]
            files[MAIN] = _around(self.project, names)
        for name, path in zip(names, paths, strict=True):
            self._put(files, name, self.needs.documents[path], path)
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

    def _environment(self, on: Collection[str]) -> dict[str, bytes]:
        named = {name: (path, self.disk.read(path)) for name, path in self.needs.env_files.items()}
        made = {name: content for name, (_, content) in named.items() if content is not None}
        self.origins |= {name: path for name, (path, _) in named.items() if name in made}
        more = self._from_shell() | self._profiles(on)
        lines = "".join(f"{name}={json.dumps(value)}\n" for name, value in more.items())
        if lines:
            note = "# Written by reconciler init: what the shell or the command line gave that started the project.\n"
            made[ENV] = self.env + (note + lines).encode()
        elif self.env:
            made[ENV] = self.env
        return made

    def _from_shell(self) -> dict[str, str]:
        text = b"\n".join(self.needs.documents.values())
        return {k: v for k, v in self._shell().items() if _uses(text, k) and self.own.get(k) is None}

    def _profiles(self, on: Collection[str]) -> dict[str, str]:
        """The first profile of each service that is on without one of ours, besides those that were on anyway."""
        wanted = {self.needs.profiles[name][0] for name in on if self.needs.profiles.get(name)}
        before = self.own.get("COMPOSE_PROFILES") or ""
        return {"COMPOSE_PROFILES": ",".join(filter(None, (before, *sorted(wanted))))} if wanted else {}

    def _contexts(self, files: dict[str, Content]) -> None:
        """What images are built from; never a file with values, nor data that is mounted."""
        without = {*self.project.env_files, *self.needs.env_files.values(), *self.needs.stays}
        size = 0
        for folder, at in self.needs.contexts.items():
            ignored = ignore_patterns(self.disk.read(f"{folder}/.dockerignore") or b"")
            for path, entry in self.disk.below(folder, without):
                full = f"{folder}/{path}"
                if is_ignored(path, ignored) and full not in self.needs.dockerfiles and path != "Dockerfile":
                    continue
                size += entry.size
                if size > self.ground.most:
                    self._too_much(folder, at)
                if (inside := self._inside(full)) not in files:
                    self._put(files, inside, self._content(full, entry.kind), full)

    def _too_much(self, folder: str, at: Position) -> None:
        fail(
            "E-INIT-SIZE",
            f"the build context {folder} holds more than {self.ground.most >> 20} MiB",
            at,
            why="an image follows from git alone, so the whole context goes into git",
            next="keep data out of it with a .dockerignore, or allow more with --max-context",
        )

    def _content(self, path: str, kind: str) -> Content:
        if kind == "symlink":
            return Symlink(self.disk.link(path))
        content = self.disk.read(path, self.ground.most)
        if content is None:
            fail("E-INIT-FILE", f"{path} cannot be read", Position(path), next="check its owner and mode")
        return Executable(content) if kind == "executable" else content


def _around(project: Project, names: list[str]) -> bytes:
    origins = "".join(f"#   {name}: {path}\n" for name, path in zip(names, project.files, strict=True))
    return (
        f"# Written by reconciler init. {project.name} runs of these files, each laid over those before it:\n"
        f"{origins}name: {json.dumps(project.name)}\ninclude:\n  - path: [{', '.join(names)}]\n"
    ).encode()


def _uses(text: bytes, name: str) -> bool:
    return re.search(rb"(?<!\$)\$\{?" + name.encode() + rb"\b", text) is not None


def _load(taken: Taken, ground: Ground) -> LoadedStack:
    folder = f"{ground.manifests}/stacks/{taken.name}".lstrip("/")
    tree = MemoryTree({f"{folder}/{path}": content for path, content in taken.files.items()})
    root = f"{ground.env}/{taken.name}"
    context = HostContext(ground.checkout, taken.project.directory, ground.home, taken.environment, root)
    try:
        return load_stack(tree, f"{folder}/{MAIN}", context, taken.name)
    except ReconcilerError as error:
        if error.at:
            name = error.at.file.removeprefix(f"{folder}/").removeprefix(f"{root}/")
            error.at = replace(error.at, file=taken.origins.get(name, error.at.file))
        raise


def _refuse_moved_binds(taken: Taken, loaded: LoadedStack, ground: Ground) -> None:
    """What git holds is mounted from the check-out: never by surprise."""
    folder = f"{ground.manifests}/stacks/{taken.name}".lstrip("/")
    moved = [(m.repo_path, s.name, s.position) for s in loaded.stack.services for m in s.mounts if m.kind == "bind"]
    moved += [(f.repo_path, f"{f.kind} {f.key}", Position(f"{folder}/{MAIN}")) for f in loaded.stack.files]
    for path, user, at in moved:
        if path is not None:
            now = f"{taken.project.directory}/{relpath(path, folder)}".removesuffix("/.")
            fail(
                "E-INIT-BIND",
                f"{user} mounts {now}, which would be mounted from git's check-out instead",
                replace(at, file=taken.origins.get(at.file.removeprefix(f"{folder}/"), at.file)),
                why="git will hold that path or a part of it, and what else lies there would be left behind",
                next=f"write the absolute path in the file, {now}; to compose it is the same",
            )


def _hints(taken: Taken, loaded: LoadedStack, disk: Disk) -> Iterator[str]:
    """Configuration that stays where it is, and could be managed with git."""
    directory = f"{taken.project.directory}/"
    for service in loaded.stack.services:
        for mount in service.mounts:
            is_bind = mount.kind == "bind" and mount.read_only and mount.source.startswith(directory)
            if is_bind and disk.read(mount.source) is not None:
                yield mount.source

"""From what a machine runs to what `init` would write: looking, asking, and reading every file on the way."""

from __future__ import annotations

import os
import posixpath
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.adapters.compose_files import LocalDisk, search
from reconciler.adapters.docker.engine import DockerEngine
from reconciler.adapters.host_files import environment_in, real_path
from reconciler.adapters.new_repository import Clone, clone, is_repository
from reconciler.adapters.placing import Placing
from reconciler.adapters.secrets import SecretStore
from reconciler.cli.frame import Frame
from reconciler.cli.init.ask import ROOTS, Questions, Wish, listed
from reconciler.cli.init.files import Foundation, LeftOut, Place, desired, exists, git_files, stack_folder
from reconciler.core.assemble import COMPOSE_FILES
from reconciler.core.compose.source import OVERRIDES
from reconciler.core.founding import MAIN, Destination, Taken, take
from reconciler.core.guard import Policy, checkout_refusals, paths
from reconciler.core.survey import Project, survey
from reconciler.core.trees import MemoryTree
from reconciler.core.trust import Granted, grant
from reconciler.errors import ReconcilerError, SeveralMistakes, Terminal, Transient
from reconciler.git.transport import Transport, is_local
from reconciler.model.desired import Desired
from reconciler.model.observed import Container
from reconciler.ports import Tree
from reconciler.wiring import make_rules

_DEPTH, _MOST_ENTRIES = 4, 50_000
_ENGINE_DEADLINE = 20.0  # seconds


class Founding:
    """Gathers and asks; writes nothing but a clone beside its place."""

    def __init__(self, frame: Frame, wish: Wish, questions: Questions, placing: Placing) -> None:
        self.frame, self.wish, self.ask, self.placing = frame, wish, questions, placing
        self.warnings: list[str] = []
        self.open: list[str] = []

    def founded(self, config: Path) -> Foundation:
        """What there is to write. Any ReconcilerError; then nothing was written."""
        return replace(self._founded(config), questions=self.open)

    def _founded(self, config: Path) -> Foundation:
        place = self._place(config)
        known = place.clone.tree() if place.clone else None
        if place.clone and known and known.entry(f"{place.manifests}/fleet.yaml".lstrip("/")):
            return self._joined(place, known, place.clone)
        if known and place.manifests and known.entry(place.manifests):
            raise exists(
                Path(place.manifests), "the repository has such a folder without a fleet.yaml", "name another: --path"
            )
        projects = self._survey(place)
        taken, left_out = self._take(place, self.ask.projects(projects))
        if self.wish.strict and left_out:
            raise _first(left_out[0][1])
        named = {one.project.directory for one in taken} | {project.directory for project, _ in left_out}
        files = git_files(place, taken)
        environment = {one.name: one.environment for one in taken}
        wanted, warnings = desired(place, MemoryTree(files), lambda stack: environment.get(stack, {}))
        granted = self._grant(place, wanted)
        idle = [p for p in projects if p.directory not in named]
        return Foundation(place, granted, taken, left_out, idle, files, (*self.warnings, *warnings))

    def _joined(self, place: Place, tree: Tree, cloned: Clone) -> Foundation:
        """The repository has a fleet: only the host's own file is missing. BadConfiguration when it lacks this host."""
        wanted, warnings = desired(place, tree, lambda stack: environment_in(place.env / stack))
        _require_in_fleet(self.wish.project, wanted, place)
        place = replace(place, checkout=wanted.checkout)
        granted = self._grant(place, wanted)
        self.placing.drop(cloned.directory)
        return Foundation(place, granted, warnings=(*self.warnings, *warnings))

    # Where

    def _place(self, config: Path) -> Place:
        wish = self.wish
        own = socket.gethostname().partition(".")[0] or "host"
        host = self.ask.text("--host", wish.host, "Name of this host", own, r"[A-Za-z0-9][A-Za-z0-9._-]*")
        question = "Repository: a new path, or one that exists"
        written = self.ask.text("--repository", wish.repository, question, "/srv/git/fleet.git")
        question = "Where shall git's files lie on this host"
        checkout = self.ask.text("--checkout", wish.checkout, question, "/opt/fleet", "/.+")
        path = Path(written.removeprefix("file://")).absolute() if is_local(written) else None
        folder = posixpath.normpath(wish.path).strip("/")
        place = Place(
            config=config,
            host=host,
            checkout=checkout.rstrip("/"),
            url=f"file://{path}" if path else written,
            branch=wish.branch,
            manifests="" if folder == "." else folder,
            docker=self._docker(),
            token=wish.token,
            ssh_key=_absolute(wish.ssh_key),
            known_hosts=_absolute(wish.known_hosts),
        )
        if path and not is_repository(path):
            _require_free(path, "it is no git repository", "name another one with --repository")
            return replace(place, bare=path)
        return self._cloned(place, written)

    def _cloned(self, place: Place, written: str) -> Place:
        directory = self.wish.directory.absolute()
        _require_free(directory, f"{written} would be cloned there", "name another folder with --directory")
        token = SecretStore(str(place.config.parent)).read(place.token).decode().strip() if place.token else None
        key, hosts = (Path(file) if file else None for file in (place.ssh_key, place.known_hosts))
        made = clone(Transport(place.url, token, key, hosts), place.branch, self.placing.folder(directory))
        return replace(place, clone=made, directory=directory)

    def _docker(self) -> str:
        """The engine's address when it is not the default one: a timer's environment does not have DOCKER_HOST."""
        address = self.wish.docker or os.environ.get("DOCKER_HOST", "")
        return "" if address == "unix:///var/run/docker.sock" else address

    # What

    def _survey(self, place: Place) -> tuple[Project, ...]:
        roots = [str(Path(root).absolute()) for root in self.wish.search or ROOTS]
        names = frozenset((*COMPOSE_FILES, *OVERRIDES))
        found, whole = search(
            roots, names, depth=_DEPTH, most=_MOST_ENTRIES, avoid=(place.checkout, str(place.directory))
        )
        if not whole:
            self.warnings.append(
                f"more than {_MOST_ENTRIES} files were met; the search stopped: name folders with --search"
            )
        return survey(self._containers(), found, LocalDisk().is_file)

    def _containers(self) -> tuple[Container, ...]:
        engine = DockerEngine(self.wish.docker, self.frame.timeout or _ENGINE_DEADLINE)
        try:
            return engine.observe("", "").containers
        except Transient as error:
            if self.wish.docker:
                raise
            self.warnings.append(f"{error}: only files were looked at, so nothing is known to run")
            return ()
        finally:
            engine.close()

    def _take(self, place: Place, projects: Sequence[Project]) -> tuple[list[Taken], list[LeftOut]]:
        to = Destination(
            place.manifests, place.checkout, str(Path.home()), str(place.env), most=self.wish.max_context << 20
        )
        taken: dict[str, Taken] = {}
        left_out: list[LeftOut] = []
        for project in projects:
            try:
                if project.trouble:
                    raise _unusable(project, project.trouble)
                one = take(project, LocalDisk(), to)
                if one.name in taken:
                    raise _unusable(project, f"{taken[one.name].project.directory} has a project of the same name")
            except ReconcilerError as error:
                left_out.append((project, error))
                continue
            taken[one.name] = one
        return list(taken.values()), left_out

    def _grant(self, place: Place, wanted: Desired) -> Granted:
        mounts = tuple(dict.fromkeys((place.checkout, *listed(self.wish.mounts or ""))))
        draft = place.settings(Policy(listed(self.wish.privileged or ""), mounts))
        policy = make_rules(place.read(draft)).policy
        for refusal in checkout_refusals(wanted, policy, {path: real_path(path) for path in paths(wanted, policy)}):
            raise refusal
        granted = grant(wanted, policy, real_path, self.ask.stack, self.ask.mount)
        self.open = self.ask.left()
        return granted


def _absolute(file: str) -> str:
    return str(Path(file).absolute()) if file else ""


def _require_free(path: Path, why: str, next: str) -> None:
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise exists(path, why, next)


def _first(error: ReconcilerError) -> ReconcilerError:
    """What stops a strict run. The project is in no repository yet, so it is not `validate` that names the others."""
    more = len(error.each) > 1
    return SeveralMistakes(error.each, "reconciler init --dry-run without --strict") if more else error


def _require_in_fleet(projects: Sequence[str], wanted: Desired, place: Place) -> None:
    """A fleet is its owners' from its first commit on: nothing is added to it here, and nobody shall believe that."""
    for name in projects:
        if name not in {stack.name for stack in wanted.stacks}:
            raise Terminal(
                "E-INIT-PROJECT",
                f"the fleet in the repository has no stack {name} for {place.host}, and init adds none to a fleet",
                why="init writes a fleet once; from then on it is changed by commits",
                next=f"in a clone of {place.url}: copy its Compose file to {stack_folder(place, name)}/{MAIN}, "
                "add its folder to `directories:` of fleet.yaml, and push (docs/adopting.md)",
                unchanged="nothing was written",
            )


def _unusable(project: Project, why: str) -> Terminal:
    return Terminal(
        "E-INIT-PROJECT",
        f"the project {project.name} cannot be taken over",
        why=why,
        next=f"bring its files back and `docker compose up -d` there, or leave it out: --except {project.name}",
    )

"""The Compose projects of a machine, as the labels of containers and the files on disk tell of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from posixpath import basename, dirname, join, normpath
from typing import Any

from reconciler.core.assemble import COMPOSE_FILES
from reconciler.core.compose.load import project_name
from reconciler.core.compose.source import OVERRIDES
from reconciler.model import labels as label
from reconciler.model.observed import Container

_ALIVE = ("running", "paused", "restarting")


@dataclass(frozen=True, slots=True)
class Project:
    """One project; all paths are absolute.

    `files`: each is laid over those before it. `env_files`: what stands for `.env`. `services`: how many containers of
    each run. `binds`: service -> target -> source of what its container mounts. `done`: services that ended well and
    were not meant to run on. `labelled`: containers tell of it, so its name is certain. `trouble`: why it cannot be
    taken over; "" when it can.
    """

    name: str
    directory: str
    files: tuple[str, ...]
    env_files: tuple[str, ...] = ()
    services: Mapping[str, int] = field(default_factory=dict)
    binds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    labelled: bool = False
    trouble: str = ""
    done: frozenset[str] = frozenset()

    @property
    def running(self) -> bool:
        return bool(self.services)

    @property
    def containers(self) -> int:
        """How many run."""
        return sum(self.services.values())


def survey(
    containers: Iterable[Container], folders: Mapping[str, Collection[str]], exists: Callable[[str], bool]
) -> tuple[Project, ...]:
    """Every project once, by name; those that run come first.

    `folders`: folder -> names of its files, where a search met Compose files; `exists` tells whether a path is a file.
    """
    told = [_told(name, those, exists) for name, those in _by_project(containers).items()]
    known = {project.directory for project in told} | {file for project in told for file in project.files}
    met = [
        project
        for folder, names in folders.items()
        if (project := _met(folder, names))
        and known.isdisjoint((folder, project.files[0]))
        and not exists(f"{dirname(dirname(folder))}/fleet.yaml")  # a stack of a fleet that somebody cloned
    ]
    projects = sorted((*told, *met), key=lambda p: (not p.running, p.name, p.directory))
    return tuple(_one_name_each(projects))


def _by_project(containers: Iterable[Container]) -> dict[str, list[Container]]:
    """Containers of Compose, the newest first (as the engine lists them); `run` and our own do not count."""
    found: dict[str, list[Container]] = {}
    for container in containers:
        name = container.labels.get(label.PROJECT)
        if name and not container.owner and container.labels.get(label.ONEOFF) != "True":
            found.setdefault(name, []).append(container)
    return found


def _told(name: str, containers: Sequence[Container], exists: Callable[[str], bool]) -> Project:
    """The project of these containers; where they disagree about its files, those that run and the newest know best."""
    alive = [c for c in containers if c.state in _ALIVE]
    labels = (alive or containers)[0].labels
    directory = normpath(labels.get(label.WORKING_DIR, "")) if labels.get(label.WORKING_DIR) else ""
    written = _listed(labels.get(label.CONFIG_FILES, ""))
    files = tuple(_place(file, directory, exists) for file in written)
    found = Project(
        name,
        directory,
        files,
        _env_files(labels, directory, exists),
        dict(sorted(Counter(c.service for c in alive).items())),
        {c.service: _binds(c) for c in alive},
        labelled=True,
        done=frozenset(c.service for c in containers) - {c.service for c in containers if not _is_done(c)},
    )
    return replace(found, trouble=_trouble(found, {c.labels.get(label.WORKING_DIR, "") for c in alive}, exists))


def _is_done(container: Container) -> bool:
    """Whether it ran to its end, as a job does: an init container, a migration."""
    policy = (container.definition.get("HostConfig") or {}).get("RestartPolicy") or {}
    ended_well = container.state == "exited" and container.exit_code == 0 and bool(container.started_at)
    return ended_well and policy.get("Name", "") in ("", "no")


def _binds(container: Container) -> dict[str, str]:
    host: Mapping[str, Any] = container.definition.get("HostConfig") or {}
    written = (bind.split(":") for bind in host.get("Binds") or ())
    found = {parts[1]: parts[0] for parts in written if len(parts) > 1 and parts[0].startswith("/")}
    mounts = (m for m in host.get("Mounts") or () if m.get("Type") == "bind")
    return found | {str(m["Target"]): str(m["Source"]) for m in mounts}


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _place(file: str, directory: str, exists: Callable[[str], bool]) -> str:
    """Where the file lies. Version 1 wrote the path as it was typed, perhaps in a folder above the project's."""
    if file.startswith("/"):
        return normpath(file)
    folder = directory
    while folder not in ("", "/"):
        if exists(here := normpath(join(folder, file))):
            return here
        folder = dirname(folder)
    return normpath(join(directory, file))


def _env_files(labels: Mapping[str, str], directory: str, exists: Callable[[str], bool]) -> tuple[str, ...]:
    named = _listed(labels.get(label.ENV_FILES, ""))
    return tuple(_place(file, directory, exists) for file in named) or (f"{directory}/.env",)


def _trouble(project: Project, directories: Collection[str], exists: Callable[[str], bool]) -> str:
    if len(directories) > 1:
        return f"containers of several folders run under this name: {', '.join(sorted(directories))}"
    if not project.directory.startswith("/") or not project.files:
        return "its containers do not say where its files are"
    gone = [file for file in project.files if not exists(file)]
    if gone:
        return f"{', '.join(gone)} is not on this machine: removed, or seen only inside a container such as Portainer"
    return ""


def _met(folder: str, names: Collection[str]) -> Project | None:
    """The project whose files a search met in a folder."""
    base = next((name for name in COMPOSE_FILES if name in names), None)
    if base is None:
        return None
    over = next((name for name in OVERRIDES if name in names), None)
    files = tuple(join(folder, name) for name in (base, over) if name)
    name = project_name(basename(folder))
    trouble = "" if name else "no project name can be made of its folder"
    return Project(name or basename(folder), folder, files, (f"{folder}/.env",), trouble=trouble)


def _one_name_each(projects: Iterable[Project]) -> Iterator[Project]:
    first: dict[str, Project] = {}
    for project in projects:
        other = first.setdefault(project.name, project)
        if other is project:
            yield project
        else:
            yield replace(project, trouble=project.trouble or f"{other.directory} has a project of the same name")

"""What `init` is going to write, and where."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from itertools import count as counting
from pathlib import Path
from tempfile import TemporaryDirectory
from time import strftime

from reconciler.adapters.new_repository import Clone, author, commit, make_bare
from reconciler.adapters.placing import Placing
from reconciler.core.assemble import HostSide, assemble
from reconciler.core.counting import count
from reconciler.core.first_files import MARK, fleet_text, settings_text
from reconciler.core.founding import Taken
from reconciler.core.guard import Policy
from reconciler.core.survey import Project
from reconciler.core.trees import Content
from reconciler.core.trust import Granted
from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.desired import Desired
from reconciler.model.settings import Settings
from reconciler.ports import Tree
from reconciler.settings import DEFAULT_FILE, load_settings

LeftOut = tuple[Project, ReconcilerError]
_UNBORN = "0" * 40


@dataclass(frozen=True, slots=True)
class Place:
    """`config`: the host's own file; `url` stands in it. `bare`: a repository to make. `clone`: one to add to."""

    config: Path
    host: str
    checkout: str
    url: str
    branch: str
    manifests: str
    docker: str = ""
    token: str = ""
    ssh_key: str = ""
    known_hosts: str = ""
    bare: Path | None = None
    clone: Clone | None = None
    directory: Path = Path()

    @property
    def env(self) -> Path:
        return self.config.parent / "env"

    def settings(self, policy: Policy) -> str:
        wanted = {"url": self.url, "branch": self.branch, "path": self.manifests}
        wanted |= {"token": self.token, "ssh_key": self.ssh_key, "known_hosts": self.known_hosts}
        defaults = {"branch": "main", "path": "manifests", "token": "", "ssh_key": "", "known_hosts": ""}
        repository = {key: value for key, value in wanted.items() if value != defaults.get(key)}
        return settings_text(self.host, repository, self.docker, policy.allow_host_mounts, policy.allow_privileged)

    def read(self, text: str) -> Settings:
        """The settings as a pass will have them, environment and all. BadConfiguration."""
        with TemporaryDirectory(prefix="reconciler-init-") as folder:
            draft = Path(folder) / self.config.name
            draft.write_text(text)
            return replace(load_settings(str(draft)), config_directory=str(self.config.parent))


@dataclass(frozen=True, slots=True)
class Foundation:
    """Everything that was decided. `taken` is empty, and `git` too, when the repository knows this host already.

    `aside`: where the host's own file goes that is there already and says something else. `questions`: of a dry
    run, when nobody could be asked; all else is as if each were a yes.
    """

    place: Place
    granted: Granted
    taken: Sequence[Taken] = ()
    left_out: Sequence[LeftOut] = ()
    passed_over: Sequence[Project] = ()
    git: Mapping[str, Content] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    aside: Path | None = None
    questions: Sequence[str] = ()

    @property
    def settings(self) -> str:
        return self.place.settings(self.granted.policy)

    def env(self) -> Iterator[tuple[Path, bytes, str]]:
        """Path, content and origin of each file that stays with the host."""
        for taken in self.taken:
            for name, content in taken.environment.items():
                yield self.place.env / taken.name / name, content, taken.origins.get(name, "")


def config_file(given: str) -> Path:
    return Path(given or os.environ.get("RECONCILER_CONFIG") or DEFAULT_FILE).absolute()


def refuse_existing(config: Path, *, force: bool) -> None:
    """A file of somebody else is never overwritten; ours with `--force`."""
    if not config.exists():
        return
    ours = config.is_file() and config.read_bytes().startswith(MARK.encode())
    if ours and force:
        return
    raise exists(
        config,
        "an earlier init wrote it" if ours else "somebody wrote it by hand",
        "go on with it: reconciler plan; or write it anew with --force" if ours else "keep it, or move it away",
    )


def keeping(founded: Foundation) -> Foundation:
    """A file that people may have edited since is kept beside the new one, whoever wrote it first. OSError."""
    config = founded.place.config
    if not config.exists() or config.read_bytes() == founded.settings.encode():
        return founded
    first = config.with_name(f"{config.name}.before-{strftime('%Y-%m-%d')}")
    more = (first.with_name(f"{first.name}-{number}") for number in counting(2))
    return replace(founded, aside=next(path for path in chain([first], more) if not path.exists()))


def exists(path: Path, why: str, next: str) -> Terminal:
    return Terminal("E-INIT-EXISTS", f"{path} is there already", why=why, next=next, unchanged="nothing was written")


def git_files(place: Place, taken: Sequence[Taken]) -> dict[str, Content]:
    """Path in the repository -> content."""
    directories = {one.name: one.project.directory for one in taken}
    files: dict[str, Content] = {fleet_file(place): fleet_text(place.host, place.checkout, directories)}
    for one in taken:
        files |= {f"{stack_folder(place, one.name)}/{path}": content for path, content in one.files.items()}
    return files


def fleet_file(place: Place) -> str:
    """In the repository, as what follows."""
    return f"{place.manifests}/fleet.yaml".lstrip("/")


def stack_folder(place: Place, stack: str) -> str:
    return f"{place.manifests}/stacks/{stack}".lstrip("/")


def desired(place: Place, tree: Tree, environment: Callable[[str], Mapping[str, bytes]]) -> tuple[Desired, list[str]]:
    """What the repository wants of this host, and what is to say about it. BadConfiguration."""
    side = HostSide(place.host, environment, lambda stack: str(place.env / stack), str(Path.home()))
    made = assemble(tree, place.manifests, side, revision=_UNBORN, owner="").or_raise()
    return made.desired, list(made.warnings)


def put(founded: Foundation, placing: Placing, *, push: bool) -> None:
    """Write it all, or nothing. Pushing is the last thing before files take their place."""
    place = founded.place
    placing.make(place.config.parent, 0o755)
    for path, content, _ in founded.env():
        if not path.exists() or path.read_bytes() != content:
            if path.exists():
                raise exists(path, "it holds other values than the project has", "compare them, and move one away")
            placing.file(path, content, 0o600, folder_mode=0o700)
    if founded.git:
        taken = count(len(founded.taken), "Compose project as it is", "Compose projects as they are")
        message = f"Bring {place.host} under reconciler\n\n{taken}."
        if place.bare:
            staged = placing.folder(place.bare)
            make_bare(staged, place.branch)
            commit(staged, place.branch, founded.git, author(place.host), message)
        elif place.clone:
            commit(place.clone.git_dir, place.branch, founded.git, author(place.host), message)
    if founded.aside:
        placing.file(founded.aside, place.config.read_bytes(), place.config.stat().st_mode & 0o777)
    placing.file(
        place.config, founded.settings.encode(), 0o600 if re.search(r"://[^/@]*:[^/@]*@", place.url) else 0o644
    )
    if place.clone and founded.git:
        if push:
            place.clone.push()
        place.clone.check_out()
    placing.put()

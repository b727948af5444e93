"""A host whose passes can die: the engine is in memory, git, ledger, sentinels and working tree are real."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from reconciler.adapters.adoptions import AdoptionFile
from reconciler.adapters.host_files import LocalHostFiles, RepositoryIdentity, put
from reconciler.adapters.host_local import LocalShell
from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.adapters.probing import HostProbing
from reconciler.adapters.signals import SentinelSignals
from reconciler.adapters.swarm.build_swarm_memory import MemoryBuildSwarm
from reconciler.cli.progress import Silent
from reconciler.convergence.converge import Pass
from reconciler.convergence.gather import Site
from reconciler.convergence.world import Request, Rules, World
from reconciler.core.adoption import claimed
from reconciler.core.assemble import Assembled, HostSide, assemble
from reconciler.core.guard import Policy
from reconciler.git.worktree import record
from reconciler.git.worktree.apply import Hand
from reconciler.model.observed import Container, Slot
from reconciler.model.result import Result
from reconciler.ports import Tree
from tests.support.clock import FakeClock
from tests.support.crash_engine import HOST, CrashEngine
from tests.support.gitremote import Content, Remote
from tests.support.kept_folder import KeptFolder
from tests.support.near import near_repository
from tests.support.seam import Seam

Command = Literal["converge", "deploy", "rollback"]


@dataclass(frozen=True)
class Outcome:
    """All that must be the same whether or not a pass died on the way."""

    containers: Mapping[str, tuple[Any, ...]]
    networks: Mapping[str, str]
    volumes: Mapping[str, str]
    sentinels: Mapping[str, str]
    tree: Mapping[str, str]
    open_intents: tuple[str, ...]
    unfinished: tuple[str, ...]


@dataclass
class CrashHost:
    """One host below `folder`. Every pass gets adapters of its own, as a new process would.

    `also`: further ports of the World, such as a gate. `swarm`: who builds packages for it.
    """

    folder: Path
    engine: CrashEngine = field(default_factory=CrashEngine)
    parallel: int = 1
    runs: int = 0
    also: dict[str, Any] = field(default_factory=dict)
    swarm: MemoryBuildSwarm | None = None
    _read: dict[tuple[str, ...], Assembled] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.remote = Remote(self.folder)
        self.clock = FakeClock()
        put(self.state / "fingerprint.key", b"k" * 32, 0o600)
        self.engine.stacks = self.checkout / "manifests" / "stacks"

    @property
    def state(self) -> Path:
        return self.folder / "host" / "state"

    @property
    def checkout(self) -> Path:
        return self.folder / "host" / "checkout"

    def commit(self, files: Mapping[str, Content]) -> str:
        fleet = f"""
            apiVersion: reconciler/v1
            kind: Fleet
            hosts:
              {HOST}:
                connect: local
                checkout: {self.checkout}
            """
        return self.remote.commit({"manifests/fleet.yaml": fleet, **files})

    def converge(self, seam: Seam | None = None) -> Result:
        """The timer's pass."""
        return self.take("converge", seam=seam)

    def take(self, command: Command, revision: str = "", seam: Seam | None = None, target: str = "") -> Result:
        """One pass, as a process of its own; over all of the host, or over a target."""
        seam = seam or Seam()
        self.runs += 1
        git = near_repository(self.state, self.remote.url)
        ledger = SqliteLedger(self.state / "ledger.db")
        world = World(
            repository=seam.wrap("repository", git),
            engine=seam.wrap("engine", self.engine),
            ledger=seam.wrap("ledger", ledger),
            signals=seam.wrap("signals", SentinelSignals(self.state / "sentinels")),
            files=seam.wrap("files", LocalHostFiles(self.folder / "etc", self.state, str.encode)),
            adoptions=seam.wrap("adoptions", AdoptionFile(self.state)),
            identity=seam.wrap("identity", RepositoryIdentity(self.state, HOST, "manifests", git.root)),
            clock=self.clock,
            progress=Silent(),
            shell=seam.wrap("shell", LocalShell()),
            probing=HostProbing(),
            swarm=seam.wrap("swarm", self.swarm) if self.swarm else None,
            **self.also,
        )
        site = Site(HOST, "manifests", f"{self.state}/rendered", f"{self.folder}/etc/secrets", target=target)
        rules = Rules(
            site,
            Policy(allow_host_mounts=(str(self.checkout),)),
            window=0,
            timeout=2,
            job_timeout=2,
            parallel=self.parallel,
        )
        try:
            with _seamed_inside(seam), patch("reconciler.convergence.gather.assemble", self._assembled):
                request = Request(f"run-{self.runs}", command, "test", revision=revision, reason="of a test")
                return Pass(world, rules, request).run()
        finally:
            ledger.close()

    def _assembled(self, tree: Tree, manifests: str, side: HostSide, *, revision: str, owner: str) -> Assembled:
        """What a tree says is the same each time: it is read once, unless the host or a mistake has its say, too."""
        root = tree.entry("")
        assert root
        key = (root.id, manifests, side.name, side.home, revision, owner)
        if (found := self._read.get(key)) is None:
            found = assemble(tree, manifests, side, revision=revision, owner=owner)
            if not found.problems and not (self.folder / "etc").exists():
                self._read[key] = found
        return found

    def save(self) -> Saved:
        """All as it is, also in the middle of a pass: what is found by whoever comes after its death."""
        kept = KeptFolder.of(self.folder / "host")
        return Saved(kept, self.engine.copy(), self.runs, copy.deepcopy(self.swarm))

    def restore(self, saved: Saved) -> None:
        saved.kept.put_back(self.folder / "host")
        self.engine, self.runs = saved.engine.copy(), saved.runs
        self.swarm = copy.deepcopy(saved.swarm)

    def outcome(self) -> Outcome:
        ledger = SqliteLedger(self.state / "ledger.db")
        intents = tuple(f"{i.kind} {i.name}" for i in ledger.open_intents())
        unfinished = tuple(run.id for run in ledger.unfinished())
        ledger.close()
        observed = claimed(self.engine.observe(HOST, ""), AdoptionFile(self.state).known(), f"@{HOST}")
        ids = {network.id: network.name for network in observed.networks}
        return Outcome(
            {c.name: self._container(c, ids) for c in observed.containers},
            {n.name: n.fingerprint for n in observed.networks},
            {v.name: v.fingerprint for v in observed.volumes},
            {name: _meaning(path) for name, path in _files(self.state / "sentinels")},
            {name: path.read_text() for name, path in _files(self.checkout)},
            intents,
            unfinished,
        )

    def _container(self, container: Container, ids: Mapping[str, str]) -> tuple[Any, ...]:
        policy = container.definition.get("HostConfig", {}).get("RestartPolicy", {"Name": "no"})["Name"]
        networks = {ids.get(n, "gone"): sorted(aliases) for n, aliases in container.networks.values()}
        lives_in = self.engine.lives_in(container)
        heard = self.engine.heard.get(container.id, ())
        shape = (container.image, container.fingerprint, container.state, policy, networks)
        return (*shape, lives_in, heard, container.slot)


@dataclass(frozen=True)
class Saved:
    kept: KeptFolder
    engine: CrashEngine
    runs: int
    swarm: MemoryBuildSwarm | None = None


def ours(container: Container) -> bool:
    """Those of this fleet, and those that Compose made for one of its stacks."""
    return container.owner.endswith(f"@{HOST}") or (not container.owner and bool(container.stack))


class Watch:
    """What must hold at every moment: one container for a slot, and nobody else's is touched."""

    def __init__(self, host: CrashHost, overlapping: frozenset[str] = frozenset()) -> None:
        self._host, self._overlapping = host, overlapping
        self._foreign = _of_others(host.engine.containers())
        self._seen: object = None

    def __call__(self, point: str) -> None:
        if (glimpse := self._host.engine.glimpse()) == self._seen:
            return
        self._seen = glimpse
        running: dict[Slot, str] = {}
        containers = self._host.engine.containers()
        for container in containers:
            if ours(container) and container.running and container.service not in self._overlapping:
                other = running.setdefault(container.slot, container.name)
                assert other == container.name, f"{other} and {container.name} run both, {point}"
        assert _of_others(containers) == self._foreign, f"a container of somebody else was touched, {point}"


def _of_others(containers: Iterable[Container]) -> list[Container]:
    return [replace(c, started_at="") for c in containers if not ours(c)]


@contextlib.contextmanager
def _seamed_inside(seam: Seam) -> Iterator[None]:
    """A check-out is one effect with a middle: every file that is placed or removed, and its record."""

    def through(name: str, method: Any) -> Any:
        def passing(*given: Any) -> Any:
            seam.at(f"inside checkout: {name}")
            return method(*given)

        return passing

    with (
        patch.object(Hand, "place", through("place", Hand.place)),
        patch.object(Hand, "remove", through("remove", Hand.remove)),
        patch.object(record, "save", through("record", record.save)),
    ):
        yield


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield str(path.relative_to(folder)), path


def _meaning(sentinel: Path) -> str:
    """A stamp says which revision; everything else means something by being there."""
    return sentinel.read_text() if sentinel.name.endswith("sha") else "is there"

"""A swarm to test with: the real store and engine on a real disk, drones that do what a test tells them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.adapters.swarm.engine_embedded import EmbeddedEngine, EmbeddedLink
from reconciler.adapters.swarm.store import SqliteStore
from reconciler.core.packages.version import split_cpv
from reconciler.model.package import Edge, Listed, Listing, Package
from reconciler.model.queue import Ticked
from reconciler.model.swarm import Artifact, Beat, Build, Offer, Outcome, Request, Result
from reconciler.ports.swarm import BuildStore, DispatchEngine, Upload
from reconciler.swarm.orchestrator import Orchestrator
from reconciler.swarm.rules import Rules
from tests.support.seam import Seam

NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z
PROFILE = "amd64"


def package(cpv: str, **more: object) -> Package:
    parts = split_cpv(cpv)
    assert parts is not None, cpv
    return replace(Package(*parts), **more)  # type: ignore[arg-type]


def listing(tree: Mapping[str, Sequence[str]], **flags: str) -> Listing:
    """cpv -> the cpv's that it needs, as `emerge -p --tree` would list them."""
    entries = tuple(Listed(package(cpv, slot="0", repository="gentoo"), "ebuild", "N") for cpv in tree)
    edges = tuple(Edge(cpv, needed) for cpv, needs in tree.items() for needed in needs)
    return Listing(entries, edges=edges, tree=True)


Receive = Callable[[str, int, str, int, str], Upload]
"""How an upload begins: build, attempt, path, size, sha256."""


def upload(receive: Receive, offer: Offer, drone: str) -> tuple[Artifact, ...]:
    """A package for each atom of an offer, brought into the staging; what is in it is not for this test."""
    return tuple(_upload(receive, offer, drone, atom.lstrip("=").partition("::")[0]) for atom in offer.atoms)


def _upload(receive: Receive, offer: Offer, drone: str, cpv: str) -> Artifact:
    content = f"{cpv}, built on {drone} for {offer.lease}\n".encode()
    path = f"{package(cpv).cp}/{cpv.partition('/')[2]}-1.gpkg.tar"
    sha256 = hashlib.sha256(content).hexdigest()
    coming = receive(offer.build, offer.attempt, path, len(content), sha256)
    coming.write(content)
    coming.keep()
    return Artifact(path, len(content), sha256, {"CPV": cpv, "REPO": "gentoo", "BUILD_ID": "1"})


@dataclass
class ScriptedDrone:
    """A drone's end of the engine, in the hands of a test. `holding`: the offer that it works on."""

    name: str
    link: EmbeddedLink
    binhost: BinhostFolder
    orchestrator: Orchestrator
    boot: str = "boot-1"
    cores: int = 8
    sweeper: bool = False
    profile: str = PROFILE
    holding: Offer | None = None
    draining: bool = False
    gone: bool = False
    unable: str = ""

    def beat(self, now: float, phase: str = "") -> None:
        offer = self.holding
        self.link.beat(
            Beat(
                self.name,
                self.boot,
                now,
                self.cores,
                8 << 30,
                self.profile,
                sweeper=self.sweeper,
                draining=self.draining,
                gone=self.gone,
                unable=self.unable,
                build=offer.build if offer else "",
                attempt=offer.attempt if offer else 0,
                package=offer.atoms[0] if offer else "",
                phase=phase,
            )
        )

    def take(self) -> Offer | None:
        self.holding = self.link.next(0)
        return self.holding

    def upload(self, offer: Offer) -> tuple[Artifact, ...]:
        """As HTTP would take it: refused without the live lease."""
        if not self.orchestrator.holds(self.name, offer.build, offer.attempt):
            return ()
        return upload(self.binhost.receive, offer, self.name)

    def finish(self, result: Result = "succeeded", reason: str = "", text: str = "", seconds: float = 60.0) -> None:
        offer = self.holding
        assert offer is not None
        made = self.upload(offer) if result == "succeeded" and offer.kind == "package" else ()
        outcome = Outcome(offer.build, offer.attempt, self.name, result, seconds, reason, made, text, log="the log\n")
        self.link.finish(offer, outcome)
        self.holding = None


@dataclass
class Swarm:
    """An orchestrator whose time is the test's. `beside`: the one whose files, and binhost, it shares."""

    folder: Path
    rules: Rules = field(default_factory=Rules)
    now: float = NOON
    ended: list[tuple[Request, Sequence[Build]]] = field(default_factory=list)
    drones: dict[str, ScriptedDrone] = field(default_factory=dict)
    binhost: BinhostFolder = field(init=False)
    beside: Swarm | None = None
    holder: str = "one"

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.binhost = self.beside.binhost if self.beside else BinhostFolder(self.folder / "binhost", lambda: self.now)
        self.store: BuildStore = self.wrap("store", SqliteStore(self.folder / "swarm.db", lambda: self.now))
        self.engine: DispatchEngine = self.wrap("engine", EmbeddedEngine(self.folder / "engine.db", lambda: self.now))
        self.orchestrator = Orchestrator(
            self.store,
            self.engine,
            self.wrap("binhost", self.binhost),
            self.rules,
            holder=self.holder,
            ended=lambda request, builds: self.ended.append((request, tuple(builds))),
        )
        for drone in self.drones.values():
            drone.orchestrator, drone.binhost = self.orchestrator, self.binhost

    def wrap(self, name: str, port: Any) -> Any:
        return port

    def restart(self) -> None:
        """Another process goes on with the same files."""
        self.stop()
        self.start()

    def stop(self) -> None:
        self.store.close()  # type: ignore[attr-defined]
        self.engine.close()
        if self.beside is None:
            self.binhost.close()

    def drone(self, name: str, **more: object) -> ScriptedDrone:
        credential = self.orchestrator.enroll(name, "ana", self.now)
        link = EmbeddedLink(self.folder / "engine.db", credential)
        made = ScriptedDrone(name, link, self.binhost, self.orchestrator, **more)  # type: ignore[arg-type]
        self.drones[name] = made
        made.beat(self.now)
        return made

    def submit(self, tree: Mapping[str, Sequence[str]], key: str = "k1") -> Request:
        answer = self.orchestrator.submit(listing(tree), key=key, actor="ana", profile=PROFILE, now=self.now)
        return answer.request

    def tick(self, seconds: float = 1.0) -> Ticked:
        self.now += seconds
        return self.orchestrator.tick(self.now)

    def build_of(self, cpv: str) -> Build:
        found = [b for b in self.orchestrator.builds().builds if b.package is not None and b.package.cpv == cpv]
        return max(found, key=lambda build: build.queued)

    def close(self) -> None:
        for drone in self.drones.values():
            drone.link.close()
        self.stop()

    def beat(self, *names: str) -> None:
        """Of the named drones, or of all."""
        for name in names or self.drones:
            self.drones[name].beat(self.now)

    def take(self) -> dict[str, Offer]:
        """Whoever is free takes what lies there, and says so; what each holds now."""
        for drone in self.drones.values():
            if drone.holding is None and drone.take() is not None:
                drone.beat(self.now)
        return {name: drone.holding for name, drone in self.drones.items() if drone.holding is not None}

    def work(self, ticks: int = 50) -> None:
        """Everybody builds what there is, until nothing is left to do."""
        for _ in range(ticks):
            self.beat()
            ticked = self.tick()
            for drone in self.drones.values():
                while drone.take() is not None:
                    drone.finish()
            if not ticked.outcomes and not self.orchestrator.queue(self.now).entries:
                return
        raise AssertionError(f"there is something left: {self.orchestrator.queue(self.now).entries}")

    def states(self) -> dict[str, str]:
        """Package -> state of its newest build."""
        builds = sorted(self.orchestrator.builds().builds, key=lambda build: build.queued)
        return {str(build.package): build.state for build in builds if build.package is not None}


@dataclass
class SeamedSwarm(Swarm):
    """One whose orchestrator can die before and after each of its effects; `seam` counts from the next start on."""

    seam: Seam = field(default_factory=Seam)

    def wrap(self, name: str, port: Any) -> Any:
        seamed = self.seam.wrap(name, port)
        return _Acknowledging(self.seam, seamed) if name == "engine" else seamed


class _Acknowledging:
    """An engine of which the acknowledgement of an outcome is an effect, too."""

    def __init__(self, seam: Seam, engine: Any) -> None:
        self._seam, self._engine = seam, engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def outcomes(self) -> tuple[Any, ...]:
        return tuple(_Delivered(self._seam, delivery) for delivery in self._engine.outcomes())


class _Delivered:
    def __init__(self, seam: Seam, delivery: Any) -> None:
        self._seam, self._delivery = seam, delivery
        self.outcome = delivery.outcome

    def ack(self) -> None:
        self._seam.at("before engine.ack")
        self._delivery.ack()
        self._seam.at("after engine.ack")

"""An orchestrator that dies before and after each of its effects, and one that is really killed, again and again.

Whoever comes next goes on with the same files: everything ends as if nobody had died, every package is stored once, and
every request is told (again when the death came between telling and noting it).
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.adapters.binhost.staging import Staging
from reconciler.adapters.swarm.engine_embedded import EmbeddedEngine, EmbeddedLink
from reconciler.adapters.swarm.store import SqliteStore
from reconciler.model.queue import Attempt, BuildQuery
from reconciler.model.swarm import Artifact, Beat, Outcome
from reconciler.swarm.orchestrator import Orchestrator
from reconciler.swarm.rules import Rules
from tests.conftest import Tell
from tests.support.orchestrated import PROFILE, ScriptedDrone, SeamedSwarm, listing, upload
from tests.support.seam import Died, Seam

APP, LIB, ICU, BAD, TOP = "app-misc/app-1", "dev-libs/lib-2", "dev-libs/icu-74.1", "app-misc/bad-1", "app-misc/top-1"
ONE, TWO = "app-misc/one-1", "app-misc/two-1"


@dataclass
class Story:
    """What happens to a swarm, whoever orchestrates it; a death makes the next orchestrator go on with the story."""

    swarm: SeamedSwarm
    deaths: int = 0
    log: list[str] = field(default_factory=list)

    def do(self, step: Callable[[], Any]) -> None:
        """Again after a death: people and clocks do not know how far it had come."""
        try:
            step()
        except Died:
            self.deaths += 1
            self.swarm.seam = Seam()
            self.swarm.restart()
            step()

    def tick(self) -> None:
        self.swarm.beat(*self.awake)
        self.do(self.swarm.tick)

    def run(self) -> None:
        swarm = self.swarm
        self.awake = ["tau", "izar"]
        self.do(lambda: swarm.submit({TOP: [APP], APP: [LIB], LIB: [ICU], ICU: []}, "k1"))
        self.do(lambda: swarm.submit({BAD: [], ONE: [TWO], TWO: [ONE], ICU: []}, "k2"))
        self.do(lambda: swarm.submit({"app-misc/unwanted-1": [ICU], ICU: []}, "k3"))
        unwanted = swarm.orchestrator.requests()[0]
        with suppress(Exception):  # a second time it is cancelled already
            self.do(lambda: swarm.orchestrator.cancel(unwanted.id, "ana", swarm.now))
        for number in range(100):
            self.tick()
            self.work(lost="tau" if number == 1 else "")
            if number > 2 and not swarm.orchestrator.queue(swarm.now).entries:
                break
        for _ in range(3):
            self.tick()

    def work(self, lost: str = "") -> None:
        """Everybody builds what it holds; who is `lost` takes something, and is silent for two heartbeats."""
        if lost and (drone := self.swarm.drones[lost]).take() is not None:
            held, drone.holding = drone.holding, None
            others = [name for name in self.awake if name != lost]
            for _ in range(14):
                self.swarm.beat(*others)
                self.do(lambda: self.swarm.tick(5.0))
            drone.holding = held
            self.finish(drone)
        for name in self.awake:
            drone = self.swarm.drones[name]
            while drone.take() is not None:
                self.finish(drone)

    def finish(self, drone: ScriptedDrone) -> None:
        assert drone.holding is not None
        if BAD in drone.holding.atoms[0]:
            drone.finish("failed", "no space left")
        else:
            drone.finish()

    def ending(self) -> dict[str, object]:
        """What it comes to, without ids and times."""
        orchestrator = self.swarm.orchestrator
        builds = orchestrator.builds(BuildQuery(limit=1000)).builds
        return {
            "builds": sorted((str(build.package), build.state, len(build.failures)) for build in builds),
            "requests": sorted((request.key, request.state, request.reason) for request in orchestrator.requests()),
            "stored": sorted(stored.path for stored in self.swarm.binhost.index(PROFILE)),
            "outstanding": [self.swarm.engine.outstanding(name) for name in self.swarm.drones],
            "outcomes": len(self.swarm.engine.outcomes()),
            "staged": self.swarm.binhost.staged(),
            "complete": sorted(
                str(event.data["request"]) != ""
                for event in orchestrator.events(0, 10_000)
                if event.kind == "build_complete"
            ),
        }

    def built_in_vain(self) -> list[Attempt]:
        """What a drone finished, and nobody knew of."""
        orchestrator = self.swarm.orchestrator
        builds = orchestrator.builds(BuildQuery(limit=1000)).builds
        attempts = [attempt for build in builds for attempt in orchestrator.build(build.id).attempts]
        return [attempt for attempt in attempts if "the engine does not have" in attempt.reason]


@contextmanager
def story(folder: Path, seam: Seam) -> Any:
    swarm = SeamedSwarm(folder)
    for name in ("tau", "izar"):
        swarm.drone(name)
    swarm.tick()
    swarm.seam = seam
    swarm.restart()
    yield Story(swarm)
    swarm.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, object]]:
    """The points of the story, and how it ends when nobody dies."""
    seam = Seam()
    with story(tmp_path_factory.mktemp("undisturbed"), seam) as told:
        told.run()
        ending = told.ending()
    assert ending["builds"] == sorted(
        [(cpv, "succeeded", 0) for cpv in (TOP, APP, LIB, ICU, ONE, TWO)]
        + [(BAD, "failed", 3), ("app-misc/unwanted-1", "cancelled", 0)]
    )
    return seam.trace, ending


def test_a_death_at_any_point_changes_nothing_of_the_end(
    undisturbed: tuple[list[str], dict[str, object]], in_memory: Path, tell: Tell
) -> None:
    trace, expected = undisturbed
    kinds = {point.partition(".")[2].partition(" ")[0] for point in trace}
    assert kinds >= {"commit", "lease", "offer_all", "ack", "publish", "withdraw", "discard", "emit", "sent", "prune"}
    for number in range(len(trace)):
        seam = Seam(number)
        with story(in_memory / str(number), seam) as told:
            told.run()
            if not told.deaths:  # ids are random, so it may be shorter than the first one
                continue
            point = seam.trace[-1]
            assert told.ending() == expected, f"it died {point}"
            assert not told.built_in_vain(), f"it died {point}"
            notices = Counter(request.id for request, _ in told.swarm.ended)
            assert len(notices) == 3 and max(notices.values()) <= 2
            if "commit" not in point:
                assert max(notices.values()) == 1, f"it died {point}"
    tell(f"swarm: an orchestrator died at each of {len(trace)} points, which made no difference")


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """Nothing here survives a power cut, which is nothing that this test is about; it is as much faster."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else tmp_path) as folder:
        yield Path(folder)


class Killed:
    """A real orchestrator in a process of its own, and its death."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.orchestrated_child", str(self._folder)],
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.PIPE,
        )

    def wait_until_it_ticks(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ticking\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def again(self) -> None:
        self.kill()
        self.process = self._start()
        self.wait_until_it_ticks()


def test_an_orchestrator_that_is_killed_again_and_again_stores_everything_once(tmp_path: Path, tell: Tell) -> None:
    """SIGKILL at random moments, while drones in this process go on."""
    store, engine = SqliteStore(tmp_path / "swarm.db"), EmbeddedEngine(tmp_path / "engine.db")
    binhost = BinhostFolder(tmp_path / "binhost")
    here = Orchestrator(store, engine, binhost, Rules(), holder="a person")
    names = ["tau", "izar"]
    links = {name: EmbeddedLink(tmp_path / "engine.db", here.enroll(name, "ana", time.time())) for name in names}
    tree = {f"app-misc/p{number}-1": [f"app-misc/p{number // 2}-1"] if number else [] for number in range(80)}
    here.submit(listing(tree), key="k", actor="ana", profile=PROFILE, now=time.time())
    binhost.close()  # it is the other process's from here on; uploads reach its folder as HTTP would bring them
    staging = Staging(tmp_path / "binhost" / ".incoming")
    child = Killed(tmp_path)
    child.wait_until_it_ticks()
    dice, killed = random.Random(), 0
    next_death = time.monotonic() + 0.1
    deadline = time.monotonic() + 200
    while here.queue(time.time()).entries:
        assert time.monotonic() < deadline, here.queue(time.time()).entries[:3]
        for name in names:
            links[name].beat(Beat(name, "boot", time.time(), 4, 8 << 30, PROFILE))
            if (offer := links[name].next(0.02)) is not None:
                made: tuple[Artifact, ...] = ()
                if here.holds(name, offer.build, offer.attempt):
                    made = upload(lambda build, attempt, _, *sums: staging.receive(build, attempt, *sums), offer, name)
                outcome = Outcome(offer.build, offer.attempt, name, "succeeded", 0.1, artifacts=made)
                links[name].finish(offer, outcome)
        if time.monotonic() > next_death and killed < 10:
            child.again()
            killed += 1
            next_death = time.monotonic() + dice.uniform(0.01, 0.15)
    child.kill()
    assert killed >= 5
    builds = here.builds(BuildQuery(limit=1000)).builds
    assert {build.state for build in builds} == {"succeeded"} and len(builds) == 80
    assert {build.attempt for build in builds} == {1}, "what ran on was recognised"
    binhost = BinhostFolder(tmp_path / "binhost")
    assert sorted(stored.path for stored in binhost.index(PROFILE)) == sorted(build.stored for build in builds)
    assert sorted(stored.package.cpv for stored in binhost.index(PROFILE)) == sorted(tree)
    assert binhost.losses == [] and binhost.staged() == []
    binhost.close()
    for link in links.values():
        link.close()
    store.close()
    engine.close()
    tell(f"swarm: 80 builds were stored once each, while their orchestrator was killed {killed} times")

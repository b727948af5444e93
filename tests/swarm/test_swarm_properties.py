"""Whatever happens in whatever order: no build succeeds twice, none goes backwards, none is lost, every one ends.

Random submissions, outcomes, losses, late and repeated outcomes, cancellations, restarts of drones and orchestrators,
and deaths of the orchestrator amid a step, on the real store and engine.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.errors import Refused
from reconciler.model.swarm import Offer, Outcome
from reconciler.swarm.lifecycle import LEASED, progress
from tests.support.orchestrated import SeamedSwarm
from tests.support.seam import Died, Seam

PACKAGES = [f"app-misc/p{number}-1" for number in range(7)]
DRONES = ("tau", "izar", "vega")
TREES = st.dictionaries(
    st.sampled_from(PACKAGES), st.lists(st.sampled_from(PACKAGES), max_size=2, unique=True), min_size=1, max_size=5
)


class SwarmMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="swarm-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.swarm = SeamedSwarm(self.folder)
        self.offers: list[tuple[str, Offer]] = []
        self.seen: dict[str, tuple[bool, int, int]] = {}
        self.requests: list[str] = []

    @initialize()
    def drones_come(self) -> None:
        for name in DRONES:
            self.swarm.drone(name, sweeper=name == "vega")
        self.swarm.tick()

    def teardown(self) -> None:
        try:
            self.everything_ends()
        finally:
            self.swarm.close()
            shutil.rmtree(self.folder)

    # --- what people do

    @rule(tree=TREES)
    def submit(self, tree: dict[str, list[str]]) -> None:
        known = {cpv: [need for need in needs if need in tree and need != cpv] for cpv, needs in tree.items()}
        self.requests.append(self.swarm.submit(known, key=f"k{len(self.requests)}").id)

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        builds = [entry.build.id for entry in self.swarm.orchestrator.queue(self.swarm.now).entries]
        id = data.draw(st.sampled_from([*builds, *self.requests]))
        with suppress(Refused):  # it has ended
            self.swarm.orchestrator.cancel(id, "ana", self.swarm.now)

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def bump(self, data: st.DataObject) -> None:
        with suppress(Refused):  # it has ended
            self.swarm.orchestrator.bump(data.draw(st.sampled_from(self.requests)), "ana", self.swarm.now)

    @rule(name=st.sampled_from(DRONES), drain=st.booleans())
    def drain(self, name: str, drain: bool) -> None:
        (self.swarm.orchestrator.drain if drain else self.swarm.orchestrator.undrain)(name, "ana", self.swarm.now)

    @rule(name=st.sampled_from(DRONES))
    def restart_what_a_drone_does(self, name: str) -> None:
        self.swarm.orchestrator.restart(name, "ana", self.swarm.now)

    # --- what drones do

    @rule(name=st.sampled_from(DRONES))
    def take(self, name: str) -> None:
        drone = self.swarm.drones[name]
        if drone.holding is None and (offer := drone.take()) is not None:
            self.offers.append((name, offer))
            drone.beat(self.swarm.now)

    @rule(name=st.sampled_from(DRONES), result=st.sampled_from(["succeeded", "succeeded", "failed", "returned"]))
    def finish(self, name: str, result: Any) -> None:
        if self.swarm.drones[name].holding is not None:
            self.swarm.drones[name].finish(result, "it is so")

    @precondition(lambda self: self.offers)
    @rule(data=st.data(), result=st.sampled_from(["succeeded", "failed", "returned"]))
    def finish_an_old_one_again(self, data: st.DataObject, result: Any) -> None:
        name, offer = data.draw(st.sampled_from(self.offers))
        drone = self.swarm.drones[name]
        made = drone.upload(offer) if result == "succeeded" else ()
        drone.link.finish(offer, Outcome(offer.build, offer.attempt, name, result, 1.0, "late", made))

    @rule(name=st.sampled_from(DRONES), boot=st.integers(1, 1000))
    def a_drone_begins_anew(self, name: str, boot: int) -> None:
        drone = self.swarm.drones[name]
        drone.boot, drone.holding = f"boot-{boot}", None
        drone.beat(self.swarm.now)

    @rule(seconds=st.sampled_from([1.0, 20.0, 50.0, 70.0]), silent=st.sets(st.sampled_from(DRONES)))
    def time_passes(self, seconds: float, silent: set[str]) -> None:
        left = seconds
        while left > 0:
            step = min(left, 10.0)
            left -= step
            self.swarm.now += step
            self.swarm.beat(*(set(DRONES) - silent or {"tau"}))
            self.swarm.tick(0.0)

    # --- what becomes of the orchestrator

    @rule()
    def tick(self) -> None:
        self.swarm.tick()

    @rule()
    def restart(self) -> None:
        self.swarm.restart()

    @rule(at=st.integers(0, 12))
    def it_dies_amid_a_tick(self, at: int) -> None:
        self.swarm.seam = Seam(at)
        self.swarm.restart()
        with suppress(Died):
            self.swarm.tick()
        self.swarm.seam = Seam()
        self.swarm.restart()

    # --- what holds all the time

    @invariant()
    def builds_go_forward(self) -> None:
        for build in self.swarm.orchestrator.builds().builds:
            now = progress(build)
            assert now >= self.seen.get(build.id, now), build
            self.seen[build.id] = now

    @invariant()
    def no_build_is_stored_twice(self) -> None:
        """Nobody asks for other flags here, so one of each version is all that there is to store."""
        stored = Counter(each.package.cpv for each in self.swarm.binhost.index("amd64"))
        assert set(stored.values()) <= {1}, stored

    @invariant()
    def one_drone_has_it(self) -> None:
        for build in self.swarm.orchestrator.builds().builds:
            if build.state in LEASED:
                holders = [name for name in DRONES if self.swarm.orchestrator.holds(name, build.lead, build.attempt)]
                assert len(holders) <= 1 and build.drone in DRONES

    @invariant()
    def nothing_is_built_before_what_it_needs(self) -> None:
        """But for circles, which are built in one go."""
        board = self.swarm.orchestrator._desk.board
        for first, then in board.edges:
            if first in board.builds and then in board.builds and board.builds[then].state in LEASED:
                assert board.graph.unit[first] == board.graph.unit[then]

    # --- and in the end

    def everything_ends(self) -> None:
        for name, drone in self.swarm.drones.items():
            self.swarm.orchestrator.undrain(name, "ana", self.swarm.now)
            drone.boot, drone.holding = "the-last-boot", None
        self.swarm.work(ticks=200)
        self.swarm.tick()
        told = Counter(request.id for request, _ in self.swarm.ended)
        assert set(told) == set(self.requests)
        for id in self.requests:
            view = self.swarm.orchestrator.request(id)
            assert view.request.ended is not None and all(build.ended for build in view.builds)
        stored = {each.package.cpv: each for each in self.swarm.binhost.index("amd64")}
        for build in self.swarm.orchestrator.builds().builds:
            if build.state == "succeeded":
                assert build.package is not None and build.package.cpv in stored
        for name in DRONES:
            assert self.swarm.engine.outstanding(name) == frozenset()
        assert self.swarm.engine.outcomes() == ()


TestSwarm = SwarmMachine.TestCase
TestSwarm.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)

"""What lives in the swarm right now: a mirror of the store, and what follows from it. One thread at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.build import Drone, Held, Job, Ranking
from reconciler.model.queue import Attempt, Changes, Known, Live
from reconciler.model.swarm import Build, Request
from reconciler.swarm.lifecycle import LEASED
from reconciler.swarm.placing import graph as graphs
from reconciler.swarm.placing.estimate import SERIAL
from reconciler.swarm.placing.graph import Graph
from reconciler.swarm.placing.ranking import rank
from reconciler.swarm.placing.times import Times

_MANY = 1000
"""Builds that have succeeded since the graph was made, after which it is made anew without them."""


class Board:
    """`builds`: those that have not ended; `leases`: tries that have not, by the build that leads them.

    `done`: what has succeeded and is in the graph still. `untold`: requests that have ended, and nobody was told.
    `age`: grows with whatever changes.
    """

    def __init__(self, live: Live) -> None:
        self.builds = {build.id: build for build in live.builds}
        self.leases = {attempt.build: attempt for attempt in live.attempts}
        self.requests = {request.id: request for request in live.requests}
        self.untold = {request.id: request for request in live.untold}
        self.drones = {known.name: known for known in live.drones}
        self.done: set[str] = set()
        self.age = 0
        self._edges = list(live.edges)
        self._wanted: dict[str, list[str]] = {}
        for request in live.requests:
            self._want(request)
        self._graph: Graph | None = None
        self._ranking: Ranking | None = None
        self._ranked_for: object = None

    def apply(self, changes: Changes) -> None:
        """What was committed is true."""
        for build in changes.builds:
            self.builds[build.id] = build
        for move in changes.moves:
            self._follow(move.after)
        for attempt in changes.attempts:
            if attempt.ended is None:
                self.leases[attempt.build] = attempt
            elif (lease := self.leases.get(attempt.build)) and lease.attempt == attempt.attempt:
                del self.leases[attempt.build]
        for request in changes.requests:
            self._put(request)
        for id in changes.told:
            self.untold.pop(id, None)
        self.drones |= {known.name: known for known in changes.drones}
        for name in changes.gone:
            self.drones.pop(name, None)
        if changes.builds or changes.edges:
            self._edges += changes.edges
            self._graph = self._ranking = None
        self.age += 1

    def _follow(self, build: Build) -> None:
        before = self.builds.get(build.id)
        if before is not None and before.bump != build.bump:
            self._ranking = None
        if not build.ended:
            self.builds[build.id] = build
            return
        self.builds.pop(build.id, None)
        self._wanted.pop(build.id, None)
        if build.state == "succeeded":
            self.done.add(build.id)
            if len(self.done) > _MANY + len(self.builds):
                self._graph = self._ranking = None

    def _put(self, request: Request) -> None:
        if request.ended is None:
            self.requests[request.id] = request
            self._want(request)
        else:
            self.requests.pop(request.id, None)
            self.untold[request.id] = request

    def _want(self, request: Request) -> None:
        for id in request.builds:
            wanted = self._wanted.setdefault(id, [])
            if request.id not in wanted:
                wanted.append(request.id)

    def wanted_by(self, build: str) -> tuple[Request, ...]:
        """The requests that have not ended and want it, oldest first."""
        return tuple(self.requests[id] for id in self._wanted.get(build, ()) if id in self.requests)

    def members(self, lease: Attempt) -> tuple[Build, ...]:
        """The builds of a try that are its still: fenced by attempt and drone."""
        found = (self.builds[id] for id in lease.members if id in self.builds)
        return tuple(b for b in found if (b.attempt, b.drone, b.lead) == (lease.attempt, lease.drone, lease.build))

    def working(self, lease: Attempt) -> bool:
        """Whether its drone is expected to say something about it still."""
        return any(build.state in LEASED for build in self.members(lease))

    def held_by(self, drone: str) -> tuple[Attempt, ...]:
        """What a drone has, and owes an outcome for: what it has begun first, then as it got it."""
        held = [lease for lease in self.leases.values() if lease.drone == drone and self.working(lease)]
        return tuple(sorted(held, key=lambda lease: (lease.begun is None, lease.begun or lease.leased, lease.leased)))

    @property
    def graph(self) -> Graph:
        if self._graph is None:
            self.done.clear()
            self._edges = [edge for edge in self._edges if edge[0] in self.builds and edge[1] in self.builds]
            self._graph = graphs.build(self._edges, self.builds)
        return self._graph

    @property
    def edges(self) -> Sequence[tuple[str, str]]:
        """(first, then); some may be of what has ended."""
        return self._edges

    def graph_with(self, edges: Sequence[tuple[str, str]]) -> Graph:
        """As it will be with these, too."""
        graph = self.graph
        return graphs.build([*self._edges, *edges], self.builds) if edges else graph

    def jobs(self, wants: Mapping[str, tuple[int, int]], times: Times) -> dict[str, Job]:
        """What is to be built, what drones hold included; what is uploaded is nobody's job any more."""
        return {build.id: _job(build, wants, times) for build in self.builds.values() if build.state != "uploaded"}

    def fleet(self, times: Times) -> tuple[Drone, ...]:
        """The drones as `place` wants them."""
        return tuple(self._drone(known, times.speeds) for known in self.drones.values() if known.beat is not None)

    def _drone(self, known: Known, speeds: Mapping[str, float]) -> Drone:
        assert known.beat is not None
        beat = known.beat
        held = tuple(Held(lease.members, lease.expected, lease.begun) for lease in self.held_by(known.name))
        return Drone(
            known.name,
            beat.cores,
            beat.memory,
            beat.profile,
            known.state,
            known.drained or beat.draining,
            beat.sweeper,
            speeds.get(known.name, beat.speed),
            held,
        )

    def ranking(self, jobs: Mapping[str, Job], fleet: Sequence[Drone], times: Times) -> Ranking:
        """It holds until estimates, bumps or the fleet change; what ends leaves the others' chains as they are."""
        traits = {
            (drone.name, drone.cores, drone.memory, drone.profile, drone.state == "offline", drone.drained, drone.speed)
            for drone in fleet
        }
        if self._ranking is None or self._ranked_for != (times, traits):
            self._ranking, self._ranked_for = rank(self.graph, jobs, fleet), (times, traits)
        return self._ranking


def _job(build: Build, wants: Mapping[str, tuple[int, int]], times: Times) -> Job:
    """With what is expected of it by now: others that are built meanwhile teach something."""
    if (package := build.package) is None:
        return Job(
            build.id,
            build.work,
            profile=build.profile,
            failed_on=build.failures,
            bump=build.bump,
            asked=build.queued,
        )
    cores, memory = wants.get(package.cp, (0, 0))
    work = times.work(package.cp)
    return Job(build.id, work, SERIAL, build.profile, cores, memory, build.failures, build.bump, build.queued)

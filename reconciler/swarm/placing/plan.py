"""The plan that is made anew with every call: what is left to build, and a timeline for each drone to put it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import inf
from typing import NamedTuple

from reconciler.model.build import Drone, Job, Limits, Ranking
from reconciler.swarm.placing.fleet import Fleet
from reconciler.swarm.placing.graph import Graph
from reconciler.swarm.placing.ranking import rank, unit_job
from reconciler.swarm.placing.timeline import Timeline


class Choice(NamedTuple):
    """Ordered as it is chosen: the first to end; of those the first to begin, so that nothing waits for no gain.

    Seconds from now; `drone` is its number in the fleet.
    """

    end: float
    begin: float
    drone: int
    seconds: float


class Plan:
    """`left`: the units that nobody has yet, in the order of their rank; `ready`: those of them that could begin.

    `ends`: unit -> when it is to end, in seconds from now: what drones hold, and what was put on a timeline.
    """

    def __init__(
        self,
        graph: Graph,
        jobs: Mapping[str, Job],
        drones: Sequence[Drone],
        now: float,
        done: AbstractSet[str],
        limits: Limits,
        ranking: Ranking | None = None,
    ) -> None:
        if ranking is None or not all(graph.unit[key] in ranking.chain for key in jobs):
            ranking = rank(graph, jobs, drones)
        self.graph, self.ranking = graph, ranking
        self.fleet = Fleet(drones, limits.retries)
        self.lines = [Timeline(drone, now, limits) for drone in self.fleet.drones]
        self.ends: dict[str, float] = {}
        held = self._take_held()
        self._finished = graph.finished(done)
        self.left: dict[str, Job] = {}
        for unit in ranking.order:
            if unit not in self._finished and unit not in held and (job := unit_job(graph, unit, jobs)) is not None:
                self.left[unit] = job
        before = graph.before
        self.ready = {unit: job for unit, job in self.left.items() if self._finished.issuperset(before[unit])}

    def ready_at(self, unit: str) -> float:
        """When all that it depends on is built; infinity when something of it has no plan."""
        return max((self.ends.get(b, inf) for b in self.graph.before[unit] if b not in self._finished), default=0.0)

    def choose(self, job: Job, ready: float) -> Choice | None:
        """The drone that has it done first; None when no drone may take it."""
        best: Choice | None = None
        end = inf
        for pace, number in self.fleet.options(job):
            line, seconds = self.lines[number], job.work * pace
            if ready + seconds > end:  # the fastest come first: nobody else can be sooner
                break
            if line.earliest + seconds > end:
                continue
            begin = line.slot(ready, seconds)
            if begin + seconds < end or (best and begin + seconds == end and begin < best.begin):
                best = Choice(begin + seconds, begin, number, seconds)
                end = best.end
        return best

    def beside(self, job: Job, choice: Choice, free: bool = False) -> Choice | None:
        """The second best drone for something that is ready; `free`: of those that could begin now."""
        found = []
        for pace, number in self.fleet.options(job):
            line, seconds = self.lines[number], job.work * pace
            if number != choice.drone and (line.open or not free):
                begin = line.slot(0.0, seconds)
                found.append(Choice(begin + seconds, begin, number, seconds))
        return min(found, default=None)

    def take(self, unit: str, choice: Choice) -> None:
        self.lines[choice.drone].take(choice.begin, choice.seconds)
        self.ends[unit] = choice.end

    def give(self, unit: str, choice: Choice) -> None:
        """The same, for what begins next there and is given to the drone now."""
        self.lines[choice.drone].give(choice.seconds)
        self.ends[unit] = choice.end

    def _take_held(self) -> set[str]:
        """The units that drones hold. What an offline one holds never ends: it is the caller's to queue it again."""
        held: set[str] = set()
        for drone, line in zip(self.fleet.drones, self.lines, strict=True):
            for lease, end in zip(drone.held, line.ends, strict=True):
                units = {self.graph.unit[job] for job in lease.jobs if job in self.graph.unit}
                held |= units
                self.ends |= dict.fromkeys(units, inf if drone.state == "offline" else end)
        return held

"""Who decides: `place`, and what others do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.swarm.simulate import Policy, State
from reconciler.model.build import Drone, Job, Limits, Ranking
from reconciler.swarm.placing.estimate import pace, seconds_on
from reconciler.swarm.placing.placement import place
from reconciler.swarm.placing.ranking import rank
from reconciler.swarm.placing.timeline import Timeline

Choices = Sequence[tuple[str, str]]


class Place:
    """The function of the orchestrator; the ranking is made anew when a drone came or went."""

    name = "place"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._ranking: Ranking | None = None
        self._states: list[str] = []

    def decide(self, state: State) -> Choices:
        drones = state.drones()
        if self._ranking is None or self._states != [drone.state for drone in drones]:
            self._ranking = rank(state.graph, state.jobs, drones)
            self._states = [drone.state for drone in drones]
        found = place(
            state.graph,
            state.jobs,
            drones,
            state.now,
            done=state.done,
            limits=self._limits,
            ranking=self._ranking,
        )
        return [(state.graph.unit[each.jobs[0]], each.drone) for each in found.assignments]


class Fifo:
    """Whoever is free takes what has been ready for longest."""

    name = "fifo"

    def decide(self, state: State) -> Choices:
        waiting = sorted(state.ready, key=lambda unit: (state.ready[unit], unit))
        return [(unit, drone.name) for unit, drone in zip(waiting, state.free(), strict=False)]


class LongestByClass:
    """Big packages to many cores: three classes of each. A free drone takes the longest of its own, or a lower one."""

    name = "longest by class"

    def __init__(self) -> None:
        self._classes: dict[str, int] = {}

    def decide(self, state: State) -> Choices:
        if not self._classes:
            works = {unit: unit_work(state, unit) for unit in state.graph.order}
            cores = {drone.name: float(drone.cores) for drone in state.fleet.values()}
            self._classes = _classes(works, (0.5, 0.9)) | _classes(cores, (1 / 3, 2 / 3))
        waiting = sorted(state.ready, key=lambda unit: (-self._classes[unit], -unit_work(state, unit), unit))
        chosen = []
        for drone in sorted(state.free(), key=lambda drone: (-drone.cores, drone.name)):
            unit = next((unit for unit in waiting if self._classes[unit] <= self._classes[drone.name]), None)
            if unit is not None:
                waiting.remove(unit)
                chosen.append((unit, drone.name))
        return chosen


class Heft:
    """Planned once, by mean times and with insertion, as published; planned anew only when a drone came or went."""

    name = "heft"

    def __init__(self) -> None:
        self._queues: dict[str, list[str]] = {}
        self._states: list[str] = []

    def decide(self, state: State) -> Choices:
        drones = state.drones()
        if self._states != [drone.state for drone in drones]:
            self._states = [drone.state for drone in drones]
            self._queues = _planned(state, drones)
        chosen = []
        for drone in state.free():
            queue = self._queues.get(drone.name)
            if queue and queue[0] in state.ready:
                chosen.append((queue.pop(0), drone.name))
        return chosen


POLICIES: dict[str, Callable[[Limits], Policy]] = {
    "place": Place,
    "heft": lambda _: Heft(),
    "longest by class": lambda _: LongestByClass(),
    "fifo": lambda _: Fifo(),
}


def unit_work(state: State, unit: str) -> float:
    return sum(state.jobs[job].work for job in state.graph.members[unit])


def _classes(values: Mapping[str, float], quantiles: tuple[float, float]) -> dict[str, int]:
    ranked = sorted(values.values())
    low, high = (ranked[min(len(ranked) - 1, int(len(ranked) * quantile))] for quantile in quantiles)
    return {key: (value >= low) + (value >= high) for key, value in values.items()}


def _planned(state: State, drones: Sequence[Drone]) -> dict[str, list[str]]:
    """Drone -> its units in turn."""
    graph = state.graph
    finished = graph.finished(state.done)
    able = [drone for drone in drones if drone.state == "ready"]
    lines = {drone.name: Timeline(drone, state.now, Limits(spread=0.0)) for drone in drones}
    ends = {
        graph.unit[held.jobs[0]]: end
        for drone in drones
        for held, end in zip(drone.held, lines[drone.name].ends, strict=True)
    }
    begins: dict[str, list[tuple[float, str]]] = {drone.name: [] for drone in drones}
    chain: dict[str, float] = {}
    for unit in reversed(graph.order):
        chain[unit] = _mean(state, unit, able) + max((chain[then] for then in graph.after[unit]), default=0.0)
    for unit in sorted(graph.order, key=lambda unit: -chain[unit]):
        if unit in ends or unit in finished or not able:
            continue
        ready = max((ends[first] for first in graph.before[unit] if first not in finished), default=0.0)
        jobs = [state.jobs[job] for job in graph.members[unit]]
        end, begin, name = min(_end(jobs, drone, lines[drone.name], ready) for drone in able)
        lines[name].take(begin, end - begin)
        ends[unit] = end
        begins[name].append((begin, unit))
    return {name: [unit for _, unit in sorted(each)] for name, each in begins.items()}


def _mean(state: State, unit: str, drones: Sequence[Drone]) -> float:
    jobs = [state.jobs[job] for job in state.graph.members[unit]]
    return sum(job.work * pace(drone, job.serial) for job in jobs for drone in drones) / max(1, len(drones))


def _end(jobs: Sequence[Job], drone: Drone, line: Timeline, ready: float) -> tuple[float, float, str]:
    seconds = sum(seconds_on(drone, job) for job in jobs)
    begin = line.slot(ready, seconds)
    return begin + seconds, begin, drone.name

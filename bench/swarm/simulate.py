"""A swarm without machines: time jumps from event to event, and a policy says who builds what."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from math import exp
from typing import Literal, Protocol

from bench.swarm.instance import Instance
from reconciler.model.build import Drone, DroneState, Held, Job
from reconciler.swarm.placing.estimate import seconds_on
from reconciler.swarm.placing.graph import Graph

DEGRADED, OFFLINE = 45.0, 60.0
"""Seconds without a word, from docs: then a drone gets nothing new, then what it holds is queued again."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A drone dies at `at` and is back at `back`, with nothing."""

    drone: str
    at: float
    back: float


@dataclass(slots=True)
class State:
    """What an orchestrator knows. `jobs` have estimated work; `ready`: units with the moment they became so.

    `held`: drone -> what it was given, the running one first; `idle_since`: of drones that hold nothing.
    """

    graph: Graph
    jobs: Mapping[str, Job]
    fleet: Mapping[str, Drone]
    now: float = 0.0
    done: set[str] = field(default_factory=set)
    ready: dict[str, float] = field(default_factory=dict)
    held: dict[str, list[Held]] = field(default_factory=dict)
    states: dict[str, DroneState] = field(default_factory=dict)
    idle_since: dict[str, float] = field(default_factory=dict)

    def drones(self) -> list[Drone]:
        return [
            replace(drone, state=self.states[name], held=tuple(self.held[name])) for name, drone in self.fleet.items()
        ]

    def free(self) -> list[Drone]:
        """Those that hold nothing and are in service, the longest idle first."""
        names = [name for name in self.fleet if not self.held[name] and self.states[name] == "ready"]
        return [self.fleet[name] for name in sorted(names, key=lambda name: (self.idle_since[name], name))]


class Policy(Protocol):
    name: str

    def decide(self, state: State) -> Sequence[tuple[str, str]]:
        """(unit, drone), in the order in which they are queued there."""


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds until all was built, calls of the policy, and units that were begun more than once."""

    makespan: float
    calls: int
    repeated: int


def estimated(jobs: Mapping[str, Job], error: float, seed: int) -> dict[str, Job]:
    """What is believed of the truth: each work times a lognormal factor, `error` the standard deviation of its log."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    return {key: replace(jobs[key], work=jobs[key].work * exp(chance.gauss(0.0, error))) for key in sorted(jobs)}


def simulate(
    instance: Instance,
    drones: Sequence[Drone],
    policy: Policy,
    *,
    error: float = 0.0,
    seed: int = 0,
    losses: Sequence[Loss] = (),
    tick: float = 0.0,
) -> Result:
    """`tick`: the policy is asked again no sooner than after so many seconds; 0: after every event."""
    return _Run(instance, drones, policy, estimated(instance.jobs, error, seed), losses, tick).run()


_Kind = Literal["end", "down", "degraded", "offline", "back", "tick"]


class _Run:
    def __init__(
        self,
        instance: Instance,
        drones: Sequence[Drone],
        policy: Policy,
        believed: Mapping[str, Job],
        losses: Sequence[Loss],
        tick: float,
    ) -> None:
        fleet = {drone.name: drone for drone in drones}
        self.truth, self.policy, self.tick = instance.jobs, policy, tick
        self.state = State(instance.graph, believed, fleet)
        self.state.held = {name: [] for name in fleet}
        self.state.states = dict.fromkeys(fleet, "ready")
        self.state.idle_since = dict.fromkeys(fleet, 0.0)
        self.missing = {unit: len(before) for unit, before in instance.graph.before.items()}
        self.state.ready = {unit: 0.0 for unit in instance.graph.order if not self.missing[unit]}
        self.dead: set[str] = set()
        self.boot = dict.fromkeys(fleet, 0)  # an end that belongs to an earlier life does not count
        self.events: list[tuple[float, int, _Kind, str, int]] = []
        self.begun = self.calls = self.sequence = 0
        self.asked = -tick
        self.ticking = False
        for loss in losses:
            self._at(loss.at, "down", loss.drone)
            self._at(loss.at + DEGRADED, "degraded", loss.drone)
            self._at(loss.at + OFFLINE, "offline", loss.drone)
            self._at(max(loss.back, loss.at + OFFLINE), "back", loss.drone)

    def run(self) -> Result:
        units = len(self.state.graph.order)
        finished = 0
        self._ask()
        while finished < units:
            finished += self._event(*self._pop())
            while self.events and self.events[0][0] <= self.state.now:
                finished += self._event(*self._pop())
            self._ask()
        return Result(self.state.now, self.calls, self.begun - units)

    def _pop(self) -> tuple[_Kind, str, int]:
        if not self.events:
            raise AssertionError(f"{self.policy.name} lets everybody wait, and nothing runs")
        self.state.now, _, kind, drone, boot = heappop(self.events)
        return kind, drone, boot

    def _event(self, kind: _Kind, drone: str, boot: int) -> int:
        """1 when a unit was finished by it."""
        state = self.state
        if kind == "end":
            if boot != self.boot[drone]:
                return 0
            self._end(drone)
            return 1
        if kind == "down":
            self.dead.add(drone)
            self.boot[drone] += 1
        elif kind == "degraded":
            state.states[drone] = "degraded"
        elif kind == "offline":
            state.states[drone] = "offline"
            for held in state.held[drone]:
                state.ready[state.graph.unit[held.jobs[0]]] = state.now
            state.held[drone] = []
        elif kind == "back":
            self.dead.discard(drone)
            state.states[drone] = "ready"
            state.idle_since[drone] = state.now
        else:
            self.ticking = False
        return 0

    def _end(self, drone: str) -> None:
        state = self.state
        jobs = state.held[drone].pop(0).jobs
        state.done.update(jobs)
        for then in state.graph.after[state.graph.unit[jobs[0]]]:
            self.missing[then] -= 1
            if not self.missing[then]:
                state.ready[then] = state.now
        state.idle_since[drone] = state.now
        self._begin(drone)

    def _begin(self, drone: str) -> None:
        """The first of the queue, where one is and the drone lives."""
        queue = self.state.held[drone]
        if not queue or queue[0].started is not None or drone in self.dead:
            return
        queue[0] = replace(queue[0], started=self.state.now)
        self.begun += 1
        took = sum(seconds_on(self.state.fleet[drone], self.truth[job]) for job in queue[0].jobs)
        self._at(self.state.now + took, "end", drone)

    def _ask(self) -> None:
        state = self.state
        if state.now < self.asked + self.tick:
            if not self.ticking:
                self.ticking = True
                self._at(self.asked + self.tick, "tick", "")
            return
        self.asked = state.now
        self.calls += 1
        for unit, drone in self.policy.decide(state):
            if unit not in state.ready or state.states[drone] != "ready":
                raise AssertionError(f"{self.policy.name} gives {unit} to {drone} ({state.states[drone]})")
            del state.ready[unit]
            jobs = state.graph.members[unit]
            expected = sum(seconds_on(state.fleet[drone], state.jobs[job]) for job in jobs)
            state.held[drone].append(Held(jobs, expected))
            self._begin(drone)

    def _at(self, time: float, kind: _Kind, drone: str) -> None:
        self.sequence += 1
        heappush(self.events, (time, self.sequence, kind, drone, self.boot.get(drone, 0)))

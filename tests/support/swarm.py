"""Swarms to decide about: fleets and graphs made of few words, and random ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import strategies as st

from reconciler.model.build import Drone, Held, Job, Limits
from reconciler.swarm.placing.graph import Graph, build

EXACT = Limits(spread=0.0)

Edges = list[tuple[str, str]]


def jobs_of(**works: float) -> dict[str, Job]:
    """Perfectly parallel jobs: `a=8` takes 8 s on one core, 1 s on eight."""
    return {key: Job(key, work, serial=0.0) for key, work in works.items()}


def edges_of(text: str) -> Edges:
    """`a>b>c a>d`: what stands first is built first."""
    chains = [chain.split(">") for chain in text.split()]
    return [pair for chain in chains for pair in pairwise(chain)]


def running(*jobs: str, expected: float, since: float = 0.0) -> Held:
    return Held(jobs, expected, since)


@dataclass(frozen=True, slots=True)
class Swarm:
    """A state as an orchestrator may find it."""

    jobs: dict[str, Job]
    edges: Edges
    drones: tuple[Drone, ...]
    done: frozenset[str]

    @property
    def graph(self) -> Graph:
        return build(self.edges, self.jobs)


KEYS = [f"j{number}" for number in range(12)]


@st.composite
def edges_strategy(draw: st.DrawFn, keys: Sequence[str], *, cyclic: bool) -> Edges:
    places = st.integers(0, len(keys) - 1)
    pairs = draw(st.lists(st.tuples(places, places), max_size=2 * len(keys)))
    return [(keys[a], keys[b]) for a, b in pairs if cyclic or a < b]


@st.composite
def fleets(draw: st.DrawFn, *, troubled: bool = True) -> tuple[Drone, ...]:
    """Cores and speeds whose quotients are exact; `troubled`: some are away, full, sweepers or of another profile."""
    count = draw(st.integers(1, 5))
    states = st.sampled_from(["ready", "ready", "building", "degraded", "offline"] if troubled else ["ready"])
    seldom = st.sampled_from([False, False, False, True]) if troubled else st.just(False)
    return tuple(
        Drone(
            name=f"d{number}",
            cores=draw(st.sampled_from([1, 2, 4, 8])),
            memory=draw(st.sampled_from([4, 8])),
            profile=draw(st.sampled_from(["", "p"])) if troubled else "",
            state=draw(states),  # type: ignore[arg-type]
            drained=draw(seldom),
            sweeper=draw(seldom),
            speed=draw(st.sampled_from([0.5, 1.0, 2.0])),
        )
        for number in range(count)
    )


@st.composite
def swarms(draw: st.DrawFn, *, cyclic: bool = True, troubled: bool = True, linked: bool = True) -> Swarm:
    """What is done is closed (nothing is built before what it depends on); what drones hold was ready."""
    keys = KEYS[: draw(st.integers(1, len(KEYS)))]
    edges = draw(edges_strategy(keys, cyclic=cyclic)) if linked else []
    drones = draw(fleets(troubled=troubled))
    names = [drone.name for drone in drones]
    jobs = {
        key: Job(
            key,
            work=float(draw(st.integers(1, 60)) * 16),
            serial=0.0,
            profile=draw(st.sampled_from(["", "", "p"])) if troubled else "",
            cores=draw(st.sampled_from([0, 0, 4])) if troubled else 0,
            memory=draw(st.sampled_from([0, 0, 8])) if troubled else 0,
            failed_on=tuple(draw(st.lists(st.sampled_from(names), max_size=2))) if troubled else (),
            bump=draw(st.sampled_from([0, 0, 0, 1])),
        )
        for key in keys
    }
    graph = build(edges, keys)
    done = frozenset(job for unit in graph.order[: draw(st.integers(0, len(keys) // 2))] for job in graph.members[unit])
    ready = list(graph.ready(done))
    holding = []
    for _ in drones:
        units = [ready.pop() for _ in range(draw(st.integers(0, 2))) if ready]
        held = [Held(graph.members[unit], float(draw(st.integers(1, 40)) * 16)) for unit in units]
        if held:
            held[0] = Held(held[0].jobs, held[0].expected, started=float(-16 * draw(st.integers(0, 3))))
        holding.append(held)
    return Swarm(
        jobs=jobs,
        edges=edges,
        drones=tuple(with_held(drone, held) for drone, held in zip(drones, holding, strict=True)),
        done=done,
    )


def with_held(drone: Drone, held: Sequence[Held]) -> Drone:
    return replace(drone, held=tuple(held))

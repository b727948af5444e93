"""What is simulated: a graph, what each package really takes, and a fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.model.build import Drone, Job
from reconciler.swarm.placing.graph import Graph, build


@dataclass(frozen=True, slots=True)
class Instance:
    """`jobs`: the truth, by key; estimates are made from it."""

    name: str
    graph: Graph
    jobs: Mapping[str, Job]


def instance(name: str, jobs: Iterable[Job], edges: Iterable[tuple[str, str]]) -> Instance:
    by_key = {job.key: job for job in jobs}
    return Instance(name, build(edges, by_key), by_key)


def without_largest(whole: Instance) -> Instance:
    """The largest package is there already; what it waited for, those that waited for it wait for now."""
    largest = max(whole.jobs.values(), key=lambda job: job.work).key
    graph = whole.graph
    edges = [(first, then) for then in graph.order for first in graph.before[then] if largest not in (first, then)]
    edges += [(first, then) for first in graph.before[largest] for then in graph.after[largest]]
    return instance(f"{whole.name} -1", (job for key, job in whole.jobs.items() if key != largest), edges)


def fleet(cores: Sequence[int]) -> tuple[Drone, ...]:
    return tuple(Drone(f"d{number:02}-{count}", count) for number, count in enumerate(cores))


EIGHT = fleet((20, 16, 14, 8, 8, 8, 4, 4))
THREE = fleet((8, 8, 4))
FIVE = fleet((32, 16, 8, 8, 4))
FIFTY = fleet((64, 32, 32, 24, 24, *[16] * 10, *[12] * 5, *[8] * 20, *[4] * 10))

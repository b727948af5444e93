"""Every policy on the same instances, with the same errors and losses."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench.swarm.bound import bound
from bench.swarm.instance import Instance
from bench.swarm.policies import POLICIES
from bench.swarm.simulate import Loss, Result, simulate
from reconciler.model.build import Drone, Limits
from reconciler.swarm.placing.graph import build
from reconciler.swarm.placing.placement import place
from reconciler.swarm.placing.ranking import rank

ERROR = 0.35
"""Standard deviation of log(actual / estimated)."""

_MANY = 2000  # packages from which on `place` is not called after every event, but about two thousand times in all


@dataclass(frozen=True, slots=True)
class Row:
    """Lower bound / makespan of one policy: with exact estimates, and of each seed with wrong ones.

    `lost`: with lost drones, too; `repeated`: builds begun again because of them, of all seeds. `seconds` of CPU.
    """

    policy: str
    exact: float
    noisy: tuple[float, ...]
    lost: tuple[float, ...]
    repeated: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Pass:
    """CPU seconds of a graph, a ranking and one call of `place` with what share of the packages built already."""

    name: str
    drones: int
    done: float
    graph: float
    rank: float
    place: float


def contest(instance: Instance, drones: Sequence[Drone], seeds: int, losses: bool) -> Iterator[Row]:
    """`losses`: also with two drones that are lost for half an hour each, once."""
    lower = bound(instance, drones).lower
    for name in POLICIES:
        begun = time.process_time()
        run = partial(_run, instance, drones, name, lower)
        exact = run(0.0, 0)
        noisy = [run(ERROR, seed) for seed in range(seeds)]
        lost = [run(ERROR, seed, _losses(drones, lower, seed)) for seed in range(seeds if losses else 0)]
        yield Row(
            policy=name,
            exact=lower / exact.makespan,
            noisy=tuple(lower / result.makespan for result in noisy),
            lost=tuple(lower / result.makespan for result in lost),
            repeated=sum(result.repeated for result in lost),
            seconds=time.process_time() - begun,
        )


def passes(instance: Instance, drones: Sequence[Drone]) -> Iterator[Pass]:
    """The median of three, at several points of a run."""
    order = instance.graph.order
    edges = [(first, then) for then in order for first in instance.graph.before[then]]
    for done in (0.0, 0.05, 0.3, 0.6, 0.9):
        built = frozenset(order[: int(done * len(order))])
        samples = [_pass(instance, drones, edges, built) for _ in range(3)]
        graph, ranked, placed = (median(column) for column in zip(*samples, strict=True))
        yield Pass(instance.name, len(drones), done, graph, ranked, placed)


def _pass(
    instance: Instance, drones: Sequence[Drone], edges: Sequence[tuple[str, str]], built: frozenset[str]
) -> tuple[float, float, float]:
    clock = [time.process_time()]
    graph = build(edges, instance.jobs)
    clock.append(time.process_time())
    ranking = rank(graph, instance.jobs, drones)
    clock.append(time.process_time())
    place(graph, instance.jobs, drones, 0.0, done=built, ranking=ranking)
    clock.append(time.process_time())
    return clock[1] - clock[0], clock[2] - clock[1], clock[3] - clock[2]


def _run(
    instance: Instance,
    drones: Sequence[Drone],
    policy: str,
    lower: float,
    error: float,
    seed: int,
    losses: Sequence[Loss] = (),
) -> Result:
    """With many packages `place` is called less often, which costs it some percent: the others decide at every event.

    The drones' queues bridge the time between two calls, and as much again, as estimates may be too high.
    """
    many = policy == "place" and len(instance.jobs) > _MANY
    tick = lower / 2000 if many else 0.0
    limits = Limits(prefetch=1000, lead=2 * tick, spread=error) if many else Limits(spread=error)
    made = POLICIES[policy](limits)
    return simulate(instance, drones, made, error=error, seed=seed, losses=losses, tick=tick)


def _losses(drones: Sequence[Drone], lower: float, seed: int) -> list[Loss]:
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    chosen = chance.sample([drone.name for drone in drones], 2)
    times = [chance.uniform(0.0, 0.8 * lower) for _ in chosen]
    return [Loss(name, at, at + 1800.0) for name, at in zip(chosen, times, strict=True)]

"""What no schedule can be shorter than."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.swarm.instance import Instance
from reconciler.model.build import Drone, Job
from reconciler.swarm.placing.estimate import pace


@dataclass(frozen=True, slots=True)
class Bound:
    """Seconds. `chain`: the longest chain, each package on its fastest drone; `area`: all packages cut and spread."""

    chain: float
    area: float

    @property
    def lower(self) -> float:
        return max(self.chain, self.area)


def bound(instance: Instance, drones: Sequence[Drone]) -> Bound:
    return Bound(chain(instance, drones), area(list(instance.jobs.values()), drones))


def chain(instance: Instance, drones: Sequence[Drone]) -> float:
    fastest = {serial: min(pace(d, serial) for d in drones) for serial in {j.serial for j in instance.jobs.values()}}
    ends: dict[str, float] = {}
    for unit in instance.graph.order:
        latest = max((ends[first] for first in instance.graph.before[unit]), default=0.0)
        jobs = [instance.jobs[key] for key in instance.graph.members[unit]]
        ends[unit] = latest + sum(job.work * fastest[job.serial] for job in jobs)
    return max(ends.values(), default=0.0)


def area(jobs: Sequence[Job], drones: Sequence[Drone]) -> float:
    """The least C so that every job can be cut and spread over the drones, none of which works longer than C.

    A linear program, and this is the value of its dual at the prices that `spread` ends with, so it is a lower bound
    whether these are the best or not: for prices of a second on each drone that add up to 1, C is at least the sum
    over jobs of what the cheapest drone costs. It equals the primal value, which `spread` returns, up to rounding.
    """
    _, borders = spread(jobs, drones)
    ranked = _by_cores(drones)
    prices = [1.0]
    for before, drone, serial in zip(ranked, ranked[1:], borders, strict=False):
        prices.append(prices[-1] * pace(before, serial) / pace(drone, serial))
    priced = list(zip(ranked, prices, strict=True))
    cheapest = sum(work * min(price * pace(drone, serial) for drone, price in priced) for serial, work in _groups(jobs))
    return cheapest / sum(prices)


def spread(jobs: Sequence[Job], drones: Sequence[Drone]) -> tuple[float, list[float]]:
    """The same C from a way to spread the jobs, and the serial share of the job that each drone shares with the next.

    On a drone of c cores a job takes work x (serial + (1 - serial) / c) / speed: of two jobs the less serial one gains
    more from more cores, whatever the speeds. Where a drone has the less serial job and one of more cores the other,
    swapping pieces shortens one's load and not the other's. So some optimum hands out the jobs by falling serial
    share to drones by rising cores, and C can be reached when filling the drones up in that order leaves nothing.
    """
    groups, ranked = _groups(jobs), _by_cores(drones)
    low, high = 0.0, sum(work * pace(ranked[-1], serial) for serial, work in groups)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _fill(groups, ranked, middle)[0] else (low, middle)
    return high, _fill(groups, ranked, high)[1]


def _fill(groups: Sequence[tuple[float, float]], ranked: Sequence[Drone], seconds: float) -> tuple[bool, list[float]]:
    """Whether something is left over when every drone works so long, and where each stopped."""
    rest = iter(groups)
    serial, work = next(rest, (0.0, 0.0))
    stops = []
    for drone in ranked:
        free = seconds
        while work and work * pace(drone, serial) <= free:
            free -= work * pace(drone, serial)
            serial, work = next(rest, (serial, 0.0))
        work -= min(work, free / pace(drone, serial))
        stops.append(serial)
    return work > 0 or next(rest, None) is not None, stops


def _groups(jobs: Sequence[Job]) -> list[tuple[float, float]]:
    """(serial share, work of all jobs that have it), the most serial first."""
    works: dict[float, float] = {}
    for job in jobs:
        works[job.serial] = works.get(job.serial, 0.0) + job.work
    return sorted(works.items(), reverse=True)


def _by_cores(drones: Sequence[Drone]) -> list[Drone]:
    return sorted(drones, key=lambda drone: (drone.cores, drone.name))

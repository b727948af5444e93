"""How long a package builds: from what its builds took, else from packages of its size, else from a rough table.

All is reduced to `work`, seconds on one core of a drone of speed 1, by Amdahl's law (1967): on c cores it takes the
share serial + (1 - serial) / c of that. Medians throughout: one build that hung, or was ccached, moves nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import erfc, exp, log, sqrt
from statistics import NormalDist, median

from reconciler.core.counting import count
from reconciler.model.build import Band, Drone, Estimate, EstimateError, Job, PastBuild
from reconciler.swarm.placing.rough import SECONDS, USUAL
from reconciler.swarm.words import span

SERIAL = 0.1
"""The share of a build that more cores do not shorten (configure, linking, packaging), where nobody knows better."""

_LAST = 5  # builds of a package that count: versions grow, compilers change
_NEIGHBOURS = 9  # packages of like size whose median a new one gets
_OUTSIDE = 3.0  # standard deviations; one build in 700 takes longer
_ENOUGH = 5  # builds before a drone's own speed is believed
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class History:
    """What past builds say. `work` and `builds` (how many it was taken from): by package; `speed`: by drone.

    `by_size`: (log of size, work) of every package whose size is known, sorted. `usual`: the median of all packages,
    None without any.
    """

    work: Mapping[str, float]
    builds: Mapping[str, int]
    by_size: tuple[tuple[float, float], ...]
    usual: float | None


def fraction(cores: int, serial: float) -> float:
    """What is left of the one-core time on so many cores."""
    return serial + (1 - serial) / max(1, cores)


def pace(drone: Drone, serial: float) -> float:
    """Seconds that the drone needs for each second of work."""
    return fraction(drone.cores, serial) / drone.speed


def seconds_on(drone: Drone, job: Job) -> float:
    """Expected seconds of the job there."""
    return job.work * pace(drone, job.serial)


def remember(past: Iterable[PastBuild], serial: float = SERIAL, last: int = _LAST) -> History:
    """Successful builds only, of each package the `last` that ended. The order in which they come does not matter."""
    of: dict[str, list[PastBuild]] = {}
    for build in past:
        if build.succeeded and build.seconds > 0:
            of.setdefault(build.package, []).append(build)
    latest = {package: _latest(builds, last) for package, builds in sorted(of.items())}
    work = {package: median(_work(build, serial) for build in builds) for package, builds in latest.items()}
    sizes = {package: builds[-1].size for package, builds in latest.items()}
    return History(
        work=work,
        builds={package: len(builds) for package, builds in latest.items()},
        by_size=tuple(sorted((log(size), work[package]) for package, size in sizes.items() if size)),
        usual=median(work.values()) if work else None,
    )


def estimate(package: str, history: History, size: int = 0, serial: float = SERIAL) -> Estimate:
    """The expected work of a package (category/name) whose sources have `size` bytes (0: not known)."""
    if package in history.work:
        known = history.builds[package]
        builds = "its last build" if known == 1 else f"the median of its last {known} builds"
        return Estimate(history.work[package], "history", builds)
    if package in SECONDS:
        return Estimate(
            _rough(SECONDS[package], serial), "table", f"known to be large: {span(SECONDS[package])} on 8 cores"
        )
    if size > 0 and history.by_size:
        near = _nearest(history.by_size, log(size))
        return Estimate(median(near), "size", f"never built; the median of {count(len(near), 'package')} of its size")
    if history.usual is not None:
        return Estimate(history.usual, "median", "never built; the median of all packages")
    return Estimate(_rough(USUAL, serial), "median", "nothing was built yet; a usual package")


def speeds(past: Iterable[PastBuild], serial: float = SERIAL) -> dict[str, float]:
    """Drone -> speed of its core beside the fleet's usual, from packages that several drones have built.

    1.0 is as fast as the middle one of those that built the same. A drone with fewer than 5 such builds is not among
    them. `PastBuild.speed` is not looked at.
    """
    by_package: dict[str, list[tuple[str, float]]] = {}
    for build in past:
        if build.succeeded and build.seconds > 0:
            by_package.setdefault(build.package, []).append(
                (build.drone, build.seconds / fraction(build.cores, serial))
            )
    ratios: dict[str, list[float]] = {}
    for builds in by_package.values():
        if len({drone for drone, _ in builds}) > 1:
            usual = median(work for _, work in builds)
            for drone, work in builds:
                ratios.setdefault(drone, []).append(usual / work)
    return {drone: median(each) for drone, each in sorted(ratios.items()) if len(each) >= _ENOUGH}


def remaining(expected: float, elapsed: float, spread: float) -> float:
    """Seconds that a build still needs: the median of those that have run so long already.

    The time of a build is taken for lognormal around `expected`; `spread` is the standard deviation of its log. Without
    a spread a build that is late is about to end. One that is `refuted` may take as long again: so nobody waits for it
    longer than about the time that it has taken.
    """
    if refuted(expected, elapsed, spread):
        return elapsed
    if spread <= 0 or elapsed <= 0 or expected <= 0:
        return max(0.0, expected - elapsed)
    z = (log(elapsed) - log(expected)) / spread
    if z > 30:  # beyond what erfc can tell apart from 0; there half of a tail is left log(2) / z further
        return elapsed * (exp(spread * log(2) / z) - 1)
    later = 0.5 * erfc(z / sqrt(2))
    return max(0.0, expected * exp(-spread * _NORMAL.inv_cdf(later / 2)) - elapsed)


def refuted(expected: float, elapsed: float, spread: float) -> bool:
    """Whether it has taken so long that the estimate was not inexact but wrong, as one of an unknown package may be."""
    return elapsed > expected * max(2.0, exp(_OUTSIDE * spread)) > 0


def errors(estimated_and_actual: Iterable[tuple[float, float]]) -> EstimateError:
    """How wrong estimates were: median and spread (1.4826 x median absolute deviation) of log(actual / estimated)."""
    logs = [log(actual / estimated) for estimated, actual in estimated_and_actual if estimated > 0 and actual > 0]
    if not logs:
        return EstimateError()
    middle = median(logs)
    return EstimateError(middle, 1.4826 * median(abs(each - middle) for each in logs), len(logs))


def band(seconds: float, error: EstimateError) -> Band:
    """An estimate with its error bar, its bias taken out."""
    middle = seconds * exp(error.median)
    return Band(middle * exp(-error.spread), middle, middle * exp(error.spread))


def _latest(builds: Sequence[PastBuild], last: int) -> list[PastBuild]:
    return sorted(builds, key=lambda build: (build.ended, build.drone, build.seconds))[-last:]


def _work(build: PastBuild, serial: float) -> float:
    return build.seconds * build.speed / fraction(build.cores, serial)


def _rough(seconds: float, serial: float) -> float:
    """The table is in seconds on 8 cores."""
    return seconds / fraction(8, serial)


def _nearest(by_size: Sequence[tuple[float, float]], size: float) -> list[float]:
    at = bisect_left(by_size, (size, 0.0))
    window = by_size[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS]
    near = sorted(window, key=lambda entry: (abs(entry[0] - size), entry))
    return [work for _, work in near[:_NEIGHBOURS]]

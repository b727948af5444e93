"""Build times as a real Gentoo machine had them, as a curve over quantiles.

832 merges: median 43 s, 90th percentile 233 s, the largest 28,563 s, the top tenth 80 % of all time. Between these the
curve is straight in the logarithm; above the 90th percentile it is bent until the top tenth has its 80 %. The
least, 4 s, is assumed. Seconds are taken as those of a machine of 8 cores.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from functools import cache
from math import exp, log

from reconciler.swarm.placing.estimate import fraction

MERGES, LEAST, MEDIAN, NINETIETH, LARGEST, TOP_SHARE = 832, 4.0, 43.0, 233.0, 28563.0, 0.8
CORES = 8


def seconds(quantile: float) -> float:
    """On 8 cores, for a quantile from 0 to 1."""
    return _curve(quantile, _bend())


def works(proxies: Mapping[str, float], serial: Mapping[str, float]) -> dict[str, float]:
    """Package -> seconds on one core, by the rank of its proxy: the least gets quantile 0, the largest 1."""
    ranked = sorted(proxies, key=lambda key: (proxies[key], key))
    last = max(1, len(ranked) - 1)
    return {key: seconds(place / last) / fraction(CORES, serial[key]) for place, key in enumerate(ranked)}


def _curve(quantile: float, bend: float) -> float:
    points = (0.0, 0.5, 0.9, 1.0)
    values = (LEAST, MEDIAN, NINETIETH, LARGEST)
    part = min(bisect(points, quantile), 3) - 1
    along = (quantile - points[part]) / (points[part + 1] - points[part])
    low, high = log(values[part]), log(values[part + 1])
    return exp(low + (high - low) * (along**bend if part == 2 else along))


@cache
def _bend() -> float:
    low, high = 1.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        times = [_curve(number / (MERGES - 1), middle) for number in range(MERGES)]
        share = sum(times[-(MERGES // 10) :]) / sum(times)
        low, high = (middle, high) if share > TOP_SHARE else (low, middle)
    return low

"""What builds took, and what that says about builds to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.model.build import EstimateError, Limits, PastBuild
from reconciler.model.queue import Took
from reconciler.swarm.placing.estimate import errors, estimate, remember, speeds

_LATELY = 200
"""Builds by which the error of the estimates is measured."""

_ENOUGH = 20
"""Of them, before their spread is believed."""


class Times:
    """`speeds`: of a drone's core beside the fleet's usual, by name; `error`: of the estimates, lately."""

    def __init__(self, took: Sequence[Took]) -> None:
        past = [PastBuild(t.package, t.drone, t.cores, t.seconds, t.ended, speed=t.speed, size=t.size) for t in took]
        self._history = remember(past)
        self._work: dict[str, float] = {}
        self.speeds: Mapping[str, float] = speeds(past)
        self.error: EstimateError = errors([(t.estimated, t.seconds) for t in took[-_LATELY:]])

    def work(self, package: str) -> float:
        """Expected seconds on one core for a category/name."""
        if (known := self._work.get(package)) is None:
            known = self._work[package] = estimate(package, self._history).work
        return known

    def limits(self, limits: Limits) -> Limits:
        """With the spread of the estimates as measured, once there is enough to measure."""
        return replace(limits, spread=self.error.spread) if self.error.count >= _ENOUGH else limits

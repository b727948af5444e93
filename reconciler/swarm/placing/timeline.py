"""What a drone does from now on, as planned: the gaps that are left in it. Seconds from now."""

from __future__ import annotations

from bisect import bisect_right
from math import inf

from reconciler.model.build import Drone, Limits
from reconciler.swarm.placing.estimate import remaining


class Timeline:
    """`front`: when all that the drone holds has ended; `room`: how many units may still be given to it.

    `ends`: of the units that it holds, in their order; `earliest`: begin of the first gap. Gaps are whatever is not
    planned, the last one without an end.
    """

    def __init__(self, drone: Drone, now: float, limits: Limits) -> None:
        self.ends: list[float] = []
        self.front = 0.0
        for held in drone.held:
            elapsed = 0.0 if held.started is None else max(0.0, now - held.started)
            self.front += remaining(held.expected, elapsed, limits.spread)
            self.ends.append(self.front)
        self.earliest = self.front
        self.room = 1 + limits.prefetch - len(drone.held)
        self._lead = limits.lead
        self._from = [self.front]
        self._until = [inf]

    @property
    def open(self) -> bool:
        """Whether what is planned at the front may be given to the drone now."""
        return self.room > 0 and self.front <= self._lead and self.earliest == self.front

    def slot(self, ready: float, seconds: float) -> float:
        """The first moment from `ready` on with so many seconds to spare."""
        gap = bisect_right(self._until, ready)
        at = max(self._from[gap], ready)
        while at + seconds > self._until[gap]:  # the last gap has no end
            gap += 1
            at = self._from[gap]
        return at

    def take(self, at: float, seconds: float) -> None:
        """Plan something at a moment that `slot` has named."""
        gap = bisect_right(self._from, at) - 1
        begin, end = self._from[gap], self._until[gap]
        left = [(a, b) for a, b in ((begin, at), (at + seconds, end)) if a < b]
        self._from[gap : gap + 1] = [a for a, _ in left]
        self._until[gap : gap + 1] = [b for _, b in left]
        self.earliest = self._from[0]

    def give(self, seconds: float) -> None:
        """Take the front, for something that is given to the drone now."""
        self.take(self.front, seconds)
        self.front += seconds
        self.room -= 1

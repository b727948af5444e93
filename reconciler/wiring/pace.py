"""APScheduler, kept to the time that passes: it goes by the clock on the wall, and somebody may set that."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

_SET = 1.0
"""Seconds by which the wall clock goes another way before it counts as set."""


class Pace(BackgroundScheduler):  # type: ignore[misc]  # APScheduler 3 has no types
    """With one thread for its jobs. When the clock is set they are due at once, and go on from there.

    By itself it would wait for an hour after a clock was set back by one, and make a list of every time that was missed
    after one was set forward: years, on a board without a battery.
    """

    def __init__(self, longest: float) -> None:
        """`longest`: seconds after which it looks at the clock in any case."""
        super().__init__(executors={"default": ThreadPoolExecutor(1)}, timezone="UTC")
        self._longest, self._ahead = longest, _ahead()

    def _process_jobs(self) -> float | None:
        ahead = _ahead()
        if abs(ahead - self._ahead) > _SET:
            self._ahead = ahead
            for job in self.get_jobs():
                job.modify(next_run_time=datetime.fromtimestamp(time.time(), UTC))
        wait: float | None = super()._process_jobs()
        return None if wait is None else min(wait, self._longest)


def _ahead() -> float:
    """Of the wall clock before the one that nobody sets."""
    return time.time() - time.monotonic()

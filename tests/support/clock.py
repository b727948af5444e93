"""A clock that nobody waits for."""

from __future__ import annotations

from threading import Lock

from reconciler.ports import Clock


class FakeClock(Clock):
    """A sleep only moves the time on; safe to share between threads."""

    booted = "this boot"

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now, self._lock = now, Lock()

    def now(self) -> float:
        return self._now

    def boot(self) -> str:
        return self.booted

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds

"""The clock of `reconciler serve` while somebody sets the machine's."""

from __future__ import annotations

import threading
import time
from datetime import datetime, tzinfo
from types import SimpleNamespace

import pytest
from apscheduler.schedulers import base

from reconciler.wiring import pace, serve

HOUR, YEARS = 3600.0, 55 * 365 * 86400.0


class Counted:
    """An orchestrator of which only the ticks count."""

    def __init__(self) -> None:
        self.ticks = threading.Semaphore(0)

    def tick(self, now: float) -> None:
        self.ticks.release()

    def goes_on(self) -> bool:
        """Three more ticks."""
        return all(self.ticks.acquire(timeout=10) for _ in range(3))


@pytest.mark.parametrize("jump", [-HOUR, HOUR, YEARS])
def test_the_clock_goes_on_when_somebody_sets_the_wall_clock(monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    shift = 0.0

    class Wall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(time.time() + shift, tz)

    monkeypatch.setattr(base, "datetime", Wall)
    told = SimpleNamespace(time=lambda: time.time() + shift, monotonic=time.monotonic)
    monkeypatch.setattr(pace, "time", told)
    counted = Counted()
    with serve.ticking(counted, 0.05, lambda *_: None, lambda: None):  # type: ignore[arg-type]
        assert counted.goes_on()
        shift = jump
        assert counted.goes_on() and counted.goes_on()
        shift = 0.0
        assert counted.goes_on() and counted.goes_on()

"""The machine's clock, and how a pass is asked to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.convergence.world import Interrupted
from reconciler.ports import Clock


class SystemClock(Clock):
    """The machine's clock. A sleep ends with Interrupted once the pass was asked to stop."""

    def __init__(self) -> None:
        self._stopping = False

    def now(self) -> float:
        return time.time()

    def boot(self) -> str:
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""

    def sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
        if self._stopping:
            raise Interrupted

    def stop(self) -> None:
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether the pass was asked to stop."""
        return self._stopping


@contextmanager
def stopping_politely(clock: SystemClock) -> Iterator[None]:
    """SIGINT, SIGTERM, a lost terminal: the step at work ends first. A second SIGINT gives up, a third kills."""

    def ask(_signal: int, _frame: object) -> None:
        clock.stop()
        signal.signal(signal.SIGINT, give_up)

    def give_up(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

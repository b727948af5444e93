"""The time, and who watches a pass."""

from __future__ import annotations

from typing import Protocol

from reconciler.model.observed import Slot


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""

    def boot(self) -> str:
        """Names this boot of the host; "" when that cannot be told."""

    def sleep(self, seconds: float) -> None: ...


class Progress(Protocol):
    def phase(self, name: str, text: str = "") -> None:
        """A phase of the pass begins: fetch, plan, prepare, check out, apply, verify, undo."""

    def step(self, slot: Slot, state: str, text: str = "") -> None:
        """A container's way: starting, waiting, done, failed."""

    def say(self, text: str) -> None:
        """One line of a pull, a build or a finding."""

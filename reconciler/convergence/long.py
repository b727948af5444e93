"""Progress that is handed on, and that says so elsewhere when a pass is at work for long."""

from __future__ import annotations

import threading
from collections.abc import Callable

from reconciler.model.observed import Slot
from reconciler.ports import Progress

LONG = 20.0
"""Seconds after which people are told that a pass is at work."""
AT_WORK = ("prepare", "check out", "migrate", "apply", "verify", "undo")
"""Phases in which something changes; a pass that only looks, or asks a person, is nobody's news."""


class Announced(Progress):
    """`announce` gets the phase, once at most, in a thread of its own: whatever it does, the pass goes on."""

    def __init__(self, inner: Progress, announce: Callable[[str], None], after: float = LONG) -> None:
        self._inner, self._announce, self._after = inner, announce, after
        self._phase, self._changed = "", threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def phase(self, name: str, text: str = "") -> None:
        self._inner.phase(name, text)
        with self._changed:
            self._phase = name
            self._changed.notify()

    def step(self, slot: Slot, state: str, text: str = "") -> None:
        self._inner.step(slot, state, text)

    def say(self, text: str) -> None:
        self._inner.say(text)

    def close(self, seconds: float) -> None:
        """Nothing is announced from now on; what is on its way has that long to get there."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join(seconds)

    def _watch(self) -> None:
        with self._changed:
            if self._changed.wait_for(lambda: self._over, self._after):
                return
            self._changed.wait_for(lambda: self._over or self._phase in AT_WORK)
            if self._over:
                return
            phase = self._phase
        self._announce(phase)

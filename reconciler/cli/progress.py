"""Progress on standard error: a live block on a terminal, one line per transition elsewhere."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.model.observed import Slot
from reconciler.ports import Progress

if TYPE_CHECKING:
    from rich.console import RenderableType

HEARTBEAT = 30.0
_MARKS = {"up": "✓", "failed": "✗"}


class Silent(Progress):
    def phase(self, name: str, text: str = "") -> None: ...

    def step(self, slot: Slot, state: str, text: str = "") -> None: ...

    def say(self, text: str) -> None: ...


class Lines(Progress):
    """One line per transition, and a sign of life every 30 s while nothing happens. Under systemd with priorities."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._journal = "JOURNAL_STREAM" in os.environ
        self._last = "starting"
        self._beat: threading.Timer | None = None

    def phase(self, name: str, text: str = "") -> None:
        self._write(f"{name}: {text}" if text else name, 5)

    def step(self, slot: Slot, state: str, text: str = "") -> None:
        self._write(f"{slot}  {state}{f'  ({text})' if text else ''}", 3 if state == "failed" else 6)

    def say(self, text: str) -> None:
        if self._verbose or not _is_detail(text):
            self._write(text, 6)

    def close(self) -> None:
        if self._beat:
            self._beat.cancel()

    def _write(self, text: str, priority: int) -> None:
        self._last = text
        prefix = f"<{priority}>" if self._journal else ""
        sys.stderr.write(f"{prefix}{text}\n")  # in one piece: steps of several threads report at once
        sys.stderr.flush()
        self._rearm()

    def _rearm(self) -> None:
        self.close()
        self._beat = threading.Timer(HEARTBEAT, lambda: self._write(f"still at: {self._last}", 6))
        self._beat.daemon = True
        self._beat.start()


class Live(Progress):
    """The current phase and every container's state, drawn at most ten times a second."""

    def __init__(self, *, verbose: bool) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._verbose = verbose
        self._lock = threading.Lock()
        self._phase = ""
        self._detail = ""
        self._steps: dict[Slot, tuple[str, str]] = {}
        self._console = Console(stderr=True)
        self._live = RichLive(console=self._console, get_renderable=self._draw, refresh_per_second=10, transient=True)
        self._live.start()

    def phase(self, name: str, text: str = "") -> None:
        with self._lock:
            self._phase, self._detail = f"{name} {text}".rstrip(), ""

    def step(self, slot: Slot, state: str, text: str = "") -> None:
        with self._lock:
            before = self._steps.get(slot, ("", ""))
            self._steps[slot] = (state, text or before[1])

    def say(self, text: str) -> None:
        with self._lock:
            self._detail = text
        if self._verbose or not _is_detail(text):
            self._console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._live.stop()
        for slot, (state, text) in self._steps.items():
            self._console.print(f"{_MARKS.get(state, '·')} {slot}  {text}", markup=False, highlight=False)

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        with self._lock:
            rows = [Text(f"  {_MARKS.get(s, '·')} {slot}  {s}  {text}") for slot, (s, text) in self._steps.items()]
            detail = [Text(f"  {self._detail}", style="dim")] if self._detail else []
            return Group(Spinner("line", text=Text(self._phase, style="bold")), *rows[-30:], *detail)


@contextmanager
def showing(*, quiet: bool, verbose: bool, color: bool) -> Iterator[Progress]:
    """The progress that fits where standard error goes."""
    if quiet:
        yield Silent()
        return
    plain = not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or not color or "NO_COLOR" in os.environ
    shown: Lines | Live = Lines(verbose=verbose) if plain else Live(verbose=verbose)
    try:
        yield shown
    finally:
        shown.close()


def _is_detail(text: str) -> bool:
    """Lines of a pull's or a build's stream are for those who ask for them."""
    return any(
        word in text for word in (": Step ", " Downloading", " Extracting", " Waiting", " Pulling fs layer", ": --->")
    )

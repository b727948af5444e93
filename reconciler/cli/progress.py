"""Progress: a live block on a terminal, one line per transition elsewhere, events for programs.

Whatever happens to the stream, progress never fails: it must not change the outcome of a pass.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from reconciler.cli.frame import Frame
from reconciler.cli.streams import ERROR, INFO, NOTICE, Unwritable, say, tell
from reconciler.model.observed import Slot
from reconciler.model.schema import SCHEMA
from reconciler.ports import Progress

if TYPE_CHECKING:
    from rich.console import RenderableType

HEARTBEAT = 30.0
_MARKS = {"up": "✓", "failed": "✗"}


class Silent(Progress):
    def phase(self, name: str, text: str = "") -> None: ...

    def step(self, slot: Slot, state: str, text: str = "") -> None: ...

    def say(self, text: str) -> None: ...

    def close(self) -> None: ...


class Lines(Progress):
    """One line per transition on standard error, and a sign of life every 30 s while nothing happens."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._last = "starting"
        self._lock = threading.Lock()
        self._beat: threading.Timer | None = None

    def phase(self, name: str, text: str = "") -> None:
        self._write(f"{name}: {text}" if text else name, NOTICE)

    def step(self, slot: Slot, state: str, text: str = "") -> None:
        self._write(f"{slot}  {state}{f'  ({text})' if text else ''}", ERROR if state == "failed" else INFO)

    def say(self, text: str) -> None:
        if self._verbose or not _is_detail(text):
            self._write(text, INFO)

    def close(self) -> None:
        with self._lock:
            if self._beat:
                self._beat.cancel()

    def _write(self, text: str, priority: int) -> None:
        with self._lock:
            self._last = text
            for line in text.splitlines() or [""]:
                tell(line, priority)
            if self._beat:
                self._beat.cancel()
            self._beat = threading.Timer(HEARTBEAT, self._alive)
            self._beat.daemon = True
            self._beat.start()

    def _alive(self) -> None:
        self._write(self._last if self._last.startswith("still at: ") else f"still at: {self._last}", INFO)


class Events(Progress):
    """One JSON object a line on standard output; the answer itself is the last one. See docs/cli.md."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._lock = threading.Lock()

    def phase(self, name: str, text: str = "") -> None:
        self._write({"event": "phase", "phase": name, "text": text})

    def step(self, slot: Slot, state: str, text: str = "") -> None:
        place = {"stack": slot.stack, "service": slot.service, "number": slot.number}
        self._write({"event": "step", **place, "state": state, "text": text})

    def say(self, text: str) -> None:
        if self._verbose or not _is_detail(text):
            self._write({"event": "line", "text": text})

    def close(self) -> None: ...

    def _write(self, event: dict[str, Any]) -> None:
        with self._lock, suppress(Unwritable):
            say(json.dumps({"schema": SCHEMA, "at": round(time.time(), 3), **event}))


class Live(Progress):
    """The current phase and every container's state, drawn at most ten times a second."""

    def __init__(self, *, verbose: bool, color: bool) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._verbose = verbose
        self._lock = threading.Lock()
        self._phase = ""
        self._detail = ""
        self._steps: dict[Slot, tuple[str, str]] = {}
        self._console = Console(stderr=True, no_color=True if not color else None)
        self._live = RichLive(console=self._console, get_renderable=self._draw, refresh_per_second=10, transient=True)
        with suppress(OSError):
            self._live.start()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While a question is asked: what is drawn over and over would hide it."""
        self._live.stop()
        try:
            yield
        finally:
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
            self._print(text)

    def close(self) -> None:
        with suppress(OSError):
            self._live.stop()
        for slot, (state, text) in self._steps.items():
            self._print(f"{_MARKS.get(state, '·')} {slot}  {text}")

    def _print(self, text: str) -> None:
        with suppress(OSError):
            self._console.print(text, markup=False, highlight=False)

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        with self._lock:
            rows = [Text(f"  {_MARKS.get(s, '·')} {slot}  {s}  {text}") for slot, (s, text) in self._steps.items()]
            detail = [Text(f"  {self._detail}", style="dim")] if self._detail else []
            return Group(Spinner("line", text=Text(self._phase, style="bold")), *rows[-30:], *detail)


@contextmanager
def showing(frame: Frame, *, streams: bool = False) -> Iterator[Progress]:
    """The progress that fits where the output goes. `streams`: under --json it is part of the answer."""
    shown = _fitting(frame, streams=streams)
    try:
        yield shown
    finally:
        shown.close()


def _fitting(frame: Frame, *, streams: bool) -> Silent | Lines | Events | Live:
    if frame.quiet or (frame.machine and not streams):
        return Silent()
    if frame.output == "json":
        return Events(verbose=frame.verbose)
    dumb = os.environ.get("TERM") in ("dumb", "") or "INVOCATION_ID" in os.environ
    if sys.stderr is None or dumb or not sys.stderr.isatty():
        return Lines(verbose=frame.verbose)
    return Live(verbose=frame.verbose, color=frame.color and "NO_COLOR" not in os.environ)


def standing_aside(progress: Progress) -> AbstractContextManager[None]:
    """Room for a question at the terminal."""
    return progress.aside() if isinstance(progress, Live) else nullcontext()


def _is_detail(text: str) -> bool:
    """Lines of a pull's or a build's stream are for those who ask for them."""
    return any(
        word in text for word in (": Step ", " Downloading", " Extracting", " Waiting", " Pulling fs layer", ": --->")
    )

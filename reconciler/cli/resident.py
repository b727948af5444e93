"""The loop of `reconciler watch`: look, tell, wait until something asks. No failure ends it."""

from __future__ import annotations

import json
import os
import time
import traceback
from contextlib import suppress

from reconciler.adapters.file_events import FileEvents
from reconciler.cli.frame import Frame, as_data, in_words, settings_of
from reconciler.cli.passes import full_pass, take_turns
from reconciler.cli.progress import Silent, showing
from reconciler.cli.streams import ERROR, say, tell
from reconciler.convergence.world import Request
from reconciler.core.wording import result_data, result_lines
from reconciler.errors import Busy, ReconcilerError
from reconciler.model.result import Result
from reconciler.model.schema import SCHEMA
from reconciler.model.settings import Settings
from reconciler.ports import Progress
from reconciler.quick.look import nothing_to_do
from reconciler.quick.signs import Sign, Signs
from reconciler.wiring import new_run
from reconciler.wiring.clock import SystemClock

BUSY = 5.0
"""Seconds until another try while another pass has the lock; it may only be a `plan` that fetches."""
ACTOR = "watch"


class Resident:
    """Modules stay loaded between passes, and nothing else does: every pass makes its own world."""

    def __init__(self, frame: Frame, settings: Settings, clock: SystemClock) -> None:
        self._frame, self._settings, self._clock = frame, settings, clock
        self._told: tuple[str, str] = ("", "")

    def run(self) -> None:
        """Until it is asked to stop."""
        with suppress(OSError):  # whoever asks for a pass needs a place to write it
            os.makedirs(self._settings.inbox.directory, mode=0o770, exist_ok=True)
        self._say(f"watching {self._settings.host}, a look every {self._settings.watch.every:g} s at least")
        while not self._clock.stopping:
            signs = Signs(self._settings)
            with FileEvents(signs.folders()) as events:  # from here on nothing is missed: the pass comes after it
                seen = signs.now()
                patience = self._look()
                self._wait(events, signs, seen, time.monotonic() + patience)
            self._read_settings()

    def _wait(self, events: FileEvents, signs: Signs, seen: Sign, until: float) -> None:
        while not self._clock.stopping and (left := until - time.monotonic()) > 0 and not seen.asks(signs.now()):
            events.wait(left, lambda: self._clock.stopping)

    def _look(self) -> float:
        """A pass when one is due; how long to wait for the next one at most, in seconds."""
        try:
            result = take_turns(self._settings, self._clock, ACTOR, self._one_pass)
        except Busy:
            return BUSY
        except ReconcilerError as error:
            self._tell_error(error)
        except Exception as error:  # noqa: BLE001  a mistake of ours must not end it either
            for line in "".join(traceback.format_exception(error)).splitlines():
                tell(line, ERROR)
        else:
            if result is not None:
                self._tell(result)
        return float(self._settings.watch.every)

    def _one_pass(self) -> Result | None:
        """None after a quick look that found nothing to do."""
        if nothing_to_do(self._settings):
            return None
        if not self._frame.verbose:
            return self._full_pass(Silent())
        with showing(self._frame, streams=True) as progress:
            return self._full_pass(progress)

    def _full_pass(self, progress: Progress) -> Result:
        return full_pass(self._settings, self._clock, progress, Request(new_run(), "converge", ACTOR))

    def _read_settings(self) -> None:
        """The host's own file as it is now; while it is wrong, wait until somebody mends it."""
        told = ""
        while not self._clock.stopping:
            with FileEvents({self._settings.config_directory}) as events:
                try:
                    self._settings = settings_of(self._frame)
                except ReconcilerError as error:
                    if told != str(error):
                        self._tell_error(error)
                    told = str(error)
                    events.wait(self._settings.watch.every, lambda: self._clock.stopping)
                else:
                    return

    def _tell(self, result: Result) -> None:
        """A pass that did something or failed; what only holds it back, or ended, when that is new."""
        before, self._told = self._told, ("" if result.exit_code == 0 else result.reason, result.held)
        if self._told == before and result.outcome in ("unchanged", "paused"):
            return
        if self._frame.machine:
            error = as_data(result.error) if result.error else None
            self._event("pass", **result_data(result), warnings=list(result.warnings), error=error)
            return
        for line in result_lines(result):
            say(line)
        if result.error:
            self._tell_error(result.error)

    def _tell_error(self, error: ReconcilerError) -> None:
        if self._frame.machine:
            self._event("error", error=as_data(error))
            return
        for line in in_words(error):
            tell(line, ERROR)

    def _say(self, text: str) -> None:
        if self._frame.machine:
            self._event("line", text=text)
        elif not self._frame.quiet:
            tell(text)

    def _event(self, event: str, **data: object) -> None:
        say(json.dumps({"schema": SCHEMA, "at": round(time.time(), 3), "event": event, **data}))

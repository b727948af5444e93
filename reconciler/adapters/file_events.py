"""Waiting for a change in a few folders, by the kernel's own events where it gives them (inotify(7))."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

_STEP = 0.1
"""A burst is over when nothing happens for so many seconds."""
_LONGEST = 1.0
"""A burst that goes on is answered after so many seconds."""
_LOOK = 1.0
"""Without events, whoever waits shall look again after so many seconds."""


class FileEvents:
    """Hears what happens in `folders` (not below them) from its making on, also between two waits."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._notify: RustNotify | None
        try:
            self._notify = RustNotify(list(folders), False, False, 0, False, True)
        except (OSError, WatchfilesRustInternalError):  # a folder that went away, or no watch left to have
            self._notify = None

    def wait(self, seconds: float, stopping: Callable[[], bool]) -> None:
        """Return after a burst of events, after `seconds`, or soon after `stopping` says so; maybe for nothing."""
        if self._notify is not None:
            self._notify.watch(_ms(_LONGEST), _ms(_STEP), _ms(max(seconds, _STEP)), _Event(stopping))
            return
        until = time.monotonic() + min(seconds, _LOOK)
        while not stopping() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _STEP))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._notify is not None:
            self._notify.close()


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


class _Event:
    def __init__(self, is_set: Callable[[], bool]) -> None:
        self.is_set = is_set

"""When a failure that goes on is told again: at once, then ever more rarely, then daily."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.report import Outcome, Run

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
_NO_WORD: tuple[Outcome, ...] = ("", "interrupted", "paused", "held", "superseded")
"""Passes that neither failed nor came well to their end: whatever was ill is ill still."""

LONGEST = 1000
"""So many passes back are looked at; with one every quarter of an hour those of ten days."""


def told_already(runs: Iterable[Run], reason: str, now: float) -> bool:
    """Whether a failure with this reason was told, and it is not time to tell it again.

    `runs`: those before, newest first; `now` in seconds since the epoch. After a jump of the clock it is told.
    """
    ended = [run.ended for run in _streak(runs, reason) if run.ended is not None]
    if not ended:
        return False
    first, last = ended[-1], ended[0]
    return 0 <= last - first <= now - first and _calls(now - first) == _calls(last - first)


def _streak(runs: Iterable[Run], reason: str) -> Iterable[Run]:
    """The passes that failed like this without one between that went well or failed otherwise."""
    for run in runs:
        if run.outcome == "failed" and run.reason == reason:
            yield run
        elif run.outcome not in _NO_WORD:
            return


def _calls(age: float) -> int:
    """How often a failure of that age has been told by then."""
    days = int(age // DAY)
    return sum(age >= after for after in (0.0, 15 * MINUTE, HOUR, 4 * HOUR)) + days

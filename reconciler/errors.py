"""Errors carry their advice: what happened, why, what to do next, and what still runs.

Temporary and final are types, not flags: a `Transient` fault is retried by the next tick and blocks
nothing; a `Terminal` one waits for a person or a newer commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file of the repository; `line` and `column` count from 1."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class ReconcilerError(Exception):
    """What every error of ours is.

    `code` names the section of docs/troubleshooting.md; `unchanged` says what still runs.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        what: str,
        *,
        why: str = "",
        next: str = "",
        unchanged: str = "",
        at: Position | None = None,
    ) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.next = next
        self.unchanged = unchanged
        self.at = at

    def __str__(self) -> str:
        place = f"{self.at}: " if self.at else ""
        return f"{place}{self.what} [{self.code}]"

    @property
    def each(self) -> tuple[ReconcilerError, ...]:
        """The mistakes that it stands for: itself, unless it stands for several."""
        return (self,)


class Transient(ReconcilerError):
    """Trouble of the surroundings (registry down, engine restarted, disk full): the next tick tries again."""


class Stale(Transient):
    """What a change was made for is not so any more: somebody else was faster. Nothing was changed; look anew."""


class Unreachable(Transient):
    """Something that a pass needs does not answer at all."""

    exit_code = 69


class Terminal(ReconcilerError):
    """Trying again without a change will not help."""


class BadConfiguration(Terminal):
    """The manifests or the host's own file are wrong; nothing was touched (EX_CONFIG of sysexits.h)."""

    exit_code = 78


class SeveralMistakes(BadConfiguration):
    """More than one thing is wrong. It reads as the first, and says how many more there are; `each` has them all.

    `teller`: the command that names all.
    """

    def __init__(self, mistakes: Sequence[ReconcilerError], teller: str = "reconciler validate") -> None:
        first, more = mistakes[0], len(mistakes) - 1
        told = f"and {more} more {'mistake' if more == 1 else 'mistakes'}: {teller} names all"
        super().__init__(
            first.code,
            first.what,
            why=first.why,
            next=f"{first.next}; {told}" if first.next else told,
            unchanged=first.unchanged,
            at=first.at,
        )
        self._each = tuple(mistakes)

    @property
    def each(self) -> tuple[ReconcilerError, ...]:
        return self._each


class Refused(Terminal):
    """The guard would not do it; the text says what to do instead. Nothing was touched."""


class Busy(ReconcilerError):
    """Another pass holds the lock (EX_TEMPFAIL of sysexits.h)."""

    exit_code = 75

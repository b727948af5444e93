"""What goes wrong beside the work: it keeps nothing else from going on, and whoever asks how the swarm is sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.errors import ReconcilerError


class Troubles:
    """By whom they are; the last of each, until it is over."""

    def __init__(self) -> None:
        self._by: dict[str, str] = {}

    def told(self) -> tuple[str, ...]:
        """A line for each: `binhost: the disk is full: no space left`."""
        return tuple(f"{who}: {what}" for who, what in sorted(self._by.items()))

    def note(self, who: str, error: ReconcilerError) -> None:
        self._by[who] = ": ".join(part for part in (error.what, error.why or error.next) if part)

    def over(self, who: str) -> None:
        self._by.pop(who, None)

    @contextmanager
    def noting(self, who: str) -> Iterator[None]:
        """An error of the block is noted and goes no further; without one it is over."""
        try:
            yield
        except ReconcilerError as error:
            self.note(who, error)
        else:
            self.over(who)

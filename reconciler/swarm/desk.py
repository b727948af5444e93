"""Where changes are made: the board on top of the store, one change at a time, and what it tells goes out after it."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import TypeVar

from reconciler.errors import Stale
from reconciler.model.queue import Changes, Took
from reconciler.ports.swarm import BuildStore, DispatchEngine
from reconciler.swarm.board import Board
from reconciler.swarm.draft import Draft
from reconciler.swarm.placing.times import Times

T = TypeVar("T")

_TRIES = 5
"""How often a change is made anew when somebody else was faster."""

GROWN = 10_000
"""Builds by which what they took grows in memory before it is read anew, without what the store has forgotten."""


class Desk:
    """`lock`: whoever looks at the board or changes anything holds it. `loaded`: how often the board was made anew."""

    def __init__(self, store: BuildStore, engine: DispatchEngine) -> None:
        self.store, self.engine = store, engine
        self.lock = RLock()
        self.loaded = 0
        self._board: Board | None = None
        self._took: list[Took] | None = None
        self._times: Times | None = None
        self._counted = self._read = 0

    @property
    def board(self) -> Board:
        """Made anew when another process has written."""
        changed = self.store.changed()
        if self._board is None or changed:
            self._board = Board(self.store.live())
            self._took = None
            self.loaded += 1
        return self._board

    def times(self, patience: int = 0) -> Times:
        """What builds took; the last ones may be missing, so many at most."""
        if self._took is None:
            self._took, self._times = list(self.store.took()), None
            self._read = len(self._took)
        if self._times is None or len(self._took) - self._counted > patience:
            self._times, self._counted = Times(self._took), len(self._took)
        return self._times

    def prune(self) -> None:
        """Forget the oldest of what has ended; what it took counts on for a while, as all of it takes long to read."""
        self.store.prune()
        if self._took is not None and len(self._took) >= self._read + GROWN:
            self._took = None

    def forget(self) -> None:
        """Look anew: what the board says may not be so."""
        self._board = None

    def draft(self, now: float) -> Draft:
        return Draft(self.board, now, self.store.builds, self.store.attempts)

    def commit(self, draft: Draft, fence: int = 0) -> Changes:
        """Durable, and on the board, when it returns. Errors as `BuildStore.commit`."""
        changes = draft.changes()
        if changes != Changes():
            try:
                self.store.commit(changes, fence)
                draft.board.apply(changes)
            except BaseException:
                self.forget()
                raise
            if draft.board is not self._board:
                self.forget()
            if self._took is not None:
                self._took += changes.took
        return changes

    def change(self, now: float, make: Callable[[Draft], T]) -> T:
        """Make a change that does not ask who leads."""
        for attempt in range(_TRIES):
            draft = self.draft(now)
            made = make(draft)
            try:
                self.commit(draft)
            except Stale:
                if attempt == _TRIES - 1:
                    raise
            else:
                return made
        raise AssertionError("the last try returns or raises")

    def send_events(self) -> None:
        """What was committed is told; after a crash in between it is told again, under the same id."""
        while events := self.store.unsent():
            self.engine.emit(*events)
            self.store.sent(events)

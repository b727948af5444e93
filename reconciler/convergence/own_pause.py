"""The pause that a deploy raises, and who may look past it.

A person's pause holds everybody back. A deploy's holds the timer back, while it works and after it failed; a later
deploy takes it over, and so does any pass when the deploy has died.
"""

from __future__ import annotations

from reconciler.convergence.world import Request, World
from reconciler.model.report import Pause
from reconciler.model.result import Result


class OwnPause:
    """Of one pass; the caller holds the pass lock."""

    def __init__(self, world: World, request: Request) -> None:
        self._signals, self._ledger, self._request = world.signals, world.ledger, request
        self._inherited = False

    def in_the_way(self) -> Pause | None:
        """The pause that this pass has to respect."""
        pause = self._signals.paused()
        if pause is None or not pause.run:
            return pause
        self._inherited = True
        return None if self._request.command != "converge" or self._died(pause.run) else pause

    def raise_(self) -> None:
        """From here on the timer changes nothing, whatever becomes of this process."""
        if self._request.command == "deploy":
            reason = f"deploy of {self._request.revision[:7] or 'the head'}"
            self._signals.pause("", reason, self._request.actor, self._request.run, None)

    def lift(self, result: Result, *, touched: bool) -> None:
        """After a success, and when nothing was changed; what failed on the way leaves it to a person."""
        pause = self._signals.paused()
        if pause is None or not pause.run:
            return
        good, own = result.outcome in ("succeeded", "unchanged"), pause.run == self._request.run
        if own and touched and not good and self._request.command == "deploy":
            reason = f"{pause.reason} failed: {result.reason}"
            self._signals.pause("", reason, self._request.actor, self._request.run, None)
        if good or (own and not touched and not self._inherited):
            self._signals.resume("")

    def _died(self, run: str) -> bool:
        try:
            return self._ledger.run(run)[0].died
        except KeyError:
            return False

"""Containers are stopped and started again as they are, level by level, each level healthy before the next."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from reconciler.convergence.exchange import grace, is_alive, shall_run
from reconciler.convergence.wait import Awaited, Waiting, gravest
from reconciler.convergence.world import World
from reconciler.core.restarting import in_order, to_restart
from reconciler.errors import ReconcilerError
from reconciler.model.observed import Container
from reconciler.model.report import StepRecord


class Restart:
    """One restart within one run; the caller holds the pass lock. `parallel`: how many at once."""

    def __init__(self, world: World, waiting: Waiting, run: str, parallel: int) -> None:
        self._engine, self._ledger = world.engine, world.ledger
        self._clock, self._progress = world.clock, world.progress
        self._waiting, self._run, self._parallel = waiting, run, parallel

    def run(self, asked: Sequence[Container], ours: Sequence[Container]) -> tuple[Container, ...]:
        """Those that were started again. Raises what kept the first ones from coming up; nothing is put back then.

        A job that is done, and what was never meant to run on, is left alone.
        """
        chosen = [container for container in to_restart(asked, ours) if shall_run(container)]
        for level in in_order(chosen):
            self._clock.sleep(0)  # who asked to stop is heard between two levels
            with ThreadPoolExecutor(self._parallel) as pool:
                tried = {container.slot: pool.submit(self._again, container) for container in level}
            failures = {slot: error for slot, done in tried.items() if (error := done.result())}
            failures |= self._waiting.until_started(Awaited(c.slot, c.id) for c in level if c.slot not in failures)
            for container in level:
                self._record(container, failures.get(container.slot))
            if failures:
                raise gravest(failures)
        return tuple(chosen)

    def _again(self, container: Container) -> ReconcilerError | None:
        """What kept it from being started, so that what the others do is recorded all the same."""
        self._progress.step(container.slot, "stopping")
        try:
            if container.state == "paused":
                self._engine.unpause(container.id)
            if is_alive(container):
                self._engine.stop(container.id, grace(container))
            self._progress.step(container.slot, "starting")
            self._engine.start(container.id)
        except ReconcilerError as error:
            error.what = f"{container.slot}: {error.what}"
            return error
        return None

    def _record(self, container: Container, failure: ReconcilerError | None) -> None:
        slot, now = container.slot, self._clock.now()
        self._progress.step(slot, "failed" if failure else "up", failure.what if failure else "")
        result, detail = ("failed", failure.what) if failure else ("ok", "")
        record = StepRecord(self._run, slot.stack, slot.service, "restart", ("asked for",), now, now, result, detail)
        self._ledger.step(record)

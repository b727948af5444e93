"""A drone's signs of life, and what it learns with them: whether what it builds is still wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from reconciler.errors import ReconcilerError, Terminal, Transient
from reconciler.model.swarm import Offer
from reconciler.swarm.drone.at_work import AtWork, DroneRules, Stopping, Surroundings
from reconciler.swarm.drone.uplink import LeaseLost

_WAIT = 0.1
"""Seconds between two looks of a thread at the clock."""


class Pulse:
    """Beats, asks and ships logs beside the build, each in a thread of its own: a slow one delays no other.

    An engine that is away delays nothing but itself: the build goes on. `broken`: why the drone may not go on at all.
    `boot` and `unable`: see `Beat`. `leaving`: whether the last beat is to say goodbye.
    """

    def __init__(self, rules: DroneRules, boot: str, world: Surroundings, work: AtWork, stopping: Stopping) -> None:
        self._rules, self.boot, self._world, self._work, self._stopping = rules, boot, world, work, stopping
        self._over = self.leaving = False
        self.unable = ""
        self._told: dict[str, str] = {}
        self.broken: Terminal | None = None

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Until the end of the block; its last word says that it drains, or that it is gone."""
        threads = [
            threading.Thread(target=self._repeat, args=(every, what), daemon=True)
            for every, what in (
                (self._rules.heartbeat, self._beat),
                (self._rules.look, self._look),
                (min(2.0, self._rules.look), self._ship),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over = True
            for thread in threads:
                thread.join(5)
            self.beat()

    def beat(self) -> None:
        """One more, at once."""
        self._carefully(self._beat)

    def ship(self) -> None:
        """What was written since: with the outcome the lease ends, and with it who may write."""
        self._carefully(self._ship)

    def _repeat(self, every: float, what: Callable[[], None]) -> None:
        """As often as told, and as soon as the drone is asked to stop."""
        while not self._over:
            self._carefully(what)
            asked, until = self._stopping.asked, time.monotonic() + every
            while time.monotonic() < until and not self._interrupted(asked=asked):
                time.sleep(_WAIT)

    def _interrupted(self, *, asked: bool) -> bool:
        return self._over or self._stopping.asked is not asked

    def _carefully(self, what: Callable[[], None]) -> None:
        try:
            what()
        except LeaseLost:  # what goes on knows it by now
            pass
        except Transient as error:
            self._tell(what.__name__, error)
        except Terminal as error:
            self.broken = error
            self._work.lose(error.what)
        else:
            self._tell(what.__name__, None)

    def _beat(self) -> None:
        unable, now = self.unable, self._world.clock.now()
        draining = self._stopping.asked or bool(unable)
        beat = self._work.beat(self._rules, self.boot, now, self._world.load(), draining=draining)
        gone = self._over and self.leaving
        self._world.link.beat(replace(beat, synced=self._world.synced(), gone=gone, unable=unable))

    def _look(self) -> None:
        offer = self._work.offer
        if offer is not None and not self._world.link.working(offer):
            self._work.lose("it was withdrawn", offer)

    def _ship(self) -> None:
        while not self._over and self._work.ship(self._log):
            pass

    def _log(self, offer: Offer, offset: int, data: bytes) -> int:
        try:
            return self._world.uplink.log(offer, offset, data)
        except LeaseLost as error:
            self._work.lose(error.what, offer)
            raise

    def _tell(self, what: str, error: ReconcilerError | None) -> None:
        """The same trouble once, and its end."""
        now = str(error) if error else ""
        before = self._told.get(what, "")
        self._told[what] = now
        if now and now != before:
            self._world.say(f"{now}; what is being built goes on")
        elif before and not now:
            self._world.say("the orchestrator is heard again")

"""What a drone is at, as its threads share it: the build that goes on, how far it is, and whether it is to end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from reconciler.model.swarm import Beat, Offer
from reconciler.ports.running import Clock
from reconciler.ports.swarm import DroneLink
from reconciler.swarm.drone.builder import Builder, Watching
from reconciler.swarm.drone.memory import DroneMemory
from reconciler.swarm.drone.uplink import Uplink

_SHOWN = 2048
"""Bytes of the log's end that go with a beat."""

_WAITING = 4 << 20
"""Bytes of a log that wait for an orchestrator that is away; when there are more, its end comes with the outcome."""


@dataclass(frozen=True, slots=True)
class DroneRules:
    """Who it is, and how it goes about it. Times in seconds.

    `memory` in bytes; `cores` and `speed`: what it says of itself. `heartbeat`: how often it beats. `drain`: how long
    what it builds may go on when it is asked to stop. `patience`: between two tries of what did not work; `longest`:
    for which it is tried again where somebody answers, and takes nothing.
    """

    name: str
    profile: str
    cores: int
    memory: int
    speed: float = 1.0
    sweeper: bool = False
    heartbeat: float = 30.0
    drain: float = 600.0
    patience: float = 15.0
    longest: float = 3600.0

    @property
    def look(self) -> float:
        """How often it asks whether what it builds is still wanted."""
        return self.heartbeat / 6


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What it works with. `load`: of the machine, as of one minute; `say`: a line for people.

    `synced`: when its ebuilds last changed (epoch seconds), 0 where nobody can tell.
    """

    link: DroneLink
    uplink: Uplink
    builder: Builder
    memory: DroneMemory
    clock: Clock
    load: Callable[[], float]
    say: Callable[[str], None]
    synced: Callable[[], float] = float


class Stopping:
    """How a drone is asked to stop. Plain values: a handler of signals may be anywhere when it calls this."""

    def __init__(self) -> None:
        self.asked = self.at_once = False

    def ask(self) -> None:
        """What it builds may end; asked once more, it hands that back at once."""
        self.at_once = self.asked
        self.asked = True


class AtWork(Watching):
    """One offer at a time. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._offer: Offer | None = None
        self._package = self._phase = self._why = self._lost = ""
        self._end: deque[bytes] = deque(maxlen=64)
        self._log = bytearray()
        self._logged = 0
        self._shipping = False
        self._sending = Lock()

    def begin(self, offer: Offer) -> None:
        with self._lock:
            self._offer, self._package, self._phase = offer, "", ""
            self._why = self._lost = ""
            self._end.clear()
            self._log.clear()
            self._logged, self._shipping = 0, True

    def done(self) -> None:
        with self._lock:
            self._offer = None
            self._package = self._phase = self._why = self._lost = ""

    @property
    def offer(self) -> Offer | None:
        return self._offer

    def end(self, why: str) -> None:
        """What it is at is to end; the first reason counts."""
        with self._lock:
            if self._offer is not None:
                self._why = self._why or why

    def lose(self, why: str, offer: Offer | None = None) -> None:
        """The same, because the lease is gone: whatever comes of it is nobody's.

        `offer`: whose lease that is. An answer about it may come when the next one is being built already.
        """
        with self._lock:
            if self._offer is not None and offer in (None, self._offer):
                self._why = self._why or why
                self._lost = self._lost or why

    def ending(self) -> str:
        """Why it is to end, "" when it may go on."""
        return self._why

    def lost(self) -> str:
        """Why the lease is gone, "" when it is not."""
        return self._lost

    def phase(self, package: str, phase: str) -> None:
        self._package, self._phase = package, phase

    def wrote(self, data: bytes) -> None:
        with self._lock:
            self._end.append(data[-_SHOWN:])
            self._shipping = self._shipping and len(self._log) + len(data) <= _WAITING
            if self._shipping:
                self._log += data

    def ship(self, send: Callable[[Offer, int, bytes], int], largest: int = 256 << 10) -> bool:
        """Give `send` the next piece of the log; whether there was one. It answers where the one after it begins."""
        with self._sending:
            with self._lock:
                offer, offset, data = self._offer, self._logged, bytes(self._log[:largest])
            if offer is None or not data:
                return False
            reached = send(offer, offset, data)
            with self._lock:
                if offer == self._offer and offset <= reached <= offset + len(data):
                    del self._log[: reached - offset]
                    self._logged = reached
                elif offer == self._offer:  # it knows another beginning of it than we do
                    self._shipping = False
                    self._log.clear()
            return True

    def beat(self, rules: DroneRules, boot: str, at: float, load: float, *, draining: bool) -> Beat:
        with self._lock:
            offer = self._offer
            return Beat(
                rules.name,
                boot,
                at,
                rules.cores,
                rules.memory,
                rules.profile,
                load=load,
                speed=rules.speed,
                sweeper=rules.sweeper,
                draining=draining,
                build=offer.build if offer else "",
                attempt=offer.attempt if offer else 0,
                package=(self._package or ", ".join(offer.atoms)) if offer else "",
                phase=self._phase,
                log=b"".join(self._end)[-_SHOWN:].decode("utf-8", "replace") if offer else "",
            )

"""How builds travel between the orchestrator, which holds their truth, and the drones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.model.swarm import Beat, Event, Lease, Offer, Outcome


class Delivery(Protocol):
    """An outcome that stays with the engine until it is acknowledged: after its effect is committed."""

    @property
    def outcome(self) -> Outcome: ...

    def ack(self) -> None: ...


class DispatchEngine(Protocol):
    """Carries offers, outcomes, beats and events, and decides nothing. Transient when it cannot be reached.

    Everything is delivered at least once; the fence (build and attempt) makes repeats harmless.
    """

    def open(self, site: str) -> None: ...

    def close(self) -> None: ...

    def enroll(self, drone: str) -> str:
        """The credential by which a drone is known from now on; an older one of the same drone is void."""

    def revoke(self, drone: str) -> None: ...

    def offer(self, drone: str, offer: Offer) -> None:
        """Durable when it returns; the same build and attempt again is no second offer."""

    def withdraw(self, drone: str, build: str = "") -> None:
        """A drone's offers (of one build, or all) are gone; one that works on it hears so at its next `working`."""

    def outcomes(self) -> Sequence[Delivery]:
        """What is not acknowledged yet, oldest first."""

    def beats(self) -> Sequence[Beat]:
        """The last one of every drone that was heard of since the question before."""

    def outstanding(self, drone: str) -> frozenset[tuple[str, int]]:
        """Build and attempt of what lies with a drone, taken or not, and has no outcome yet."""

    def lease(self, name: str, holder: str, ttl: float) -> Lease | None:
        """Take or renew leadership for `ttl` seconds; None while somebody else has it."""

    def emit(self, event: Event) -> None: ...

    def events(self, after: int, limit: int = 100) -> Sequence[Event]:
        """Those with a greater `seq`, oldest first; old ones are forgotten some day."""


class DroneLink(Protocol):
    """A drone's end. Transient when the engine cannot be reached, Terminal when its credential is void."""

    def next(self, timeout: float) -> Offer | None:
        """The next offer; None after `timeout` seconds without one. The same is given again until it is finished."""

    def working(self, offer: Offer) -> bool:
        """Tell that it is being worked on; False: it was withdrawn, and what was begun is to be ended."""

    def finish(self, offer: Offer, outcome: Outcome) -> None:
        """Durable when it returns."""

    def beat(self, beat: Beat) -> None: ...

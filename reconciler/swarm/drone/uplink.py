"""What a drone needs of its orchestrator beside the engine: where packages and logs go."""

from __future__ import annotations

from typing import ClassVar, Protocol

from reconciler.errors import Terminal, Transient
from reconciler.model.swarm import Artifact, Offer
from reconciler.swarm.drone.builder import Ending, Packed


class LeaseLost(Terminal):
    """The build was given to somebody else, or is wanted no more: what was made under the old lease is refused."""


class NotTaken(Transient):
    """It answers, and what it answers is no word about what was brought: that may pass, or never."""


class Uplink(Protocol):
    """Transient (E-DRONE-UPLINK) while it cannot be reached, LeaseLost when it does not know the lease (any more)."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("upload", "log")

    def binhost(self) -> bool:
        """Whether the binhost has an index already; a new one has none."""

    def upload(self, offer: Offer, packed: Packed, artifact: Artifact, ending: Ending) -> None:
        """A package into the staging of its lease; durable there when it returns. LeaseLost once it is to end.

        Terminal when it is refused for what it is.
        """

    def log(self, offer: Offer, offset: int, data: bytes) -> int:
        """A piece of the log from `offset` (bytes) on; where the next one is to begin."""

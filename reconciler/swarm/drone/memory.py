"""What a drone must not forget when it dies: what it took on, and how that ended, until somebody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from reconciler.model.swarm import Offer, Outcome


@dataclass(frozen=True, slots=True)
class Taken:
    """`outcome` None: it is being worked on. `files`: path of each artifact -> where it lies on this machine.

    `boot`: of the start of the drone that took it on.
    """

    offer: Offer
    boot: str
    outcome: Outcome | None = None
    files: Mapping[str, str] = field(default_factory=dict)


class DroneMemory(Protocol):
    """Transient (E-DRONE-DISK) when the disk takes no more."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("keep", "forget")

    def taken(self) -> Taken | None:
        """What was kept last; None when there is nothing, or when it is torn."""

    def keep(self, taken: Taken) -> None:
        """Durable when it returns; in place of what was kept before."""

    def forget(self) -> None: ...

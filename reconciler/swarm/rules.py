"""How an orchestrator goes about it: its times, and how much it tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.build import Limits


@dataclass(frozen=True, slots=True)
class Rules:
    """Times in seconds. `heartbeat`: how often drones beat; a drone is degraded after 1.5 and offline after 2 of them.

    `lease`: for how long leadership is taken with each tick. `compare`: how often what is assigned is compared with
    what lies with the drones. `timeout`: of one build. `limits`: how builds are placed, the number of tries among it.
    `wants`: category/name -> (cores, memory in bytes) that a package wants at least. `resolve`: expected seconds of
    a question to Portage.
    """

    site: str = "main"
    heartbeat: float = 30.0
    lease: float = 30.0
    compare: float = 60.0
    timeout: float = 86400.0
    resolve: float = 5.0
    limits: Limits = Limits()
    wants: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def every(self) -> float:
        """Seconds between two ticks; after several without one the orchestrator counts as having been away."""
        return min(2.0, self.heartbeat / 8)

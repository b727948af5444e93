"""What the routes of the orchestrator are made with; the wiring gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.ports.swarm import Binhost, BuildLogs, PackageFiles
from reconciler.swarm.orchestrator import Orchestrator
from reconciler.web.auth import Admins


@dataclass(frozen=True, slots=True)
class Serving:
    """`whose`: credential -> drone, "" for none. `now`: epoch seconds. `patience`: seconds from tick to tick."""

    orchestrator: Orchestrator
    binhost: Binhost
    files: PackageFiles
    logs: BuildLogs
    admins: Admins
    whose: Callable[[str], str]
    now: Callable[[], float]
    patience: float = 60.0

"""What a pass talks to, the rules that it keeps, and what was asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.convergence.gather import Site
from reconciler.core.guard import Policy
from reconciler.model.plan import Plan
from reconciler.ports import (
    Adoptions,
    Clock,
    ContainerEngine,
    HostFiles,
    Identity,
    Ledger,
    Progress,
    Repository,
    Signals,
)


def agreed(_plan: Plan) -> bool:
    """The yes of a timer, which nobody can ask."""
    return True


class Interrupted(BaseException):
    """A person or the init system asked the pass to stop; the next one repairs what is left."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything a pass talks to."""

    repository: Repository
    engine: ContainerEngine
    ledger: Ledger
    signals: Signals
    files: HostFiles
    adoptions: Adoptions
    identity: Identity
    clock: Clock
    progress: Progress


@dataclass(frozen=True, slots=True)
class Rules:
    """How a pass behaves. Seconds: `window` for verify, `timeout` for a start, `job_timeout` for jobs."""

    site: Site
    policy: Policy
    window: float = 5.0
    timeout: float = 30.0
    job_timeout: float = 600.0
    parallel: int = 4


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for. `confirm` sees the plan before anything is touched; False ends the pass."""

    run: str
    command: str
    actor: str
    confirm: Callable[[Plan], bool] = agreed

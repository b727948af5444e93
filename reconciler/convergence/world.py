"""What a pass talks to, the rules that it keeps, and what was asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from reconciler.convergence.gather import Site
from reconciler.core.guard import Policy
from reconciler.model.gate import GateAnswer
from reconciler.model.images import Tag
from reconciler.model.plan import Plan
from reconciler.ports import (
    Adoptions,
    BuildSwarm,
    Clock,
    ContainerEngine,
    HostFiles,
    HostShell,
    Identity,
    Images,
    Ledger,
    Probing,
    Progress,
    Repository,
    Signals,
)


def agreed(_plan: Plan) -> bool:
    """The yes of a timer, which nobody can ask."""
    return True


class Interrupted(BaseException):
    """A person or the init system asked the pass to stop; the next one repairs what is left."""


class Gate(Protocol):
    """What continuous integration says about a commit."""

    def judge(self, sha: str, base: str) -> GateAnswer: ...


class Trust(Protocol):
    """Whose commits this host follows."""

    def obstacle(self, sha: str, base: str) -> str:
        """Why the commits after `base` as far as `sha` are not to be trusted; "" when they are."""


class Deploys(Protocol):
    """Deploys of this host that wait for their turn."""

    def waiting(self) -> tuple[str, ...]:
        """The revisions that they go for (40 hex)."""


class _Open:
    """No gate, no signatures asked for, nobody waits."""

    def judge(self, sha: str, base: str) -> GateAnswer:
        return GateAnswer(sha, "not triggered", "the fleet has no gate")

    def obstacle(self, sha: str, base: str) -> str:
        return ""

    def waiting(self) -> tuple[str, ...]:
        return ()


class _Forgetful(Images):
    """Nothing is known, and nothing is kept."""

    def known(self) -> Mapping[str, Tag]:
        return {}

    def remember(self, tags: Mapping[str, Tag], due: float) -> None: ...

    def failed(self, reference: str) -> None: ...


_OPEN, _FORGETFUL = _Open(), _Forgetful()


@dataclass(frozen=True, slots=True)
class World:
    """Everything a pass talks to. `swarm` None: this host knows no orchestrator."""

    repository: Repository
    engine: ContainerEngine
    ledger: Ledger
    signals: Signals
    files: HostFiles
    adoptions: Adoptions
    identity: Identity
    clock: Clock
    progress: Progress
    shell: HostShell
    probing: Probing
    gate: Gate = _OPEN
    trust: Trust = _OPEN
    deploys: Deploys = _OPEN
    images: Images = _FORGETFUL
    swarm: BuildSwarm | None = None


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
    """What was asked for. `confirm` sees the plan before anything is touched; False ends the pass.

    `revision`: exactly this commit (40 hex), of `deploy` and `rollback`; a `converge` chooses for itself. `reason`: a
    person's, for a rollback. `override`: a person's reason to deploy whatever the gate says.
    """

    run: str
    command: Literal["converge", "deploy", "rollback"]
    actor: str
    confirm: Callable[[Plan], bool] = agreed
    revision: str = ""
    reason: str = ""
    override: str = ""

"""What a pass leaves behind: the run itself, its steps, and the promises it made before touching a container.

Times are seconds since the epoch (wall clock, for people); order comes from the ledger, never from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.model.desired import RestartPolicy

Outcome = Literal[
    "",
    "succeeded",
    "unchanged",
    "held",
    "paused",
    "superseded",
    "failed",
    "rolled-back",
    "halted",
    "interrupted",
]
"""How a run ended; "" while it has not. `held`: the head was held back, the last verified revision stands."""

VERIFYING: tuple[Outcome, ...] = ("succeeded", "unchanged")
"""The outcomes of runs that found all well that they looked at; what they did not look at is not `VERIFIED`."""

VERIFIED = "verified"
"""The action of a step by which a run says that the whole of its revision runs and is well."""


_UNREACHABLE = 69
"""The exit code of a run that could not reach what it needs (EX_UNAVAILABLE of sysexits.h)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One pass. `revision` is its target and `base` the revision verified before it (40 hex, or "" when unknown).

    `command` is the verb (converge, deploy, rollback), `actor` who asked, `host` the name in fleet.yaml.
    `ended` and `exit_code` are None, and `outcome` is "", until it has ended.
    """

    id: str
    command: str
    actor: str
    revision: str
    base: str
    started: float
    ended: float | None = None
    outcome: Outcome = ""
    exit_code: int | None = None
    reason: str = ""
    detail: str = ""
    host: str = ""

    @property
    def died(self) -> bool:
        """Whether it came to no end of its own: it was killed or stopped, or the engine went away under its work."""
        return self.outcome in ("", "interrupted") or (self.outcome == "halted" and self.exit_code == _UNREACHABLE)

    @property
    def told_nothing(self) -> bool:
        """Whether it says nothing about any revision: it died, found a pause, or could not reach what it needs."""
        return self.died or self.outcome == "paused" or self.exit_code == _UNREACHABLE


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a run as it went. `service` is "" for a step of a whole stack; `result`: ok, failed or skipped."""

    run: str
    stack: str
    service: str
    action: str
    reasons: tuple[str, ...]
    started: float
    ended: float | None = None
    result: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """A promise, written before a container is replaced: which one it was, its name, and the policy it must get back.

    `container` is the engine's id of the old one. Whoever finds an open intent of a dead run keeps the promise for it.
    """

    run: str
    kind: str
    container: str
    name: str
    policy: RestartPolicy
    at: float


@dataclass(frozen=True, slots=True)
class LedgerLoss:
    """The ledger on disk was unusable: why, and where it was set aside."""

    why: str
    aside: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody asked that nothing be changed: on this host (`stack` is ""), or on one stack of it.

    `left` is the time in seconds until it ends by itself; `run` is set when a deploy raised it. `problem` says
    what is odd about the sentinel (empty, a folder, a link, not readable); it pauses all the same.
    """

    stack: str = ""
    reason: str = ""
    holder: str = ""
    run: str = ""
    at: str = ""
    left: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A commit (40 hex, or 7 digits and more) or `image-<digest>` that may not be deployed, and why.

    `tree` and `desired` name what else is as bad: the same files, the same wish of this host. `run` is "" when a
    person made it.
    """

    name: str
    reason: str = ""
    run: str = ""
    tree: str = ""
    desired: str = ""

    def holds_for(self, name: str) -> bool:
        """Whether it is that commit or image; a person may have abbreviated the commit."""
        return self.name == name or (7 <= len(self.name) <= 40 and name.startswith(self.name.lower()))

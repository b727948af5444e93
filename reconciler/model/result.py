"""What a pass says at its end, to the command line, the history and (later) to people elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.model.changes import Changes
from reconciler.model.gate import GateAnswer
from reconciler.model.plan import Plan
from reconciler.model.report import Outcome
from reconciler.model.repository import CheckoutReport

if TYPE_CHECKING:  # a host without package sets does not pay for their nouns
    from reconciler.model.sets import PackageDrift


@dataclass(frozen=True, slots=True)
class Migrated:
    """One migration as it went; `result`: ok or failed."""

    stack: str
    name: str
    seconds: float
    result: str


@dataclass(frozen=True, slots=True)
class WayBack:
    """How a failed pass was taken back. `to`: the revision that serves again ("" when there was none before).

    `restored`: names of the containers that serve again. `trouble`: what went wrong on the way, "" when nothing did.
    `ahead`: migrations that had run; nothing is migrated back, so the schema stays ahead of the code.
    """

    to: str
    restored: tuple[str, ...] = ()
    trouble: str = ""
    ahead: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """`plan` is None when the pass ended before there was one; `held` says why the head is not followed.

    `directory` is the working tree of the host. `phase` is where it failed, `log` the last lines of what failed (no
    secret is in them). `attempt`: how many times this revision has been tried on this boot. `started`: seconds since
    the epoch. `cleared`: blocks that this pass ended; `by_hand`: what persons did to sentinels since
    the pass before. `repeat`: it failed as the pass before did, and that was told: nobody needs to hear it again yet.
    `untrusted`: the head is held because of who signed it. `packages`: what the binhost lacks of its package sets;
    None where there are none, or nothing was to be said about them.
    """

    run: str
    outcome: Outcome
    exit_code: int
    reason: str
    revision: str = ""
    base: str = ""
    held: str = ""
    plan: Plan | None = None
    checkout: CheckoutReport = CheckoutReport()
    directory: str = ""
    error: ReconcilerError | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    command: str = ""
    actor: str = ""
    host: str = ""
    started: float = 0.0
    attempt: int = 0
    phase: str = ""
    log: tuple[str, ...] = ()
    gate: GateAnswer | None = None
    changes: Changes | None = None
    migrated: tuple[Migrated, ...] = ()
    back: WayBack | None = None
    cleared: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    repeat: bool = False
    untrusted: bool = False
    packages: PackageDrift | None = None

    @property
    def heals(self) -> bool:
        """Whether it was about what is verified already, and not about anything new."""
        return bool(self.base) and self.revision == self.base and self.command not in ("deploy", "rollback")

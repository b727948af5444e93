"""What continuous integration says about one commit, and what signatures say: five answers that are never mixed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GateState = Literal["passed", "failed", "pending", "not triggered", "unreachable"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run or status that was looked at: a workflow file or context, its run id, which attempt it was, a link."""

    name: str
    state: str
    run: str = ""
    attempt: int = 0
    link: str = ""


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What the gate says about `sha`. `again`: when asking is worth it (epoch seconds; 0: any time).

    `overridden`: a person let it pass, and `reason` is theirs.
    """

    sha: str
    state: GateState
    reason: str
    evidence: tuple[Evidence, ...] = ()
    again: float = 0.0
    overridden: bool = False

    @property
    def open(self) -> bool:
        """Whether the commit may be deployed as far as the gate is concerned (I14)."""
        return self.overridden or self.state in ("passed", "not triggered")


@dataclass(frozen=True, slots=True)
class SignatureAnswer:
    """What the signature of one commit is worth on this host: who signed, or why that does not count."""

    sha: str
    signer: str = ""
    trouble: str = ""

    @property
    def good(self) -> bool:
        return not self.trouble

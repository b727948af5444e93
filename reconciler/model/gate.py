"""What continuous integration says about one commit, and what signatures say: five answers that are never mixed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GateState = Literal["passed", "failed", "pending", "not triggered", "unreachable"]
Provider = Literal["github", "gitea", "forgejo", "generic", "none"]


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
class CiRules:
    """`ci:` of a fleet. `token`: name of the secret; `require`: workflow files, names or contexts, empty for every one
    that a push triggers; `settle`: seconds after which a run that nobody can expect for sure does not come any more.

    `neutral`: what neutral and skipped conclusions count as; `unknown`: what an absent run counts as when it cannot be
    told whether there should be one.
    """

    provider: Provider
    repository: str = ""
    url: str = ""
    token: str = ""
    require: tuple[str, ...] = ()
    settle: float = 120.0
    neutral: Literal["pass", "fail"] = "pass"
    unknown: Literal["pass", "hold"] = "hold"


@dataclass(frozen=True, slots=True)
class CiRun:
    """One run of a workflow, or one status of a commit, as a provider tells it.

    `workflow`: path of the workflow's file, "" for a status; `name`: the workflow's, or the status's context.
    `number`: the higher, the newer among those of the same workflow or context. `conclusion`: in GitHub's words, ""
    while it goes on.
    """

    sha: str
    workflow: str
    name: str
    number: int = 0
    attempt: int = 1
    conclusion: str = ""
    id: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class CiPage:
    """One page of a provider's answer; `etag` lets the next question be answered with "as before" (RFC 9110, 8.8.3)."""

    etag: str
    next: str
    runs: tuple[CiRun, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a workflow file says about one push: whether it has to run for it, and why."""

    workflow: str
    name: str
    runs: Literal["must run", "must not run", "unknown"]
    reason: str


@dataclass(frozen=True, slots=True)
class SignatureAnswer:
    """What the signature of one commit is worth on this host: who signed, or why that does not count."""

    sha: str
    signer: str = ""
    trouble: str = ""

    @property
    def good(self) -> bool:
        return not self.trouble

"""Continuous integration: who tells what became of a commit's runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from reconciler.errors import Unreachable
from reconciler.model.gate import CiPage


class Unanswered(Unreachable):
    """There is no answer that can be believed; that is neither a pass nor a failure of the commit.

    `wait`: seconds before the next question; `told`: the server named them, else they double each time. `status`:
    HTTP's, 0 without an answer.
    """

    def __init__(
        self, code: str, what: str, *, why: str, next: str, wait: float, told: bool = False, status: int = 0
    ) -> None:
        super().__init__(code, what, why=why, next=next, unchanged="everything that runs; no commit is blocked for it")
        self.wait, self.told, self.status = wait, told, status


class ContinuousIntegration(Protocol):
    """One provider and repository. Only asks; it has no effects."""

    EFFECTS: ClassVar[tuple[str, ...]] = ()

    @property
    def source(self) -> str:
        """Names the server and the repository: what a back-off is about."""

    def ask(self, sha: str, known: Mapping[str, CiPage]) -> Mapping[str, CiPage]:
        """The pages about exactly that commit (40 hex) by their address; `known`: those of earlier questions.

        Unanswered.
        """


@dataclass(frozen=True, slots=True)
class Backoff:
    """Nobody asks `source` before `until` (epoch seconds); `times`: how often in a row; `reason`: what happened."""

    source: str
    until: float
    times: int
    reason: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """`seen`: commit -> when this host saw it first (epoch seconds). Losing all of it only costs time."""

    seen: Mapping[str, float] = field(default_factory=dict)
    pages: Mapping[str, CiPage] = field(default_factory=dict)
    backoff: Backoff | None = None


class CiMemory(Protocol):
    EFFECTS: ClassVar[tuple[str, ...]] = ("remember",)

    def known(self) -> Remembered: ...

    def remember(self, remembered: Remembered) -> None:
        """Durable when it returns, unless the disk is full: then it is forgotten, which only costs time."""

"""The build swarm as a host sees it that wants packages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:  # a pass without package sets does not pay for their nouns
    from reconciler.model.queue import Answer, RequestView, Stored
    from reconciler.model.sets import Submission
    from reconciler.model.swarm import Request


class BuildSwarm(Protocol):
    """An orchestrator and the binhost that it fills. Every question has a short deadline of its own.

    Transient when there is no answer, or half of one; Terminal when it is none.
    """

    EFFECTS: ClassVar[tuple[str, ...]] = ("submit",)

    @property
    def address(self) -> str:
        """Of the orchestrator, for people."""

    def stored(self, binhost: str, profile: str) -> Sequence[Stored]:
        """What a profile's index lists at `binhost` ("": the orchestrator's own); nothing where there is none."""

    def requests(self, origin: str) -> Sequence[Request]:
        """The latest of that origin (`set:NAME`), ended or not, newest first."""

    def request(self, id: str) -> RequestView:
        """What became of one that `requests` told."""

    def synced(self, profile: str) -> float:
        """When the ebuilds of any drone of the profile last changed (epoch seconds), 0 where nobody can tell."""

    def submit(self, wanted: Submission) -> Answer:
        """Durable there when it returns; whoever gets no answer may ask again with the same key."""

"""What a drone builds with: a small port, so that other distributions can follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from reconciler.model.swarm import Offer, Result

Ending = Callable[[], str]
"""Why what goes on is to end at once; "" as long as it may go on."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A binary package on the drone's disk. `path`, `entry` and `header`: as in `model.swarm.Artifact`."""

    file: Path
    path: str
    entry: Mapping[str, str]
    header: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Built:
    """How it went. `text`: what emerge printed, for a resolve; `log`: its last lines."""

    result: Result
    reason: str = ""
    packages: tuple[Packed, ...] = ()
    text: str = ""
    log: str = ""


class Watching(Protocol):
    """Who hears what a build does while it does it."""

    def phase(self, package: str, phase: str) -> None:
        """Which package is worked on now, and how far it is: fetch, unpack, configure, compile, test, install ..."""

    def wrote(self, data: bytes) -> None:
        """The next piece of its log."""


class Builder(Protocol):
    """Works on one offer at a time. Transient when the machine cannot do it now, as with a full disk."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("build", "resolve", "clean", "forget")

    def build(self, offer: Offer, watching: Watching, ending: Ending, binhost: bool = True) -> Built:
        """Build exactly what the offer names, dependencies taken from the binhost where there is one.

        `returned` when it was told to end, or ended for what is the machine's own trouble; then nothing that it began
        is left.
        """

    def resolve(self, offer: Offer, watching: Watching, ending: Ending) -> Built:
        """What would have to be built for the wishes of the offer, in which order, as text."""

    def unable(self) -> str:
        """Why nothing can be built here as it is, as with a full disk; "" when it can. It raises nothing."""

    def clean(self, keep: str = "") -> None:
        """End and clear away what a drone that died has left, but for the packages of the lease `keep`."""

    def forget(self, lease: str) -> None:
        """The packages of an offer are not needed any more."""

"""Package sets: what they want, what the binhost lacks of it, and how it stands with that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reconciler.model.package import Atom
from reconciler.model.swarm import Use

Lacking = Literal["missing", "outdated"]
"""The binhost has nothing of it; what it has is of a version or has flags that are not wanted."""

Standing = Literal["open", "building", "failed"]
"""To be handed over; handed over and not at its end; came to an end that is not what was wanted."""


@dataclass(frozen=True, slots=True)
class PackageSet:
    """Packages that are to be in the binhost of a profile. `use`: lines of package.use, what is off with a hyphen.

    `file`: the path of the repository that says so.
    """

    name: str
    profile: str
    atoms: tuple[Atom, ...]
    use: Use = field(default_factory=dict)
    file: str = ""


@dataclass(frozen=True, slots=True)
class Packages:
    """What the manifests want of the build swarm, as far as this host is concerned.

    `binhost`: address of the folder of profiles whose indexes count; "": what the orchestrator itself has.
    `orchestrator`: the address that the fleet names for the site of this host; a host's own file decides.
    `elsewhere`: the fleet has orchestrators, and none is for this host.
    """

    sets: tuple[PackageSet, ...] = ()
    binhost: str = ""
    orchestrator: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Lack:
    """One atom that the binhost cannot serve as it is wanted, and why. `found`: the nearest that it has, or "".

    `standing` and `why`: what became of it; `request`: the id of the orchestrator under which that is.
    """

    atom: Atom
    kind: Lacking
    reason: str
    found: str = ""
    standing: Standing = "open"
    why: str = ""
    request: str = ""

    @property
    def state(self) -> str:
        """In one word: missing and outdated are still to be handed over."""
        return self.kind if self.standing == "open" else self.standing


@dataclass(frozen=True, slots=True)
class Superseded:
    """A package of the binhost that a better one took the place of. `path` below the profile's folder."""

    package: str
    path: str
    by: str


@dataclass(frozen=True, slots=True)
class SetDrift:
    """One set beside the index of its profile. `present`: how many of its atoms are served as they are wanted."""

    name: str
    profile: str
    present: int = 0
    lacks: tuple[Lack, ...] = ()
    superseded: tuple[Superseded, ...] = ()

    def standing(self, standing: Standing) -> tuple[Lack, ...]:
        return tuple(lack for lack in self.lacks if lack.standing == standing)


@dataclass(frozen=True, slots=True)
class PackageDrift:
    """All sets of a host. `unknown`: why some could not be compared or handed over, "" when all were.

    `advice`: what to do about that. `unasked`: nobody is configured to be asked, and that is for a person to mend.
    """

    sets: tuple[SetDrift, ...] = ()
    unknown: str = ""
    advice: str = ""
    unasked: str = ""

    @property
    def lacks(self) -> tuple[Lack, ...]:
        return tuple(lack for each in self.sets for lack in each.lacks)

    @property
    def in_sync(self) -> bool:
        """Whether it is known that nothing lacks; nobody being asked is no answer, and no drift."""
        return not self.unknown and not self.lacks

    @property
    def waits(self) -> bool:
        """Whether something is on its way."""
        return any(lack.standing != "failed" for lack in self.lacks)


@dataclass(frozen=True, slots=True)
class Submission:
    """What is handed over. `atoms` and `use` as Portage reads them; `key`: the same again is no second request."""

    set: str
    profile: str
    atoms: tuple[str, ...]
    use: Use
    key: str
    actor: str

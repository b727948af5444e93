"""What the build swarm has to do and who does it: requests, builds, offers to drones and what comes back from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.model.package import Package

BuildState = Literal["queued", "leased", "building", "uploaded", "succeeded", "failed", "cancelled", "held"]
"""Forward only; a lost or failed try is the same build queued again under the next attempt."""

ENDED: tuple[BuildState, ...] = ("succeeded", "failed", "cancelled", "held")

BuildKind = Literal["package", "resolve"]
"""A package that is built; a question that only a machine with Portage answers: which packages, in which order."""

RequestState = Literal["resolving", "building", "complete", "refused", "cancelled"]
Result = Literal["succeeded", "failed", "returned"]
"""`returned`: the drone ends, and has not judged the package; no failed try."""

Use = Mapping[str, tuple[str, ...]]
"""Atom -> flags, what is off with a hyphen: the lines of package.use.

The atom is `category/name`, or `=category/name-version`.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked for. `key`: idempotency key, unique. `origin`: `set:NAME`, `emerge` or `atoms`.

    `atoms`: as Portage reads them. `at` and `ended` in epoch seconds. `refused`: (what, why) of what is not built.
    `builds`: ids, in the order of the list.
    """

    id: str
    key: str
    origin: str
    actor: str
    profile: str
    at: float
    atoms: tuple[str, ...] = ()
    use: Use = field(default_factory=dict)
    state: RequestState = "building"
    reason: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    builds: tuple[str, ...] = ()
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """One package of one profile that is to be in the binhost, or one question to Portage (`resolve`).

    `attempt` counts from 1 with each lease, 0 before the first; with the id it is the fence: what comes back under
    another one is stale. `failures`: the drone of every failed try, oldest first. `since`: when the state began (epoch
    seconds). `reason`: why it is in this state. `work`: expected seconds on one core. `stored`: path below the
    binhost's profile. `lead`: the build under whose id it was leased last: its own, or one of its cycle; "" before.
    """

    id: str
    kind: BuildKind
    package: Package | None
    profile: str
    state: BuildState
    since: float
    queued: float
    attempt: int = 0
    drone: str = ""
    reason: str = ""
    use: Use = field(default_factory=dict)
    atoms: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    bump: int = 0
    work: float = 0.0
    seconds: float | None = None
    stored: str = ""
    lead: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Offer:
    """What a drone is to do. `atoms` as Portage reads them: wishes for a resolve, else exactly one version.

    Several versions are the members of a cycle, which are built in one go.

    `timeout` in seconds. `attempt`: see `Build`.
    """

    build: str
    attempt: int
    kind: BuildKind
    atoms: tuple[str, ...]
    profile: str
    use: Use = field(default_factory=dict)
    timeout: float = 86400.0

    @property
    def lease(self) -> str:
        """`build:attempt`: what an upload has to show."""
        return f"{self.build}:{self.attempt}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A binary package that was uploaded. `entry`: its stanza of the drone's `Packages`; `sha256` in hex.

    `header`: what stands at the head of that `Packages`; clients learn from it which flags need no IUSE.
    """

    path: str
    size: int
    sha256: str
    entry: Mapping[str, str]
    header: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an offer ended on a drone. `text`: what emerge printed, for a resolve; `log`: its last lines."""

    build: str
    attempt: int
    drone: str
    result: Result
    seconds: float
    reason: str = ""
    artifacts: tuple[Artifact, ...] = ()
    text: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life. `boot`: of this start of the drone's process: a new one holds nothing that the old one held.

    `gone`: the last of this start; nothing is left of what it held. `memory` in bytes, `load` as of one minute; `phase`
    of the build at hand (`compile`), `log` the last it wrote. `synced`: when its ebuilds last changed (epoch seconds),
    0 where nobody can tell. `unable`: why it can build nothing, as with a full disk; it is `draining` meanwhile.
    """

    drone: str
    boot: str
    at: float
    cores: int
    memory: int
    profile: str
    load: float = 0.0
    speed: float = 1.0
    sweeper: bool = False
    draining: bool = False
    build: str = ""
    attempt: int = 0
    package: str = ""
    phase: str = ""
    log: str = ""
    synced: float = 0.0
    gone: bool = False
    unable: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for people and pages. `seq` is given by the engine, 0 before.

    `id`: given by who emits it; the same again is no second event. "": it has none.
    """

    kind: Literal["drone_status", "build_progress", "queue_update", "build_complete"]
    at: float
    data: Mapping[str, object]
    seq: int = 0
    id: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """Leadership under a name until `until` (epoch seconds); a later holder has a greater fence."""

    name: str
    holder: str
    fence: int
    until: float

"""What the orchestrator holds beside requests and builds, and what it shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.model.build import Band, DroneState, EstimateError
from reconciler.model.package import Message, Package
from reconciler.model.swarm import Artifact, Beat, Build, BuildState, Event, Request

Verdict = Literal["accepted", "deduplicated", "refused"]
End = Literal["", "succeeded", "failed", "returned", "lost", "cancelled"]
"""How a try ended, "" while it goes on."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A package that the binhost of a profile has.

    `package.use`: every flag of its IUSE, those that are off with a hyphen. `path` below the profile's folder; `size`
    in bytes; `built` in epoch seconds. `bound`: what it was built against by sub-slot, as (category/name, slot,
    sub-slot): a dependency that its entry names as `dev-libs/icu:0/74=` is ("dev-libs/icu", "0", "74").
    """

    package: Package
    path: str
    build_id: int
    size: int = 0
    built: float = 0.0
    bound: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one thing that was asked for, and why. `what`: a package, an atom, or a line that is neither.

    `build`: the one that does it, "" where none is needed. `line`: in the text, 0 where there is none.
    """

    what: str
    verdict: Verdict
    reason: str
    build: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One lease of a build. `build` is the one under whose name it was offered, `members` are all that it is to build.

    `expected` and `seconds`: how long it takes there, as estimated and as it was. `log`: the last lines, bounded.
    """

    build: str
    attempt: int
    drone: str
    leased: float
    members: tuple[str, ...] = ()
    expected: float = 0.0
    begun: float | None = None
    ended: float | None = None
    result: End = ""
    reason: str = ""
    seconds: float | None = None
    log: str = ""
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A drone as the orchestrator knows it. `heard`: when its last word came in (epoch seconds, our clock)."""

    name: str
    state: DroneState = "offline"
    since: float = 0.0
    heard: float = 0.0
    drained: bool = False
    beat: Beat | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A transition: it happens only while the build still is as `before` says (id, attempt, drone, state)."""

    before: Build
    after: Build


@dataclass(frozen=True, slots=True)
class Took:
    """What a build took, for estimates to come; `estimated` seconds on that drone, 0 when nobody had said."""

    package: str
    drone: str
    cores: int
    seconds: float
    ended: float
    estimated: float = 0.0
    speed: float = 1.0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that one step changes: all of it becomes true at once, or nothing.

    `edges`: (first, then), ids of builds. `attempts`, `requests` and `drones` replace what has their key. `digest`: of
    what was submitted, for the new request. `decisions`: by request. `gone`: drones that are forgotten. `told`:
    requests whose end was told. `events`: what goes out after it.
    """

    builds: tuple[Build, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    moves: tuple[Move, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    requests: tuple[Request, ...] = ()
    digest: str = ""
    decisions: Mapping[str, tuple[Decision, ...]] = field(default_factory=dict)
    drones: tuple[Known, ...] = ()
    gone: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    took: tuple[Took, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """All that has not ended: builds with the edges between them, their running tries, requests, and every drone.

    `untold`: requests that have ended, and nobody was told so.
    """

    builds: tuple[Build, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    attempts: tuple[Attempt, ...] = ()
    requests: tuple[Request, ...] = ()
    untold: tuple[Request, ...] = ()
    drones: tuple[Known, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildQuery:
    """Which builds a page shows, the one that changed last first. `after`: `BuildPage.next` of the page before.

    `since` and `until`: when their state began (epoch seconds). Empty: whatever.
    """

    limit: int = 100
    after: str = ""
    states: tuple[BuildState, ...] = ()
    drone: str = ""
    package: str = ""
    profile: str = ""
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class BuildPage:
    """`next`: where the next page begins, "" on the last one. `total`: of the whole question, all pages together."""

    builds: tuple[Build, ...]
    next: str = ""
    total: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a submission came to. `repeated`: its key was known; the decisions are those of then, the request is of now.

    A request that is `resolving` has none yet: a drone is asked first. `messages`: what emerge told beside its list.
    """

    request: Request
    decisions: tuple[Decision, ...] = ()
    messages: tuple[Message, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """A build that has not ended. `why`: what it waits for. `left`: seconds until it has, None when nobody can say."""

    build: Build
    why: str = ""
    left: Band | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """What is pending: what drones hold, then the rest in the order of its rank. `drain`: seconds until all has ended.

    `error`: how wrong estimates were lately. `states`: number of builds in each state that is no end.
    """

    at: float
    entries: tuple[Pending, ...] = ()
    drain: Band | None = None
    error: EstimateError = EstimateError()
    states: Mapping[BuildState, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DroneView:
    """A drone and what it holds: what it builds first. `speed` as measured, or as it said itself."""

    drone: Known
    holds: tuple[Build, ...] = ()
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class BuildView:
    """A build and what it hangs together with: ids of builds and of requests. `attempts` oldest first."""

    build: Build
    attempts: tuple[Attempt, ...] = ()
    needs: tuple[str, ...] = ()
    needed_by: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request with its builds, in the order of the list, and what was decided about each thing in it."""

    request: Request
    builds: tuple[Build, ...] = ()
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """In short. `leading`: whether this orchestrator acts; another one does otherwise. `ticked`: its last whole tick.

    `trouble`: what a person should know: a store that had to be begun anew, an engine that does not answer.
    """

    site: str
    at: float
    leading: bool
    fence: int
    ticked: float | None
    builds: Mapping[BuildState, int] = field(default_factory=dict)
    drones: Mapping[DroneState, int] = field(default_factory=dict)
    requests: int = 0
    trouble: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did, in numbers. `leading` False: somebody else leads, and nothing was done."""

    leading: bool
    outcomes: int = 0
    stale: int = 0
    lost: int = 0
    published: int = 0
    offered: int = 0
    finished: int = 0

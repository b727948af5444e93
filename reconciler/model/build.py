"""What the build swarm speaks of: packages to build, drones, who builds what, and what builds took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DroneState = Literal["ready", "building", "degraded", "offline"]
Basis = Literal["history", "size", "table", "median"]


@dataclass(frozen=True, slots=True)
class Job:
    """One package that is to be built. `key` is opaque and unique.

    `work`: expected seconds on one core of a drone of speed 1; `serial`: the share of it that more cores do not shorten
    (Amdahl's law). `profile` "": any drone's; `cores` and `memory` (bytes): the least that it wants, 0: any.
    `failed_on`: the drone of every failed try, oldest first; a drone that was lost is not among them.
    `bump`: a person wants it sooner; more goes first, and takes along what it depends on. `asked`: epoch seconds since
    when it is wanted: of equals the one that waits for longest is next.
    """

    key: str
    work: float
    serial: float = 0.1
    profile: str = ""
    cores: int = 0
    memory: int = 0
    failed_on: tuple[str, ...] = ()
    bump: int = 0
    asked: float = 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a drone was given and has not ended: the jobs of one unit, expected seconds there, start (epoch seconds).

    `started` None: it lies in the drone's queue.
    """

    jobs: tuple[str, ...]
    expected: float
    started: float | None = None


@dataclass(frozen=True, slots=True)
class Drone:
    """A machine that builds, as it was last heard of. `memory` in bytes; `speed`: of one core, 1 is the fleet's usual.

    `held`: the running build first, then its queue in its order. `sweeper`: it takes last tries, and nothing else.
    """

    name: str
    cores: int
    memory: int = 0
    profile: str = ""
    state: DroneState = "ready"
    drained: bool = False
    sweeper: bool = False
    speed: float = 1.0
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """`jobs` (one, or the members of a cycle) go to `drone`: `expected` seconds there from about `begins` (epoch)."""

    jobs: tuple[str, ...]
    drone: str
    expected: float
    begins: float
    reason: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Jobs that go nowhere now, and why."""

    jobs: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Placement:
    """One decision about everything that could begin: each ready unit is in exactly one of the three.

    `waiting` gets a drone sooner or later by itself. `stuck` (also what is not ready yet) has none until the fleet, or
    the job, is another one.
    """

    assignments: tuple[Assignment, ...] = ()
    waiting: tuple[Unplaced, ...] = ()
    stuck: tuple[Unplaced, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How `place` goes about it.

    `prefetch`: units that lie in a drone's queue beside what it builds; they are given when the drone is to be free
    within `lead` seconds. `retries`: failed tries after which one last is made. `spread`: standard deviation of
    log(actual / estimated), measured. `lookahead`: units that are not ready yet for which room is kept, at most.
    """

    prefetch: int = 1
    lead: float = 15.0
    retries: int = 2
    spread: float = 0.35
    lookahead: int = 1000


@dataclass(frozen=True, slots=True)
class PastBuild:
    """A build that ended. `package` without its version; `size`: bytes of its sources, 0 when not known.

    `cores` and `speed` are those of the drone at that time; `ended` in epoch seconds.
    """

    package: str
    drone: str
    cores: int
    seconds: float
    ended: float
    succeeded: bool = True
    speed: float = 1.0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected `work` (seconds on one core of speed 1), what it was taken from, and that in words."""

    work: float
    basis: Basis
    reason: str


@dataclass(frozen=True, slots=True)
class EstimateError:
    """Of log(actual / estimated): its median (0: no bias) and its spread, as a standard deviation, over `count`."""

    median: float = 0.0
    spread: float = 0.0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Band:
    """Seconds with an error bar: two of three builds end between `low` and `high`."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Units in the order in which they choose a drone; what a unit depends on comes before it.

    `chain`: unit -> seconds from its start to the end of the longest chain of builds that hangs on it, each on the
    fastest drone that may take it.
    """

    order: tuple[str, ...]
    chain: Mapping[str, float]

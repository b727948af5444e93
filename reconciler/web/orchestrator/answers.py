"""What the orchestrator answers: exactly these fields of its values. Times in epoch seconds, sizes in bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, computed_field

from reconciler import __version__
from reconciler.model.queue import Answer as Submitted
from reconciler.model.queue import BuildView, Decision, DroneView, Queue, RequestView, Stored
from reconciler.model.swarm import BuildKind, BuildState, Request, RequestState
from reconciler.web.wire import Wire


class Estimate(Wire):
    """Seconds; two of three end between `low` and `high`."""

    low: float
    expected: float
    high: float


class ErrorOfEstimates(Wire):
    """Of log(actual / estimated): its median and its standard deviation, over `count` builds."""

    median: float
    spread: float
    count: int


class PackageOut(Wire):
    category: str
    name: str
    version: str
    slot: str
    repo: Annotated[str, Field(validation_alias="repository")]
    use: list[str]


class BuildOut(Wire):
    """One package, or (`resolve`) one question to Portage. Times in epoch seconds."""

    id: str
    kind: BuildKind
    package: PackageOut | None
    atoms: list[str]
    profile: str
    state: BuildState
    since: float
    queued: float
    attempt: int
    drone: str
    reason: str
    failures: list[str]
    bump: int
    seconds: float | None
    stored: str

    @computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation has it
    @property
    def title(self) -> str:
        """In short, for people."""
        if self.package:
            return f"{self.package.category}/{self.package.name}-{self.package.version}"
        return f"resolve {' '.join(self.atoms)}"[:200]


class PendingOut(Wire):
    """`why`: what it waits for. `left`: until it has ended."""

    build: BuildOut
    why: str
    left: Estimate | None


class RequestOut(Wire):
    id: str
    key: str
    origin: str
    actor: str
    profile: str
    at: float
    atoms: list[str]
    state: RequestState
    reason: str
    builds: list[str]
    ended: float | None


class QueueOut(Wire):
    """What drones hold first, then the rest in the order in which it will be built. `drain`: until all has ended."""

    at: float
    entries: list[PendingOut]
    drain: Estimate | None
    error: ErrorOfEstimates
    states: dict[str, int]
    requests: list[RequestOut]

    @classmethod
    def of(cls, queue: Queue, requests: Iterable[Request]) -> QueueOut:
        known = {name: getattr(queue, name) for name in ("at", "entries", "drain", "error", "states")}
        return cls.model_validate({**known, "requests": list(requests)})


class RequestsOut(Wire):
    requests: list[RequestOut]


class DecisionOut(Wire):
    """`line` of the text, 0 where there is none; `build` that does it, "" where none is needed."""

    what: str
    reason: str
    build: str
    line: int


class Decided(Wire):
    """What became of each thing that was asked for."""

    accepted: list[DecisionOut]
    deduplicated: list[DecisionOut]
    refused: list[DecisionOut]

    @staticmethod
    def by_verdict(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
        found: dict[str, list[Decision]] = {"accepted": [], "deduplicated": [], "refused": []}
        for each in decisions:
            found[each.verdict].append(each)
        return found


class MessageOut(Wire):
    """What emerge told beside its list."""

    kind: str
    text: str
    line: int


class SubmittedOut(Decided):
    """Each with its reason. While it is `resolving` a drone is being asked, and nothing is decided.

    `repeated`: the key was known, and this is what was decided then.
    """

    request: RequestOut
    messages: list[MessageOut]
    repeated: bool

    @classmethod
    def of(cls, answer: Submitted) -> SubmittedOut:
        told = {"request": answer.request, "messages": answer.messages, "repeated": answer.repeated}
        return cls.model_validate({**told, **cls.by_verdict(answer.decisions)})


class RequestDetailOut(Decided):
    request: RequestOut
    builds: list[BuildOut]

    @classmethod
    def of(cls, view: RequestView) -> RequestDetailOut:
        told = {"request": view.request, "builds": view.builds}
        return cls.model_validate({**told, **cls.by_verdict(view.decisions)})


class DroneOut(Wire):
    """`heard`: when its last word came; `holds`: what it builds, then what lies in its queue. `memory` in bytes.

    `gone`: it was stopped, and said so. `unable`: why it can build nothing, as with a full disk. `synced`: when its
    ebuilds last changed, 0 where nobody can tell.
    """

    name: str
    state: str
    since: float
    heard: float
    drained: bool
    draining: bool
    gone: bool
    unable: str
    sweeper: bool
    profile: str
    cores: int
    memory: int
    load: float
    speed: float
    build: str
    attempt: int
    package: str
    phase: str
    synced: float
    holds: list[BuildOut]

    @classmethod
    def of(cls, view: DroneView) -> DroneOut:
        drone, beat = view.drone, view.drone.beat
        known: dict[str, Any] = {name: getattr(drone, name) for name in ("name", "state", "since", "heard", "drained")}
        told = {name: getattr(beat, name) if beat else nothing for name, nothing in _UNTOLD.items()}
        return cls.model_validate({**known, **told, "speed": view.speed, "holds": view.holds})


_UNTOLD = {
    "draining": False,
    "gone": False,
    "unable": "",
    "sweeper": False,
    "profile": "",
    "cores": 0,
    "memory": 0,
    "load": 0.0,
    "build": "",
    "attempt": 0,
    "package": "",
    "phase": "",
    "synced": 0.0,
}
"""Of a drone that was enrolled and has not come yet."""


class AttemptOut(Wire):
    build: str
    attempt: int
    drone: str
    leased: float
    begun: float | None
    ended: float | None
    result: str
    reason: str
    expected: float
    seconds: float | None
    log: str


class BuildDetailOut(Wire):
    """`log`: the last lines, of the try that goes on or of the last one."""

    build: BuildOut
    attempts: list[AttemptOut]
    needs: list[str]
    needed_by: list[str]
    requests: list[str]
    log: str

    @classmethod
    def of(cls, view: BuildView, log: str) -> BuildDetailOut:
        names = ("build", "attempts", "needs", "needed_by", "requests")
        return cls.model_validate({**{name: getattr(view, name) for name in names}, "log": log})


class BuildsOut(Wire):
    """`next`: for `after`, to get the next page; "" on the last. `total`: of all pages."""

    builds: list[BuildOut]
    next: str
    total: int


class LogOut(Wire):
    """`text` from `after` on, which ends at `next`; `ended`: no more will come. Offsets in bytes."""

    build: str
    attempt: int
    state: BuildState
    after: int
    next: int
    text: str
    ended: bool


class StoredOut(Wire):
    profile: str
    package: PackageOut
    path: str
    build_id: int
    size: int
    built: float

    @classmethod
    def of(cls, profile: str, stored: Stored) -> StoredOut:
        names = ("package", "path", "build_id", "size", "built")
        return cls.model_validate({"profile": profile, **{name: getattr(stored, name) for name in names}})


class PackagesOut(Wire):
    packages: list[StoredOut]


class StatusOut(Wire):
    """`leading`: whether this orchestrator acts. `ticked`: when it last did. `trouble`: what a person should know."""

    version: str = __version__
    site: str
    at: float
    leading: bool
    fence: int
    ticked: float | None
    builds: dict[str, int]
    drones: dict[str, int]
    requests: int
    trouble: list[str]


class HealthOut(Wire):
    state: Literal["ok"]
    ticked: float
    trouble: list[str]


class ChangedOut(Wire):
    """Ids of the builds that were changed."""

    builds: list[str]


class CredentialOut(Wire):
    """Shown this once."""

    drone: str
    credential: str


class LogEndOut(Wire):
    """Where the log ends by now: where the next piece begins."""

    end: int

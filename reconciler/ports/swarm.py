"""How builds travel between the orchestrator and the drones; where the truth about them, and the packages, lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from reconciler.model.queue import (
    Attempt,
    BuildPage,
    BuildQuery,
    Changes,
    Decision,
    Live,
    Stored,
    Took,
)
from reconciler.model.swarm import Artifact, Beat, Build, BuildState, Event, Lease, Offer, Outcome, Request


class Delivery(Protocol):
    """An outcome that stays with the engine until it is acknowledged: after its effect is committed."""

    @property
    def outcome(self) -> Outcome: ...

    def ack(self) -> None: ...


class DispatchEngine(Protocol):
    """Carries offers, outcomes, beats and events, and decides nothing. Transient when it cannot be reached.

    Everything is delivered at least once; the fence (build and attempt) makes repeats harmless.
    """

    EFFECTS: ClassVar[tuple[str, ...]] = ("enroll", "revoke", "offer", "offer_all", "withdraw", "lease", "emit")

    @property
    def loss(self) -> str:
        """Why everything had to be begun anew, credentials too; "" when it had not."""

    def open(self, site: str) -> None: ...

    def close(self) -> None: ...

    def enroll(self, drone: str) -> str:
        """The credential by which a drone is known from now on; an older one of the same drone is void."""

    def revoke(self, drone: str) -> None:
        """Its credential is void, and what lay with it is gone."""

    def whose(self, credential: str) -> str:
        """The drone whose credential it is, "" for one that is void or was never given."""

    def offer(self, drone: str, offer: Offer) -> None:
        """Durable when it returns; the same build and attempt again is no second offer, whatever became of it."""

    def offer_all(self, offers: Sequence[tuple[str, Offer]]) -> None:
        """As `offer` for each (drone, offer), in one go: what an error left out may be made again."""

    def withdraw(self, drone: str, build: str = "", attempt: int = 0) -> None:
        """A drone's offers (all, of one build, or of one attempt of it) are gone.

        One that works on it hears so at its next `working`.
        """

    def outcomes(self) -> Sequence[Delivery]:
        """What is not acknowledged yet, oldest first."""

    def beats(self) -> Sequence[Beat]:
        """The last one of every drone that was heard of since the question before; of all when this is the first."""

    def outstanding(self, drone: str) -> frozenset[tuple[str, int]]:
        """Build and attempt of what lies with a drone, taken or not, and has no outcome yet."""

    def lease(self, name: str, holder: str, ttl: float) -> Lease | None:
        """Take or renew leadership for `ttl` seconds, with 0 give it up; None while somebody else has it.

        Renewed, it keeps its fence; taken, by whomever, it has a greater one than all before.
        """

    def emit(self, *events: Event) -> None:
        """Durable when it returns; one with the same `id` again is no second event."""

    def events(self, after: int, limit: int = 100) -> Sequence[Event]:
        """Those with a greater `seq`, oldest first; old ones are forgotten some day."""


class DroneLink(Protocol):
    """A drone's end. Transient when the engine cannot be reached, Terminal when its credential is void."""

    def next(self, timeout: float) -> Offer | None:
        """The next offer; None after `timeout` seconds without one. The same is given again until it is finished."""

    def working(self, offer: Offer) -> bool:
        """Tell that it is being worked on; False: it was withdrawn, and what was begun is to be ended."""

    def finish(self, offer: Offer, outcome: Outcome) -> None:
        """Durable when it returns; the same again changes nothing."""

    def beat(self, beat: Beat) -> None: ...


class BuildStore(Protocol):
    """The truth of the swarm: requests, builds, edges, attempts, drones, what is to be told.

    Transient when it cannot be had. May be called from several threads.
    """

    EFFECTS: ClassVar[tuple[str, ...]] = ("commit", "sent", "prune")

    @property
    def loss(self) -> str:
        """Why the store had to be begun anew, and where the old one lies; "" when it had not."""

    def commit(self, changes: Changes, fence: int = 0) -> None:
        """All of it is durable when it returns; nothing of it is true when it raises.

        Stale (E-SWARM-STALE) when a build is not as a move says, or a new request's key is taken; (E-SWARM-DEPOSED)
        when somebody with a greater fence has committed before; `fence` 0: asks for no leadership.
        """

    def changed(self) -> bool:
        """Whether somebody else has written since this was asked last."""

    def live(self) -> Live:
        """All that has not ended, as of one moment."""

    def by_key(self, key: str) -> tuple[Request, str] | None:
        """The request of an idempotency key, and the digest of what was submitted under it."""

    def request(self, id: str) -> Request | None: ...

    def requests(self, limit: int = 100) -> Sequence[Request]:
        """Newest first."""

    def decisions(self, request: str) -> Sequence[Decision]: ...

    def build(self, id: str) -> Build | None: ...

    def builds(self, ids: Sequence[str]) -> Sequence[Build]:
        """Those that are known, in the order of the ids."""

    def page(self, query: BuildQuery) -> BuildPage:
        """ValueError for an `after` that no page had."""

    def counts(self) -> Mapping[BuildState, int]: ...

    def attempts(self, build: str) -> Sequence[Attempt]:
        """All of a build, oldest first, those of a cycle that it was built with among them."""

    def around(self, build: str) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        """Ids of what it needs, of what needs it, and of the requests whose it is."""

    def took(self) -> Sequence[Took]:
        """What builds took, oldest first, bounded for each package."""

    def unsent(self, limit: int = 1000) -> Sequence[Event]:
        """Events that were committed and not `sent`, oldest first; their `id` is the store's, and unique."""

    def sent(self, events: Sequence[Event]) -> None: ...

    def prune(self) -> None:
        """Forget the oldest of what has ended, beyond the bounds of the history."""


class Binhost(Protocol):
    """Where binary packages lie, for each profile; uploads wait in a staging of their lease until they are published.

    Transient when the disk is full or away.
    """

    EFFECTS: ClassVar[tuple[str, ...]] = ("publish", "discard")

    def index(self, profile: str) -> Sequence[Stored]:
        """What the profile's `Packages` lists; nothing for a profile that has none yet."""

    def publish(self, profile: str, build: str, attempt: int, artifacts: Sequence[Artifact]) -> Sequence[str]:
        """Make what was uploaded under a lease part of the binhost, packages first and then the index.

        The path of each below the profile's folder, in their order. Once it has returned, or was killed at any point,
        the same again gives the same paths, and stores nothing twice. Terminal when a staged file is missing, or is
        not what the artifact says.
        """

    def discard(self, build: str, attempt: int) -> None:
        """What was uploaded under a lease and not published is gone; nothing happens when there is nothing."""

    def staged(self) -> Sequence[tuple[str, int]]:
        """The leases (build, attempt) under which something lies in the staging."""


class RequestEnded(Protocol):
    """What is to happen when a request is done: tell it once, trigger a pass so that hosts that wait converge."""

    def __call__(self, request: Request, builds: Sequence[Build]) -> None:
        """At least once for each request, with the same id; Transient: to be tried again."""


class Upload(Protocol):
    """A file that is coming in. It counts for nothing, and is in nobody's way, until it is kept."""

    def write(self, data: bytes) -> None:
        """The next piece. Transient (E-BINHOST-FULL) when the disk takes no more."""

    def keep(self) -> None:
        """That was all; durable when it returns. Refused (E-BINHOST-SUM) when size or checksum are not as told."""

    def drop(self) -> None:
        """It did not come to its end; nothing is left of it. Nothing happens after `keep`."""


class PackageFiles(Protocol):
    """The binhost's files as HTTP gives and takes them. May be called from several threads."""

    def served(self, profile: str, path: str) -> Path | None:
        """The file that clients get under /binhost/PROFILE/PATH; None for what is not there or not for them.

        No link, no folder, nothing outside of the profile's folder, nothing of the staging.
        """

    def profiles(self) -> Sequence[str]:
        """Those that have a folder, by name."""

    def receive(self, build: str, attempt: int, path: str, size: int, sha256: str) -> Upload:
        """Begin an upload into the staging of a lease; one of the same path before it is replaced once this is kept.

        `path` as the drone's `Packages` has it. Refused (E-BINHOST-PATH) for one that is no path of a package.
        Transient (E-BINHOST-FULL) when there is no room for it.
        """


class BuildLogs(Protocol):
    """What builds write, piece by piece while they run; each try has its own, bounded.

    May be called from several threads.
    """

    def append(self, build: str, attempt: int, offset: int, data: bytes) -> int:
        """Add what was written from `offset` (bytes) on; where it ends by now.

        A piece that is there already changes nothing; one behind a gap is not taken: the answer says where to go on.
        """

    def read(self, build: str, attempt: int, offset: int, limit: int = 65536) -> tuple[bytes, int]:
        """What follows `offset`, and where that ends; nothing for a log that nobody has written."""

    def size(self, build: str, attempt: int) -> int: ...

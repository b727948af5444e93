"""The heart of the build swarm: wishes become builds, builds go to drones, what they make ends in the binhost.

Safe to call from several threads. `now` is in epoch seconds. Transient (store, engine or disk away) leaves everything
as it was: the next tick takes it up again.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.package import Atom, Listing
from reconciler.model.queue import (
    Answer,
    BuildPage,
    BuildQuery,
    BuildView,
    DroneView,
    Queue,
    RequestView,
    Status,
    Ticked,
)
from reconciler.model.swarm import Event, Request, Use
from reconciler.ports.swarm import Binhost, BuildStore, DispatchEngine, RequestEnded
from reconciler.swarm.rules import Rules


class Orchestrator:
    """`holder`: who leads, when this one does: unique among processes. `ended`: called once a request is done."""

    def __init__(
        self,
        store: BuildStore,
        engine: DispatchEngine,
        binhost: Binhost,
        rules: Rules = Rules(),
        *,
        holder: str,
        ended: RequestEnded | None = None,
    ) -> None:
        raise NotImplementedError

    # --- what the clock calls, every second to every few

    def tick(self, now: float) -> Ticked:
        """One step of everything: outcomes, beats, presence, sweep, store, place, offer, finish.

        Cheap when nothing has happened. Raises Transient; whatever was committed by then is good.
        """
        raise NotImplementedError

    # --- what people ask for; each is durable when it returns

    def submit(
        self,
        wanted: str | Sequence[Atom] | Listing,
        *,
        key: str,
        actor: str,
        profile: str,
        now: float,
        origin: str = "",
        use: Use | None = None,
    ) -> Answer:
        """Take on what somebody wants: the text of emerge or of a list of atoms, or either of them read already.

        `origin`: `set:NAME` of a package set; "": `emerge` or `atoms`, by what it is. `use`: lines of package.use that
        hold for it. The same `key` again gives the answer of the first time; Refused (E-SWARM-KEY) when it came with
        something else. Terminal (E-PACKAGES) for a text that is neither, Refused (E-SWARM-PROFILE) for a profile that
        is no name of a folder.
        """
        raise NotImplementedError

    def preview(
        self, wanted: str | Sequence[Atom] | Listing, *, profile: str, now: float, use: Use | None = None
    ) -> Answer:
        """What `submit` would answer; nothing is taken on."""
        raise NotImplementedError

    def cancel(self, id: str, actor: str, now: float) -> tuple[str, ...]:
        """Of a request or a build. Ids of the builds that are cancelled: those that no other request wants.

        What needs one of them is held. KeyError for an id that nobody knows, Refused (E-SWARM-ENDED) when it has ended.
        """
        raise NotImplementedError

    def bump(self, id: str, actor: str, now: float) -> tuple[str, ...]:
        """A build, or all of a request, goes before the others, with what it needs. Ids of the bumped builds.

        Errors as `cancel`.
        """
        raise NotImplementedError

    def drain(self, drone: str, actor: str, now: float) -> None:
        """It gets nothing new; what it builds it may finish, what lies in its queue goes elsewhere. KeyError."""
        raise NotImplementedError

    def undrain(self, drone: str, actor: str, now: float) -> None:
        """KeyError for a drone that nobody knows."""
        raise NotImplementedError

    def enroll(self, drone: str, actor: str, now: float) -> str:
        """The credential of a drone, shown this once; an older one is void. Refused (E-SWARM-NAME) for no name."""
        raise NotImplementedError

    def revoke(self, drone: str, actor: str, now: float) -> None:
        """Its credential is void, its builds go elsewhere, and it is forgotten. KeyError."""
        raise NotImplementedError

    # --- what an upload has to show

    def holds(self, drone: str, build: str, attempt: int) -> bool:
        """Whether this is the live lease of that drone: what is uploaded under another one is refused (409)."""
        raise NotImplementedError

    # --- what is shown; a KeyError means that nobody knows the id

    def status(self, now: float) -> Status:
        raise NotImplementedError

    def queue(self, now: float) -> Queue:
        raise NotImplementedError

    def drones(self) -> tuple[DroneView, ...]:
        """By name."""
        raise NotImplementedError

    def drone(self, name: str) -> DroneView:
        raise NotImplementedError

    def builds(self, query: BuildQuery = BuildQuery()) -> BuildPage:
        """ValueError for an `after` that no page had."""
        raise NotImplementedError

    def build(self, id: str) -> BuildView:
        raise NotImplementedError

    def requests(self, limit: int = 100) -> tuple[Request, ...]:
        """Newest first."""
        raise NotImplementedError

    def request(self, id: str) -> RequestView:
        raise NotImplementedError

    def events(self, after: int, limit: int = 100) -> tuple[Event, ...]:
        """Those with a greater `seq`, oldest first; old ones are forgotten some day."""
        raise NotImplementedError

"""The heart of the build swarm: wishes become builds, builds go to drones, what they make ends in the binhost.

Safe to call from several threads. `now` is in epoch seconds. Transient (store, engine or disk away) leaves everything
as it was: the next tick takes it up again.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from reconciler.errors import Refused, Transient
from reconciler.model.queue import (
    Answer,
    Attempt,
    BuildPage,
    BuildQuery,
    BuildView,
    DroneView,
    Queue,
    RequestView,
    Status,
    Ticked,
)
from reconciler.model.swarm import Build, Event, Request, Use
from reconciler.ports.swarm import Binhost, BuildStore, DispatchEngine, RequestEnded
from reconciler.swarm import lifecycle, orders, submit, views
from reconciler.swarm.desk import Desk
from reconciler.swarm.dispatch import Dispatcher
from reconciler.swarm.draft import Draft
from reconciler.swarm.rules import Rules
from reconciler.swarm.submit import Submission, Wanted
from reconciler.swarm.ticking import LATE, Ticking

T = TypeVar("T")


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
        self._store, self._engine, self._binhost, self._rules = store, engine, binhost, rules
        self._desk = Desk(store, engine)
        self._dispatcher = Dispatcher(rules)
        self._ticking = Ticking(self._desk, binhost, rules, self._dispatcher, holder, ended)
        engine.open(rules.site)

    # --- what the clock calls, every `Rules.every` seconds

    def tick(self, now: float) -> Ticked:
        """One step of everything: outcomes, beats, presence, sweep, store, place, offer, finish.

        Cheap when nothing has happened. Raises Transient; whatever was committed by then is good.
        """
        with self._desk.lock:
            return self._ticking.tick(now)

    def stand_down(self) -> None:
        """The last word of one that ends: another one need not wait until its leadership is over. Transient."""
        with self._desk.lock:
            self._ticking.stand_down()

    # --- what people ask for; each is durable when it returns

    def submit(
        self,
        wanted: Wanted,
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
        submission = submit.read(wanted, key, actor, profile, origin, use)

        def take_on(draft: Draft) -> Answer:
            return self._known(submission) or self._accept(draft, secrets.token_hex(4), submission)

        return self._change(now, take_on)

    def preview(self, wanted: Wanted, *, profile: str, now: float, use: Use | None = None) -> Answer:
        """What `submit` would answer; nothing is taken on, and the ids are none."""
        submission = submit.read(wanted, "", "", profile, "", use)
        with self._desk.lock:
            return self._accept(self._desk.draft(now), "preview", submission)

    def _known(self, submission: Submission) -> Answer | None:
        if (known := self._store.by_key(submission.key)) is None:
            return None
        request, digest = known
        if digest != submission.digest:
            raise Refused(
                "E-SWARM-KEY",
                f"the key {submission.key} came with something else before",
                why=f"it stands for request {request.id}",
                next="give every submission a key of its own",
            )
        return Answer(request, tuple(self._store.decisions(request.id)), submission.messages, repeated=True)

    def _accept(self, draft: Draft, id: str, submission: Submission) -> Answer:
        work = self._desk.times().work
        request = submit.accept(draft, id, submission, self._binhost.index, work, self._rules.resolve)
        draft.follow()
        return Answer(draft.request(request), draft.decided(id), submission.messages)

    def cancel(self, id: str, actor: str, now: float) -> tuple[str, ...]:
        """Of a request or a build. Ids of the builds that are cancelled: those that no other request wants.

        What needs one of them is held. KeyError for an id that nobody knows, Refused (E-SWARM-ENDED) when it has ended.
        """

        def cancelled(draft: Draft) -> orders.Cancelled:
            found, reason = self._find(draft, id), f"cancelled by {actor}"
            if isinstance(found, Build):
                return orders.cancel_build(draft, found, reason)
            return orders.cancel_request(draft, found, reason)

        with self._desk.lock:
            ids, leases = self._change(now, cancelled)
            self._withdraw(leases)
            return ids

    def bump(self, id: str, actor: str, now: float) -> tuple[str, ...]:
        """A build, or all of a request, goes before the others, with what it needs. Ids of the bumped builds.

        Errors as `cancel`.
        """

        def bumped(draft: Draft) -> tuple[str, ...]:
            found = self._find(draft, id)
            return orders.bump(draft, [found] if isinstance(found, Build) else draft.live(found.builds))

        return self._change(now, bumped)

    def drain(self, drone: str, actor: str, now: float) -> None:
        """It gets nothing new; what it builds it may finish, what lies in its queue goes elsewhere. KeyError."""
        self._change(now, lambda draft: orders.set_drained(draft, drone, True, f"drained by {actor}"))

    def undrain(self, drone: str, actor: str, now: float) -> None:
        """KeyError for a drone that nobody knows."""
        self._change(now, lambda draft: orders.set_drained(draft, drone, False, f"in service again by {actor}"))

    def restart(self, drone: str, actor: str, now: float) -> None:
        """It ends what it does and begins anew; its builds are queued again, and count as no failure. KeyError.

        It is the work that is taken from it, and its process goes on: a drone kills a build whose lease is gone, with
        all that belongs to it, and begins the next one in a clean folder.
        """
        with self._desk.lock:
            self._withdraw(
                self._change(now, lambda draft: orders.restart(draft, drone, f"{drone} was restarted by {actor}"))
            )

    def enroll(self, drone: str, actor: str, now: float) -> str:
        """The credential of a drone, shown this once; an older one is void. Refused (E-SWARM-NAME) for no name."""
        submit.check_name(drone, "E-SWARM-NAME", "drone")
        credential = self._engine.enroll(drone)
        self._change(now, lambda draft: orders.join(draft, drone, f"enrolled by {actor}"))
        return credential

    def revoke(self, drone: str, actor: str, now: float) -> None:
        """Its credential is void, its builds go elsewhere, and it is forgotten. KeyError."""
        with self._desk.lock:
            if drone not in self._desk.board.drones:
                raise KeyError(drone)
            self._engine.revoke(drone)
            self._ticking.forget(drone)
            self._change(now, lambda draft: orders.leave(draft, drone, f"revoked by {actor}"))

    def _change(self, now: float, make: Callable[[Draft], T]) -> T:
        with self._desk.lock:
            made = self._desk.change(now, make)
            with suppress(Transient):  # the next tick sends them
                self._desk.send_events()
            return made

    def _withdraw(self, leases: Sequence[Attempt]) -> None:
        with suppress(Transient):  # what still lies with a drone is found by the next comparison
            for lease in leases:
                self._engine.withdraw(lease.drone, lease.build, lease.attempt)
                self._binhost.discard(lease.build, lease.attempt)

    def _find(self, draft: Draft, id: str) -> Build | Request:
        """What has not ended of that id."""
        if (found := draft.build(id) or draft.board.requests.get(id)) is not None:
            return found
        if (known := self._store.build(id) or self._store.request(id)) is None:
            raise KeyError(id)
        raise orders.ended(id, f"it is {known.state}{f': {known.reason}' if known.reason else ''}")

    # --- what an upload has to show

    def holds(self, drone: str, build: str, attempt: int) -> bool:
        """Whether this is the live lease of that drone: what is uploaded under another one is refused (409)."""
        found = self._store.build(build)
        return (
            found is not None
            and found.state in lifecycle.LEASED
            and (found.lead, found.attempt, found.drone) == (build, attempt, drone)
        )

    # --- what is shown; a KeyError means that nobody knows the id

    def status(self, now: float) -> Status:
        with self._desk.lock:
            board, ticking = self._desk.board, self._ticking
            lost = [f"the store had to be begun anew: {self._store.loss}"] if self._store.loss else []
            if self._engine.loss:
                lost.append(f"the engine had to be begun anew, and drones to be enrolled: {self._engine.loss}")
            return Status(
                self._rules.site,
                now,
                bool(ticking.fence),
                ticking.fence,
                ticking.looked,
                self._store.counts(),
                Counter(known.state for known in board.drones.values()),
                len(board.requests),
                (*lost, *ticking.troubles.told()),
            )

    def queue(self, now: float) -> Queue:
        with self._desk.lock:
            return views.queue(self._desk.board, self._rules, self._desk.times(), self._dispatcher.why, now)

    def drones(self) -> tuple[DroneView, ...]:
        """By name."""
        with self._desk.lock:
            board, speeds = self._desk.board, self._desk.times(LATE).speeds
            return tuple(views.drone(board, board.drones[name], speeds) for name in sorted(board.drones))

    def drone(self, name: str) -> DroneView:
        with self._desk.lock:
            return views.drone(self._desk.board, self._desk.board.drones[name], self._desk.times(LATE).speeds)

    def builds(self, query: BuildQuery = BuildQuery()) -> BuildPage:
        """ValueError for an `after` that no page had."""
        return self._store.page(query)

    def build(self, id: str) -> BuildView:
        if (build := self._store.build(id)) is None:
            raise KeyError(id)
        return BuildView(build, tuple(self._store.attempts(id)), *(tuple(ids) for ids in self._store.around(id)))

    def requests(self, limit: int = 100) -> tuple[Request, ...]:
        """Newest first."""
        return tuple(self._store.requests(limit))

    def waiting(self) -> tuple[Request, ...]:
        """Requests that have not ended, oldest first."""
        with self._desk.lock:
            return tuple(each for each in self._desk.board.requests.values() if each.ended is None)

    def request(self, id: str) -> RequestView:
        if (request := self._store.request(id)) is None:
            raise KeyError(id)
        return RequestView(request, tuple(self._store.builds(request.builds)), tuple(self._store.decisions(id)))

    def events(self, after: int, limit: int = 100) -> tuple[Event, ...]:
        """Those with a greater `seq`, oldest first; old ones are forgotten some day."""
        return tuple(self._engine.events(after, limit))

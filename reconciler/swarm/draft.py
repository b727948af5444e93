"""What a step is about to change, on top of what is: it is committed as a whole, or forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from reconciler.model.queue import Attempt, Changes, Decision, End, Known, Move, Took
from reconciler.model.swarm import Build, BuildState, Event, Request
from reconciler.swarm import events, lifecycle, retry
from reconciler.swarm.board import Board
from reconciler.swarm.placing.graph import Graph

Find = Callable[[Sequence[str]], Sequence[Build]]
Tries = Callable[[str], Sequence[Attempt]]


class Draft:
    """`now` in epoch seconds; `find`: builds by id, also those that ended; `tries`: of one. What is read here is
    as it will be.

    `every_request`: whether all are looked at for their end, and not only those that a change touches.
    """

    def __init__(self, board: Board, now: float, find: Find, tries: Tries) -> None:
        self.board, self.now, self._find, self._tries = board, now, find, tries
        self.every_request = False
        self._builds: dict[str, Build] = {}
        self._new: list[Build] = []
        self._edges: list[tuple[str, str]] = []
        self._moves: list[Move] = []
        self._leases: dict[tuple[str, int], Attempt] = {}
        self._requests: dict[str, Request] = {}
        self._decisions: dict[str, tuple[Decision, ...]] = {}
        self._drones: dict[str, Known] = {}
        self._gone: list[str] = []
        self._told: list[str] = []
        self._took: list[Took] = []
        self._events: list[Event] = []
        self._digest = ""

    # --- what will be

    def build(self, id: str) -> Build | None:
        """None for one that had ended before."""
        return self._builds.get(id) or self.board.builds.get(id)

    def live(self, ids: Iterable[str]) -> tuple[Build, ...]:
        """Those of them that will not have ended."""
        found = (self.build(id) for id in ids)
        return tuple(build for build in found if build is not None and not build.ended)

    def all_live(self) -> tuple[Build, ...]:
        return tuple(build for build in (self.board.builds | self._builds).values() if not build.ended)

    def lease(self, lead: str, attempt: int) -> Attempt | None:
        """The try, as long as it goes on."""
        lease = self._leases.get((lead, attempt)) or self.board.leases.get(lead)
        return lease if lease is not None and lease.attempt == attempt and lease.ended is None else None

    def leases(self) -> tuple[Attempt, ...]:
        """Every try for which an outcome will be owed."""
        found = (self.lease(lease.build, lease.attempt) for lease in self.board.leases.values())
        return tuple(lease for lease in found if lease is not None and self._owed(lease))

    def _owed(self, lease: Attempt) -> bool:
        return any(build.state in lifecycle.LEASED for build in self.members(lease))

    def drone(self, name: str) -> Known | None:
        return None if name in self._gone else self._drones.get(name) or self.board.drones.get(name)

    def members(self, lease: Attempt) -> tuple[Build, ...]:
        """The builds of a try that will be its still, by the fence."""
        mine = (lease.attempt, lease.drone, lease.build)
        return tuple(build for build in self.live(lease.members) if (build.attempt, build.drone, build.lead) == mine)

    def request(self, request: Request) -> Request:
        """As it will be."""
        return self._requests.get(request.id, request)

    def open_requests(self) -> tuple[Request, ...]:
        """Those that will not have ended."""
        return tuple(each for each in (self.board.requests | self._requests).values() if each.ended is None)

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """(first, then); some may be of what has ended."""
        return (*self.board.edges, *self._edges)

    @property
    def graph(self) -> Graph:
        return self.board.graph_with(self._edges)

    def decided(self, request: str) -> tuple[Decision, ...]:
        return self._decisions.get(request, ())

    # --- changes

    def add(self, builds: Sequence[Build], edges: Sequence[tuple[str, str]]) -> None:
        self._new += builds
        self._edges += edges
        self._builds |= {build.id: build for build in builds}

    def move(self, after: Build) -> None:
        before = self.build(after.id)
        assert before is not None
        self._moves.append(Move(before, after))
        self._builds[after.id] = after

    def put_lease(self, lease: Attempt) -> None:
        self._leases[lease.build, lease.attempt] = lease

    def end_lease(self, lease: Attempt, result: End, reason: str, seconds: float | None = None, log: str = "") -> None:
        self.put_lease(
            replace(lease, ended=self.now, result=result, reason=reason, seconds=seconds, log=retry.tail(log))
        )

    def put_request(self, request: Request, decisions: Sequence[Decision] = (), digest: str = "") -> None:
        """`digest`: of a new one."""
        self._requests[request.id] = request
        self._digest = digest or self._digest
        if decisions:
            self._decisions[request.id] = (*self._decisions.get(request.id, ()), *decisions)

    def put_drone(self, known: Known) -> None:
        self._drones[known.name] = known

    def forget_drone(self, name: str) -> None:
        self._gone.append(name)
        self._drones.pop(name, None)

    def tell(self, request: str) -> None:
        self._told.append(request)

    def took(self, took: Took) -> None:
        self._took.append(took)

    def say(self, event: Event) -> None:
        self._events.append(event)

    # --- what follows

    def lose(self, lease: Attempt, result: End, reason: str) -> None:
        """A try is over, and says nothing about its packages."""
        for build in self.members(lease):
            if build.state in lifecycle.LEASED:
                self.move(retry.after_loss(build, self.now, reason, self._without_verdict(build, lease)))
        self.end_lease(lease, result, reason)

    def _without_verdict(self, build: Build, lease: Attempt) -> int:
        """Tries that ended so, this one among them. One that was never begun says nothing: it lay in a queue."""
        if lease.begun is None:
            return 0
        if (most := build.attempt - len(build.failures)) < retry.WITHOUT_VERDICT:
            return most
        before = [each for each in self._tries(build.id) if each.begun is not None]
        return 1 + sum(each.result in ("lost", "returned") for each in before)

    def follow(self) -> None:
        """What follows from the changes so far: dependants are held, requests end."""
        self._hold_dependants()
        self._end_requests()

    def changes(self) -> Changes:
        """All of it, with what follows, and the events that go out."""
        self.follow()
        ended = [request for request in self._requests.values() if request.ended is not None]
        completed = [events.build_complete(self.now, request, self.ended(request)) for request in ended]
        return Changes(
            builds=tuple(self._new),
            edges=tuple(self._edges),
            moves=tuple(self._moves),
            attempts=tuple(self._leases.values()),
            requests=tuple(self._requests.values()),
            digest=self._digest,
            decisions=self._decisions,
            drones=tuple(self._drones.values()),
            gone=tuple(self._gone),
            told=tuple(self._told),
            took=tuple(self._took),
            events=(*events.queue_update(self.now, self._new, self._moves), *self._events, *completed),
        )

    def _hold_dependants(self) -> None:
        """What needs a build that ended and is not there waits no longer; what this draft adds is no exception."""
        ended = [move.after for move in self._moves if move.after.ended and move.after.state != "succeeded"]
        graph = self.graph if ended else None
        passed: set[str] = set()
        for first in ended:
            if graph is not None and first.id in graph.unit:
                for build in self.live(sorted(graph.dependants([first.id], passed))):
                    if lifecycle.may(build, "held"):
                        self.move(retry.hold(build, self.now, first))

    def _end_requests(self) -> None:
        """A request is done when all of its builds are; one whose question has no answer is refused."""
        touched = dict(self.board.requests) if self.every_request else {}
        for move in self._moves:
            if move.after.ended:
                touched |= {each.id: each for each in self.board.wanted_by(move.after.id)}
        for request in (touched | self._requests).values():
            if request.ended is None and not self.live(request.builds):
                builds = self.ended(request)
                if request.state == "resolving":
                    self.put_request(replace(request, state="refused", reason=builds[0].reason, ended=self.now))
                else:
                    self.put_request(replace(request, state="complete", reason=_summary(builds), ended=self.now))

    def ended(self, request: Request) -> tuple[Build, ...]:
        """Its builds as they will be, what ended long ago among them."""
        known = {build.id: build for build in self._find(request.builds)} | self._builds
        return tuple(known[id] for id in request.builds if id in known)


def _summary(builds: Sequence[Build]) -> str:
    counts = Counter(build.state for build in builds if build.kind == "package")
    words: dict[BuildState, str] = {"succeeded": "built", "failed": "failed", "held": "held", "cancelled": "cancelled"}
    return ", ".join(f"{counts[state]} {word}" for state, word in words.items() if counts[state]) or "nothing to build"

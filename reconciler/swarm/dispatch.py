"""Who gets what next: the decision of `place` as leases, and leases as offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reconciler.core.packages.atoms import exactly
from reconciler.model.build import Assignment
from reconciler.model.queue import Attempt
from reconciler.model.swarm import Build, Offer
from reconciler.swarm import lifecycle
from reconciler.swarm.board import Board
from reconciler.swarm.draft import Draft
from reconciler.swarm.placing.estimate import refuted
from reconciler.swarm.placing.placement import place
from reconciler.swarm.placing.times import Times
from reconciler.swarm.rules import Rules


@dataclass(slots=True)
class Dispatcher:
    """`why`: what each build that is ready waits for, as of the last decision."""

    rules: Rules
    why: dict[str, str] = field(default_factory=dict)
    _decided: tuple[int, float] = (-1, 0.0)

    def assign(self, draft: Draft, times: Times) -> tuple[Attempt, ...]:
        """The leases that are to be offered once they are committed."""
        board = draft.board
        if not self._worth_a_look(board, draft.now):
            return ()
        jobs, fleet = board.jobs(self.rules.wants, times), board.fleet(times)
        decision = place(
            board.graph,
            jobs,
            fleet,
            draft.now,
            done=board.done,
            limits=times.limits(self.rules.limits),
            ranking=board.ranking(jobs, fleet, times),
        )
        self.why = {job: each.reason for each in (*decision.waiting, *decision.stuck) for job in each.jobs}
        leases = tuple(_lease(draft, each) for each in decision.assignments if _all_wait(draft, each))
        self._decided = (board.age + bool(leases), draft.now)
        return leases

    def take_back(self, draft: Draft, times: Times) -> tuple[Attempt, ...]:
        """What waits on a drone behind a build that takes far longer than it should, while others could have it.

        It was given to be begun in seconds. Where it goes now is decided as for all others; not back to that drone
        before it is nearly done.
        """
        back = tuple(lease for name in draft.board.drones for lease in self._stuck(draft, name, times))
        for lease in back:
            draft.lose(lease, "returned", f"{lease.drone} is far from done with what is before it")
        return back

    def _stuck(self, draft: Draft, name: str, times: Times) -> Sequence[Attempt]:
        board = draft.board
        held = board.held_by(name)
        waiting = [lease for lease in held if lease.begun is None]
        if not waiting or (begun := held[0].begun) is None:
            return ()
        limits, taken = times.limits(self.rules.limits), draft.now - begun
        if taken <= limits.lead or not refuted(held[0].expected, taken, limits.spread):
            return ()
        others = {_profile(board, other) for other in board.drones if other != name and _serves(board, other)}
        return [lease for lease in waiting if board.members(lease)[0].profile in others]

    def _worth_a_look(self, board: Board, now: float) -> bool:
        """Somebody has room, something waits, and anything has changed since; time alone is a change, too."""
        room = 1 + self.rules.limits.prefetch
        if not any(build.state == "queued" for build in board.builds.values()):
            return False
        if not any(_serves(board, name) and len(board.held_by(name)) < room for name in board.drones):
            return False
        age, at = self._decided
        return board.age != age or not 0 <= now - at < self.rules.limits.lead / 3


def _serves(board: Board, name: str) -> bool:
    known = board.drones[name]
    return known.state in ("ready", "building") and not known.drained and not (known.beat and known.beat.draining)


def _profile(board: Board, name: str) -> str:
    beat = board.drones[name].beat
    return beat.profile if beat else ""


def _all_wait(draft: Draft, assignment: Assignment) -> bool:
    """Nobody has any of them; a drone of which the board knows nothing might."""
    return all(build.state == "queued" for build in draft.live(assignment.jobs))


def _lease(draft: Draft, assignment: Assignment) -> Attempt:
    builds = draft.live(assignment.jobs)
    lead, attempt = assignment.jobs[0], 1 + max(build.attempt for build in builds)
    for build in builds:
        draft.move(lifecycle.leased(build, assignment.drone, attempt, draft.now, lead=lead, reason=assignment.reason))
    lease = Attempt(lead, attempt, assignment.drone, draft.now, assignment.jobs, assignment.expected)
    draft.put_lease(lease)
    return lease


def offer(board: Board, lease: Attempt, timeout: float) -> Offer:
    """What the drone is told. Only what it is to build; the flags of a request hold for all that it brings along."""
    builds = board.members(lease)
    first = builds[0]
    use: dict[str, tuple[str, ...]] = {}
    for build in builds:
        for request in board.wanted_by(build.id):
            use |= {atom: flags for atom, flags in request.use.items() if atom not in use}
    for build in builds:
        use |= build.use
    return Offer(lease.build, lease.attempt, first.kind, tuple(_atoms(builds)), first.profile, use, timeout)


def _atoms(builds: Sequence[Build]) -> Iterator[str]:
    for build in builds:
        if build.package is None:
            yield from build.atoms
        else:
            yield exactly(build.package)

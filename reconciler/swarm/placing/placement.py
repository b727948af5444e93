"""Who builds what next: each unit, by its rank, goes to the drone that has it done first, busy ones included.

It is HEFT with insertion (Topcuoglu, Hariri, Wu, 2002), planned anew with every call from what is known by then: also
units that are not ready yet get their place, so that a drone is kept for what much hangs on, and what fits before it
is built meanwhile. Only what begins next on its drone, and is ready, becomes an assignment; the rest of the plan is
forgotten. A unit waits for a busy drone exactly when that one has it done sooner than any that is free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import inf

from reconciler.model.build import Assignment, Drone, Job, Limits, Placement, Ranking, Unplaced
from reconciler.swarm.placing.graph import Graph
from reconciler.swarm.placing.plan import Choice, Plan
from reconciler.swarm.words import span


def place(
    graph: Graph,
    jobs: Mapping[str, Job],
    drones: Sequence[Drone],
    now: float,
    *,
    done: AbstractSet[str],
    limits: Limits = Limits(),
    ranking: Ranking | None = None,
) -> Placement:
    """What is given to which drone now, and why all else that is ready is not.

    `jobs`: what is to be built, by key, what drones hold included; what is done already may be among it. `graph` has
    all of them (KeyError). `done`: keys that are built: only what depends on nothing else is ready. `ranking`: from
    `rank`, while nothing that it is made of has changed; it is made where it is missing, or does not know a job. `now`
    in epoch seconds.
    """
    return _Placing(Plan(graph, jobs, drones, now, done, limits, ranking), jobs, now, limits).placement()


def forecast(
    graph: Graph,
    jobs: Mapping[str, Job],
    drones: Sequence[Drone],
    now: float,
    *,
    done: AbstractSet[str],
    limits: Limits = Limits(),
) -> dict[str, float]:
    """Job -> epoch seconds at which it is expected to be built; without those that cannot be planned at present.

    The whole plan, of which `place` makes only the beginning: a second or two for 20,000 jobs on 50 drones.
    """
    plan = Plan(graph, jobs, drones, now, done, limits)
    for unit, job in plan.left.items():
        if (ready := plan.ready_at(unit)) < inf and (choice := plan.choose(job, ready)) is not None:
            plan.take(unit, choice)
    planned = {unit: now + end for unit, end in plan.ends.items() if end < inf}
    return {job: end for unit, end in planned.items() for job in graph.members[unit] if job in jobs}


class _Placing:
    """One call: the plan, and what it has led to so far."""

    def __init__(self, plan: Plan, jobs: Mapping[str, Job], now: float, limits: Limits) -> None:
        self.plan, self.jobs, self.now, self.limits = plan, jobs, now, limits
        self.given: dict[str, Assignment] = {}
        self.reasons: dict[str, str] = {}

    def placement(self) -> Placement:
        self._assign()
        plan, fleet = self.plan, self.plan.fleet
        waiting = [unit for unit, job in plan.ready.items() if unit not in self.given and not fleet.nowhere(job)]
        asks = {fleet.asks(job): job for job in plan.left.values()}
        hopeless = any(fleet.nowhere(job) for job in asks.values())
        stuck = [(unit, why) for unit, job in plan.left.items() if (why := fleet.nowhere(job))] if hopeless else []
        return Placement(
            assignments=tuple(self.given.values()),
            waiting=tuple(
                Unplaced(self._members(unit), self.reasons.get(unit) or self._later(plan.left[unit]))
                for unit in waiting
            ),
            stuck=tuple(Unplaced(self._members(unit), why) for unit, why in stuck),
        )

    def _assign(self) -> None:
        """Plan until nothing that is ready can begin on any drone any more."""
        plan = self.plan
        hopes = Counter(plan.fleet.mask(job) for job in plan.ready.values())
        open_ = sum(1 << number for number, line in enumerate(plan.lines) if line.open)
        horizons = self._horizons()
        ahead = self.limits.lookahead
        for unit, job in plan.left.items():
            if not any(count and mask & open_ for mask, count in hopes.items()):
                return
            if unit in plan.ready:
                hopes[plan.fleet.mask(job)] -= 1
                horizons.pop()
                ready = 0.0
            elif ahead and (ready := plan.ready_at(unit)) < horizons[-1]:
                ahead -= 1
            else:
                continue
            if (choice := plan.choose(job, ready)) is not None:
                self._put(unit, job, choice)
                bit = 1 << choice.drone
                open_ = open_ | bit if plan.lines[choice.drone].open else open_ & ~bit

    def _horizons(self) -> list[float]:
        """How far ahead others matter to those that are ready: the last entry to all of them, the one before to all
        but the first, and so on; the first entry is for nobody.

        What begins now on its slowest drone ends by then. Whoever is ready later takes no place of it, nor does what
        depends on that one: leaving them out changes no assignment.
        """
        found = [0.0]
        for job in reversed(self.plan.ready.values()):
            options = self.plan.fleet.options(job)
            found.append(max(found[-1], self.limits.lead + job.work * options[-1][0] if options else 0.0))
        return found

    def _put(self, unit: str, job: Job, choice: Choice) -> None:
        plan, line = self.plan, self.plan.lines[choice.drone]
        if unit not in plan.ready:
            plan.take(unit, choice)
        elif line.open and choice.begin == line.front:
            self.given[unit] = self._assignment(unit, job, choice)
            plan.give(unit, choice)
        else:
            self.reasons[unit] = self._why_it_waits(job, choice)
            plan.take(unit, choice)

    def _assignment(self, unit: str, job: Job, choice: Choice) -> Assignment:
        drone = self._name(choice)
        reason = f"bumped ({job.bump}); " if job.bump else ""
        reason += f"try {len(job.failed_on) + 1}; " if job.failed_on else ""
        reason += f"{span(self.plan.ranking.chain[unit])} of builds hang on it; done on {drone} in {span(choice.end)}"
        if (other := self.plan.beside(job, choice)) is not None:
            reason += f", on {self._name(other)} in {span(other.end)}"
        return Assignment(self._members(unit), drone, choice.seconds, self.now + choice.begin, reason)

    def _why_it_waits(self, job: Job, choice: Choice) -> str:
        drone, line = self._name(choice), self.plan.lines[choice.drone]
        there = f"done there in {span(choice.end)}"
        if choice.begin > line.front:
            return f"waits for {drone}, which is kept for what more hangs on: {there}"
        if (other := self.plan.beside(job, choice, free=True)) is None:
            return f"waits for {drone}, free in {span(line.front)}: {there}, and no drone that may take it is free"
        sooner = f"{there}, on {self._name(other)}, which is free, in {span(other.end)}"
        return f"waits for {drone}, free in {span(line.front)}: {sooner}"

    def _later(self, job: Job) -> str:
        """Of something that was not looked at, because no drone that may take it had a gap left to begin in now."""
        lines, fleet = self.plan.lines, self.plan.fleet
        first = min((number for _, number in fleet.options(job)), key=lambda number: lines[number].earliest)
        when = f"first {fleet.drones[first].name}, in {span(lines[first].earliest)}"
        return f"every drone that may take it is busy, or kept for what more hangs on: {when}"

    def _name(self, choice: Choice) -> str:
        return self.plan.fleet.drones[choice.drone].name

    def _members(self, unit: str) -> tuple[str, ...]:
        return tuple(job for job in self.plan.graph.members[unit] if job in self.jobs)

"""Who is next: the unit on which the longest chain of builds hangs (upward rank: Topcuoglu, Hariri, Wu, 2002)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.build import Drone, Job, Ranking
from reconciler.swarm.placing.fleet import Fleet
from reconciler.swarm.placing.graph import Graph


def rank(graph: Graph, jobs: Mapping[str, Job], drones: Sequence[Drone]) -> Ranking:
    """The ranking of what is still to be built: `jobs`, by key.

    It holds until estimates, bumps or the fleet change: what finishes leaves the others' chains as they are.
    """
    fleet = Fleet(drones)
    chain: dict[str, float] = {}
    bump: dict[str, int] = {}
    asked: dict[str, float] = {}
    for unit in reversed(graph.order):
        if (job := unit_job(graph, unit, jobs)) is not None:
            later = [then for then in graph.after[unit] if then in chain]
            chain[unit] = fleet.best_seconds(job) + max((chain[then] for then in later), default=0.0)
            bump[unit] = max([job.bump, *(bump[then] for then in later)])
            asked[unit] = min([job.asked, *(asked[then] for then in later)])
    left = [unit for unit in graph.order if unit in chain]  # a stable sort: equals stay in topological order
    return Ranking(tuple(sorted(left, key=lambda unit: (-bump[unit], -chain[unit], asked[unit]))), chain)


def unit_job(graph: Graph, unit: str, jobs: Mapping[str, Job]) -> Job | None:
    """What a unit asks for as a whole: its job, or the members of a cycle as one build. None when nothing is left."""
    members = graph.members[unit]
    if len(members) == 1:
        return jobs.get(unit)
    left = [jobs[member] for member in members if member in jobs]
    if len(left) < 2:
        return left[0] if left else None
    work = sum(job.work for job in left)
    return Job(
        key=unit,
        work=work,
        serial=sum(job.work * job.serial for job in left) / work if work else left[0].serial,
        profile=" and ".join(sorted({job.profile for job in left if job.profile})),  # no drone has two: told as stuck
        cores=max(job.cores for job in left),
        memory=max(job.memory for job in left),
        failed_on=max((job.failed_on for job in left), key=len),
        bump=max(job.bump for job in left),
        asked=min(job.asked for job in left),
    )

"""What is shown of the swarm: made of what lives, and of the estimates, for one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from reconciler.model.build import Band
from reconciler.model.queue import DroneView, Known, Pending, Queue
from reconciler.model.swarm import Build
from reconciler.swarm.board import Board
from reconciler.swarm.placing.estimate import band
from reconciler.swarm.placing.fleet import Fleet
from reconciler.swarm.placing.placement import forecast
from reconciler.swarm.placing.times import Times
from reconciler.swarm.rules import Rules

_NAMED = 3
"""Dependencies that a reason names."""


def queue(board: Board, rules: Rules, times: Times, why: Mapping[str, str], now: float) -> Queue:
    """With estimated ends: what the drones hold first, then in the order in which builds choose their drone."""
    jobs, fleet = board.jobs(rules.wants, times), board.fleet(times)
    ends = forecast(board.graph, jobs, fleet, now, done=board.done, limits=times.limits(rules.limits))
    rank = {unit: place for place, unit in enumerate(board.ranking(jobs, fleet, times).order)}
    unit = board.graph.unit

    def place(build: Build) -> tuple[int, float]:
        return (0, build.since) if build.state != "queued" else (1, rank.get(unit.get(build.id, ""), len(rank)))

    def left(build: Build) -> Band | None:
        if build.state == "uploaded":
            return Band(0.0, 0.0, 0.0)
        return band(max(0.0, ends[build.id] - now), times.error) if build.id in ends else None

    takers = Fleet(fleet, rules.limits.retries)
    reasons = {**why, **{id: reason for id, job in jobs.items() if (reason := takers.nowhere(job))}}
    builds = sorted(board.builds.values(), key=place)
    entries = [Pending(build, _why(board, build, reasons), left(build)) for build in builds]
    last = max(ends.values(), default=None)
    drain = None if last is None else band(max(0.0, last - now), times.error)
    return Queue(now, tuple(entries), drain, times.error, Counter(build.state for build in board.builds.values()))


def _why(board: Board, build: Build, why: Mapping[str, str]) -> str:
    if build.state != "queued":
        return build.reason
    graph = board.graph
    needs = [
        str(board.builds[job].package)
        for unit in graph.before[graph.unit[build.id]]
        for job in graph.members[unit]
        if job in board.builds and job not in board.done
    ]
    if needs:
        more = f" and {len(needs) - _NAMED} more" if len(needs) > _NAMED else ""
        return f"needs {', '.join(needs[:_NAMED])}{more}"
    return why.get(build.id) or build.reason or "waits for its turn"


def drone(board: Board, known: Known, speeds: Mapping[str, float]) -> DroneView:
    holds = tuple(build for lease in board.held_by(known.name) for build in board.members(lease))
    usual = known.beat.speed if known.beat is not None else 1.0
    return DroneView(known, holds, speeds.get(known.name, usual))

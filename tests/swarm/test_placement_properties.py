"""What holds for every placement, tried on random swarms and beside a naive reference."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.swarm.instance import Instance
from bench.swarm.policies import Place
from bench.swarm.simulate import Loss, simulate
from reconciler.model.build import Drone, Job, Limits, Placement
from reconciler.swarm.placing.eligible import eligible
from reconciler.swarm.placing.estimate import seconds_on
from reconciler.swarm.placing.graph import Graph
from reconciler.swarm.placing.placement import forecast, place
from reconciler.swarm.placing.ranking import rank, unit_job
from tests.support.swarm import EXACT, Swarm, swarms


def decide(swarm: Swarm, limits: Limits = EXACT) -> Placement:
    return place(swarm.graph, swarm.jobs, swarm.drones, 0.0, done=swarm.done, limits=limits)


def holding(swarm: Swarm) -> set[str]:
    return {job for drone in swarm.drones for held in drone.held for job in held.jobs}


def could(job: Job, drone: Drone, fleet: tuple[Drone, ...]) -> bool:
    """The rule said once more, the other way round: from the drone, as a condition."""

    def fits(other: Drone) -> bool:
        able = job.cores <= other.cores and job.memory <= other.memory and job.profile in ("", other.profile)
        return able and not other.drained and other.state != "offline"

    rivals = [other for other in fleet if fits(other)]
    last = len(job.failed_on) >= 2 and any(other.sweeper for other in rivals)
    rivals = [other for other in rivals if other.sweeper == last]
    fresh = [other for other in rivals if other.name not in job.failed_on]
    return drone in (fresh or rivals) and drone.state != "degraded"


@given(swarms())
def test_nothing_is_given_before_what_it_depends_on_nor_twice_nor_again(swarm: Swarm) -> None:
    graph = swarm.graph
    given_ = [job for each in decide(swarm).assignments for job in each.jobs]

    assert len(given_) == len(set(given_))
    assert not set(given_) & (holding(swarm) | swarm.done)
    for first, then in swarm.edges:
        assert then not in given_ or first in swarm.done or graph.unit[first] == graph.unit[then]


@given(swarms())
def test_nothing_is_given_to_a_drone_that_may_not_take_it_or_is_full(swarm: Swarm) -> None:
    graph, fleet = swarm.graph, {drone.name: drone for drone in swarm.drones}
    added: dict[str, int] = {}
    for each in decide(swarm).assignments:
        job = unit_job(graph, graph.unit[each.jobs[0]], swarm.jobs)
        assert job is not None
        assert could(job, fleet[each.drone], swarm.drones)
        assert each.expected == seconds_on(fleet[each.drone], job)
        added[each.drone] = added.get(each.drone, 0) + 1
    assert all(len(fleet[name].held) + count <= 2 for name, count in added.items())


@given(swarms())
def test_eligible_says_the_same_as_the_rule_and_why(swarm: Swarm) -> None:
    for job in swarm.jobs.values():
        found = eligible(job, swarm.drones)
        assert list(found.drones) == [drone for drone in swarm.drones if could(job, drone, swarm.drones)]
        assert all(found.reasons[drone.name] for drone in swarm.drones if drone not in found.drones)


@given(swarms())
def test_everything_ready_is_given_waits_or_is_stuck_with_a_reason(swarm: Swarm) -> None:
    graph, found = swarm.graph, decide(swarm)
    ready = set(graph.ready(swarm.done)) - {graph.unit[job] for job in holding(swarm)}
    given_, waiting, stuck = (
        [graph.unit[each.jobs[0]] for each in part] for part in (found.assignments, found.waiting, found.stuck)
    )

    assert sorted(given_ + waiting + [unit for unit in stuck if unit in ready]) == sorted(ready)
    assert all(each.reason for part in (found.assignments, found.waiting, found.stuck) for each in part)


@given(swarms(), st.randoms(use_true_random=False))
def test_the_same_swarm_gets_the_same_placement_in_whatever_order_it_comes(swarm: Swarm, chance: random.Random) -> None:
    jobs, edges, drones = list(swarm.jobs.items()), list(swarm.edges), list(swarm.drones)
    for each in (jobs, edges, drones):
        chance.shuffle(each)
    shuffled = replace(swarm, jobs=dict(jobs), edges=edges, drones=tuple(drones))

    first, second = decide(swarm), decide(shuffled)

    assert first.assignments == second.assignments
    assert first.waiting == second.waiting
    assert [each.jobs for each in first.stuck] == [each.jobs for each in second.stuck]


@given(swarms())
def test_a_ranking_from_before_anything_was_done_leads_to_the_same(swarm: Swarm) -> None:
    ranking = rank(swarm.graph, swarm.jobs, swarm.drones)
    left = {key: job for key, job in swarm.jobs.items() if key not in swarm.done}

    found = place(swarm.graph, left, swarm.drones, 0.0, done=swarm.done, limits=EXACT, ranking=ranking)

    assert found == place(swarm.graph, left, swarm.drones, 0.0, done=swarm.done, limits=EXACT)


def reference(swarm: Swarm, graph: Graph, limits: Limits) -> list[tuple[str, str]]:
    """The whole plan, without any shortcut: each unit tries every moment on every drone at which something ends."""
    fleet = sorted(swarm.drones, key=lambda drone: drone.name)
    busy: dict[str, list[tuple[float, float]]] = {}
    ends: dict[str, float] = {}
    for drone in fleet:
        at = 0.0
        for held in drone.held:
            at += max(0.0, held.expected + (held.started or 0.0))
            ends[graph.unit[held.jobs[0]]] = float("inf") if drone.state == "offline" else at
        busy[drone.name] = [(float("-inf"), at)]
    fronts = {name: spans[0][1] for name, spans in busy.items()}
    room = {drone.name: 1 + limits.prefetch - len(drone.held) for drone in fleet}
    given_ = []
    for unit in rank(graph, swarm.jobs, swarm.drones).order:
        job = unit_job(graph, unit, swarm.jobs)
        if job is None or unit in ends or set(graph.members[unit]) <= swarm.done:
            continue
        before = [first for first in graph.before[unit] if not set(graph.members[first]) <= swarm.done]
        ready = max((ends.get(first, float("inf")) for first in before), default=0.0)
        choices = []
        for drone in fleet:
            if not could(job, drone, swarm.drones) or ready == float("inf"):
                continue
            took = seconds_on(drone, job)
            moments = sorted({max(ready, end) for _, end in busy[drone.name]})
            begin = next(
                at for at in moments if all(at + took <= start or end <= at for start, end in busy[drone.name])
            )
            pace = took / job.work
            choices.append((begin + took, begin, pace, drone.name))
        if not choices:
            continue
        end, begin, _, name = min(choices)
        if not before and begin == fronts[name] and begin <= limits.lead and room[name] > 0:
            given_.append((unit, name))
            fronts[name] = end
            room[name] -= 1
        busy[name].append((begin, end))
        ends[unit] = end
    return given_


@settings(max_examples=200)
@given(swarms() | swarms(troubled=False), st.integers(0, 3), st.sampled_from([0.0, 15.0, 1000.0]))
def test_the_shortcuts_change_no_assignment(swarm: Swarm, prefetch: int, lead: float) -> None:
    limits = Limits(prefetch=prefetch, lead=lead, spread=0.0)
    graph = swarm.graph

    found = decide(swarm, limits)

    assert [(graph.unit[each.jobs[0]], each.drone) for each in found.assignments] == reference(swarm, graph, limits)


@given(swarms(troubled=False, linked=False))
def test_who_waits_has_a_drone_that_is_sooner_than_every_free_one(swarm: Swarm) -> None:
    """Without dependencies nothing is kept free: each in turn goes where it ends first, and waits just for that."""
    graph, found = swarm.graph, decide(swarm)
    fronts = {d.name: sum(max(0.0, h.expected + (h.started or 0.0)) for h in d.held) for d in swarm.drones}
    given_ = {each.jobs[0]: each.drone for each in found.assignments}
    told = {each.jobs[0]: each.reason for each in found.waiting}
    for key in rank(graph, swarm.jobs, swarm.drones).order:
        if key in holding(swarm) | swarm.done:
            continue
        job = swarm.jobs[key]
        ends = {drone.name: fronts[drone.name] + seconds_on(drone, job) for drone in swarm.drones}
        if key in given_:
            assert ends[given_[key]] == min(ends.values())
            fronts[given_[key]] = ends[given_[key]]
        elif told[key].startswith("waits for "):
            name = told[key].split()[2].rstrip(",")
            assert ends[name] == min(ends.values())
            assert all(ends[name] < end for other, end in ends.items() if fronts[other] == 0.0 and other != name)
            fronts[name] = ends[name]


@given(
    swarms(troubled=False),
    st.sampled_from([0.0, 0.35]),
    st.integers(0, 99),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3000)), max_size=3),
)
def test_a_simulated_schedule_builds_everything_also_when_drones_are_lost(
    swarm: Swarm, error: float, seed: int, lost: list[tuple[int, int]]
) -> None:
    fleet = [replace(drone, held=()) for drone in swarm.drones]
    losses = [Loss(f"d{n}", at * 1.0, at + 500.0) for n, at in dict(lost).items() if n < len(fleet)]
    instance = Instance("random", swarm.graph, swarm.jobs)

    result = simulate(instance, fleet, Place(Limits(spread=error)), error=error, seed=seed, losses=losses)

    fastest = max(swarm.drones, key=lambda drone: drone.cores * drone.speed)
    assert result.makespan >= max(seconds_on(fastest, job) for job in swarm.jobs.values())
    assert result.repeated <= 2 * len(losses)


@given(swarms())
def test_a_forecast_ends_nothing_before_what_it_depends_on(swarm: Swarm) -> None:
    graph = swarm.graph
    ends = forecast(graph, swarm.jobs, swarm.drones, 0.0, done=swarm.done, limits=EXACT)

    assert ends.keys() <= swarm.jobs.keys() - swarm.done
    for first, then in swarm.edges:
        if then in ends and first not in swarm.done and graph.unit[first] != graph.unit[then]:
            assert first in ends
            assert then in holding(swarm) or ends[first] < ends[then]

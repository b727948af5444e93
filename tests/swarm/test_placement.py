"""Who builds what next, and why the others wait: cases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.build import Drone, Held, Job, Limits, Placement
from reconciler.swarm.placing.graph import build
from reconciler.swarm.placing.placement import forecast, place
from reconciler.swarm.placing.ranking import rank
from tests.support.swarm import EXACT, edges_of, jobs_of, running

FAST, SLOW = Drone("fast", 8), Drone("slow", 2)


def placed(
    jobs: dict[str, Job], text: str, *drones: Drone, done: str = "", now: float = 0.0, limits: Limits = EXACT
) -> Placement:
    return place(build(edges_of(text), jobs), jobs, drones, now, done=set(done.split()), limits=limits)


def pairs(found: Placement) -> list[tuple[str, str]]:
    return [("+".join(each.jobs), each.drone) for each in found.assignments]


def why(found: Placement, job: str) -> str:
    return next(each.reason for each in (*found.waiting, *found.stuck) if job in each.jobs)


def test_the_longest_chain_goes_first_and_to_the_fastest_drone() -> None:
    jobs = jobs_of(short=800, first=80, then=1600)

    found = placed(jobs, "first>then", FAST, SLOW)

    assert pairs(found)[0] == ("first", "fast")
    assert found.assignments[0].expected == 10.0
    assert found.assignments[0].reason == "4 min of builds hang on it; done on fast in 10 s, on slow in 40 s"


def test_of_equals_the_one_that_waits_for_longest_goes_first_with_what_it_needs() -> None:
    jobs = jobs_of(a=80, b=80, need=80, top=80, z=160)
    times = {"a": 30.0, "b": 10.0, "need": 40.0, "top": 5.0, "z": 20.0}
    jobs = {key: replace(job, asked=times[key]) for key, job in jobs.items()}

    assert rank(build(edges_of("need>top"), jobs), jobs, [FAST]).order == ("need", "z", "top", "b", "a")


def test_one_long_chain_counts_for_more_than_many_short_ones() -> None:
    jobs = jobs_of(hub=8, line=8, next=80, last=80, **{f"leaf{n}": 80 for n in range(5)})
    edges = "line>next>last " + " ".join(f"hub>leaf{n}" for n in range(5))

    ranking = rank(build(edges_of(edges)), jobs, [FAST, SLOW])

    assert ranking.order[0] == "line"
    assert (ranking.chain["line"], ranking.chain["hub"], ranking.chain["last"]) == (21.0, 11.0, 10.0)


def test_what_begins_has_its_moment_and_its_seconds() -> None:
    (only,) = placed(jobs_of(a=80), "", FAST, now=1000.0).assignments

    assert (only.jobs, only.drone, only.begins, only.expected) == (("a",), "fast", 1000.0, 10.0)


@pytest.mark.parametrize(
    ("left_on_fast", "taken"),
    [(20.0, []), (29.0, []), (30.0, [("a", "slow")]), (31.0, [("a", "slow")])],
)
def test_it_waits_for_a_busy_drone_only_when_that_one_has_it_done_sooner(
    left_on_fast: float, taken: list[tuple[str, str]]
) -> None:
    """`a` takes 10 s on the fast drone and 40 s on the slow one."""
    busy = replace(FAST, held=(running("x", expected=100.0, since=0.0),))

    found = placed(jobs_of(a=80, x=800), "", busy, SLOW, now=100.0 - left_on_fast)

    assert pairs(found) == taken


def test_who_waits_is_told_for_whom_and_how_much_sooner_that_is() -> None:
    busy = replace(FAST, held=(running("x", expected=60.0),))

    found = placed(jobs_of(a=800, x=480), "", busy, SLOW)

    assert why(found, "a") == "waits for fast, free in 60 s: done there in 3 min, on slow, which is free, in 7 min"


def test_when_all_are_busy_the_next_that_is_free_is_named() -> None:
    busy = [replace(drone, held=(running(drone.name, expected=60.0),)) for drone in (FAST, SLOW)]

    found = placed(jobs_of(a=80, fast=480, slow=120), "", *busy)

    assert (
        why(found, "a") == "every drone that may take it is busy, or kept for what more hangs on: first fast, in 60 s"
    )


def test_where_no_drone_that_may_take_it_is_free_it_waits_for_the_one_that_has_it_done_first() -> None:
    busy = replace(FAST, held=(running("x", expected=60.0),))
    jobs = jobs_of(b=16, x=480) | {"a": Job("a", 80.0, serial=0.0, cores=8)}

    found = placed(jobs, "", busy, SLOW)

    assert pairs(found) == [("b", "slow")]
    assert why(found, "a") == "waits for fast, free in 60 s: done there in 70 s, and no drone that may take it is free"


@pytest.mark.parametrize(
    ("brief", "taken"), [(48, [("brief", "fast")]), (320, [("brief", "fast")]), (328, [("tiny", "fast")])]
)
def test_a_drone_is_kept_for_what_is_ready_later_and_more_hangs_on(brief: int, taken: list[tuple[str, str]]) -> None:
    """`big` is ready in 40 s. `long` would hold the fast drone for 50 s; `brief` does not, unless it is 41 s."""
    jobs = jobs_of(low=100, big=4000, long=400, brief=brief, tiny=8)
    slow = replace(SLOW, held=(running("low", expected=50.0, since=-10.0),))

    found = placed(jobs, "low>big", FAST, slow)

    assert pairs(found)[:1] == taken
    assert why(found, "long") == "waits for slow, free in 40 s: done there in 4 min, on fast, which is free, in 10 min"


def test_the_reason_names_a_place_that_is_kept() -> None:
    jobs = jobs_of(low=40, big=80, long=400)
    slow = replace(SLOW, held=(running("low", expected=200.0, since=-190.0),))
    whole = Drone("fast", 80)

    found = placed(jobs | jobs_of(after=80_000), "low>big>after", whole, replace(slow, cores=1))

    assert pairs(found) == [("long", "fast")]  # 5 s there: it fits before
    found = placed(jobs | jobs_of(after=80_000, long=4000), "low>big>after", whole, replace(slow, cores=1))
    assert pairs(found) == []
    assert why(found, "long").startswith("waits for fast, which is kept for what more hangs on: done there in 18 min")


def test_nothing_begins_before_what_it_depends_on() -> None:
    jobs = jobs_of(a=8, b=8, c=8)

    assert pairs(placed(jobs, "a>b>c", FAST, SLOW)) == [("a", "fast")]
    assert pairs(placed(jobs, "a>b>c", FAST, SLOW, done="a")) == [("b", "fast")]
    assert pairs(placed(jobs, "gone>a", FAST)) == [("b", "fast"), ("c", "fast")]
    assert pairs(placed(jobs, "gone>a", FAST, done="gone b c")) == [("a", "fast")]


def test_a_cycle_goes_to_one_drone_as_one_build() -> None:
    jobs = jobs_of(a=80, b=160, c=8) | {"b": Job("b", 160, serial=0.0, cores=4, memory=7)}

    found = placed(jobs, "a>b>a b>c", replace(FAST, memory=8), SLOW)

    assert pairs(found) == [("a+b", "fast")]
    assert found.assignments[0].expected == 30.0


def test_of_a_cycle_only_what_is_left_is_built() -> None:
    assert pairs(placed({"b": Job("b", 8.0)}, "a>b>a b>c", FAST, done="a")) == [("b", "fast")]


def test_a_queue_is_filled_only_shortly_before_the_drone_is_free() -> None:
    def with_left(seconds: float) -> list[tuple[str, str]]:
        busy = replace(FAST, held=(running("x", expected=100.0),))
        return pairs(placed(jobs_of(a=80, b=80, x=800), "", busy, now=100.0 - seconds))

    assert with_left(16.0) == []
    assert with_left(15.0) == [("a", "fast")]


@pytest.mark.parametrize(("prefetch", "count"), [(0, 1), (1, 2), (2, 3)])
def test_no_queue_is_longer_than_the_limit(prefetch: int, count: int) -> None:
    jobs = jobs_of(**{f"j{n}": 8 for n in range(9)})
    limits = Limits(prefetch=prefetch, spread=0.0)

    assert len(placed(jobs, "", FAST, limits=limits).assignments) == count
    held = (running("j0", expected=1.0), Held(("j1",), 1.0))
    assert len(placed(jobs, "", replace(FAST, held=held), limits=limits).assignments) == max(0, count - 2)


def test_a_build_that_is_late_is_waited_for_less_and_less() -> None:
    """The slow drone needs 40 s for `a`. The fast one was to be free by now, and has its build still."""
    late = replace(FAST, held=(running("x", expected=100.0),))
    jobs = jobs_of(a=80, x=800)

    assert pairs(placed(jobs, "", late, SLOW, now=120.0, limits=Limits())) == []
    assert pairs(placed(jobs, "", late, SLOW, now=1000.0, limits=Limits())) == [("a", "slow")]


def test_a_bumped_package_goes_first_with_what_it_depends_on() -> None:
    jobs = jobs_of(long=8000, a=8, b=8) | {"b": Job("b", 8.0, serial=0.0, bump=1)}

    found = placed(jobs, "a>b", FAST, done="")

    assert pairs(found)[0] == ("a", "fast")
    assert placed(jobs, "a>b", FAST, done="a").assignments[0].reason.startswith("bumped (1); 1 s of builds hang on it")


def test_a_failed_package_goes_elsewhere_and_says_so() -> None:
    jobs = jobs_of(b=800) | {"a": Job("a", 80.0, serial=0.0, failed_on=("fast",))}

    found = placed(jobs, "", FAST, SLOW)

    assert pairs(found) == [("b", "fast"), ("a", "slow")]
    assert found.assignments[1].reason == "try 2; 40 s of builds hang on it; done on slow in 40 s"


def test_what_no_drone_can_take_is_stuck_also_before_it_is_ready_and_holds_up_nobody_else() -> None:
    jobs = jobs_of(a=8, c=8, d=8) | {"b": Job("b", 8.0, cores=64)}

    found = placed(jobs, "a>b>c", FAST)

    assert pairs(found) == [("a", "fast"), ("d", "fast")]
    assert [each.jobs for each in found.stuck] == [("b",)]
    assert why(found, "b") == "fast: 8 cores, and 64 are wanted"


def test_members_of_a_cycle_that_want_different_profiles_are_stuck() -> None:
    jobs = {"a": Job("a", 8.0, profile="x"), "b": Job("b", 8.0, profile="y")}

    found = placed(jobs, "a>b>a", Drone("d", 8, profile="x"))

    assert why(found, "a") == "d: builds for profile x, and x and y is wanted"


def test_without_drones_everything_is_stuck() -> None:
    found = placed(jobs_of(a=8, b=8), "a>b")

    assert not found.assignments
    assert not found.waiting
    assert {each.reason for each in found.stuck} == {"there is no drone"}


def test_what_an_offline_drone_holds_is_not_given_away_and_nothing_waits_for_its_end() -> None:
    gone = replace(FAST, state="offline", held=(running("a", expected=1.0),))

    assert pairs(placed(jobs_of(a=8, b=8000, c=80), "a>b", gone, SLOW)) == [("c", "slow")]


def test_what_a_drained_or_degraded_drone_holds_is_expected_and_nothing_is_added() -> None:
    for gone in (replace(FAST, drained=True), replace(FAST, state="degraded")):
        busy = replace(gone, held=(running("a", expected=5.0),))
        found = placed(jobs_of(a=40, big=8000, c=80, d=8), "a>big", busy, SLOW)
        assert pairs(found) == [("d", "slow")]  # c, 40 s, would be in the way of big, which is ready in 5 s


def test_a_ranking_is_used_as_long_as_it_knows_all_jobs() -> None:
    jobs = jobs_of(a=80, b=8)
    graph = build([], [*jobs, "c"])
    ranking = rank(graph, jobs, [FAST])
    turned = replace(ranking, order=tuple(reversed(ranking.order)))

    kept = place(graph, jobs, [FAST], 0.0, done=set(), ranking=turned)
    renewed = place(graph, jobs | jobs_of(c=800), [FAST], 0.0, done=set(), ranking=turned)

    assert pairs(kept)[0] == ("b", "fast")
    assert pairs(renewed) == [("c", "fast")]


def test_a_forecast_has_the_end_of_everything_that_can_be_built() -> None:
    jobs = jobs_of(a=80, b=80, c=800, d=8) | {"stuck": Job("stuck", 8.0, cores=64)}
    busy = replace(SLOW, held=(running("c", expected=400.0, since=1000.0),))

    ends = forecast(build(edges_of("a>b stuck>d"), jobs), jobs, [FAST, busy], 1100.0, done={"a"}, limits=EXACT)

    assert ends == {"b": 1110.0, "c": 1400.0}

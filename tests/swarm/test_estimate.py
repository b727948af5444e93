"""How long a package builds, and how sure that is."""

from __future__ import annotations

import random
from math import exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.build import Drone, EstimateError, Job, PastBuild
from reconciler.swarm.placing.estimate import band, errors, estimate, fraction, remaining, remember, seconds_on, speeds
from reconciler.swarm.placing.rough import SECONDS


def built(package: str, *seconds: float, cores: int = 8, drone: str = "big", size: int = 0) -> list[PastBuild]:
    return [
        PastBuild(package, drone, cores, each, ended=float(number), size=size) for number, each in enumerate(seconds)
    ]


@pytest.mark.parametrize(
    ("cores", "serial", "share"),
    [(1, 0.1, 1.0), (8, 0.0, 0.125), (8, 1.0, 1.0), (4, 0.1, 0.325), (0, 0.1, 1.0)],
)
def test_more_cores_shorten_all_but_the_serial_share(cores: int, serial: float, share: float) -> None:
    assert fraction(cores, serial) == pytest.approx(share)


def test_a_build_on_one_drone_says_what_it_takes_on_another() -> None:
    history = remember(built("app-misc/foo", 100.0, cores=4))

    job = Job("foo", estimate("app-misc/foo", history).work)

    assert seconds_on(Drone("same", 4), job) == pytest.approx(100.0)
    assert seconds_on(Drone("big", 16), job) == pytest.approx(100.0 * (0.1 + 0.9 / 16) / (0.1 + 0.9 / 4))
    assert seconds_on(Drone("fast", 4, speed=2.0), job) == pytest.approx(50.0)


def test_a_build_on_a_fast_drone_would_have_taken_longer_on_a_usual_one() -> None:
    quick = PastBuild("app-misc/foo", "quick", cores=4, seconds=50.0, ended=1.0, speed=2.0)

    job = Job("foo", estimate("app-misc/foo", remember([quick])).work)

    assert seconds_on(Drone("usual", 4), job) == pytest.approx(100.0)
    assert seconds_on(Drone("quick", 4, speed=2.0), job) == pytest.approx(50.0)


def test_only_the_last_builds_count_and_one_that_hung_moves_nothing() -> None:
    past = built("a/a", 9000.0, 9000.0, 10.0, 11.0, 5000.0, 12.0, 13.0, cores=1)

    found = estimate("a/a", remember(past))

    assert (found.work, found.basis) == (12.0, "history")
    assert found.reason == "the median of its last 5 builds"
    assert estimate("a/a", remember(reversed(past))) == found


def test_a_failed_build_says_nothing() -> None:
    failed = PastBuild("a/a", "big", 1, 3.0, ended=9.0, succeeded=False)

    assert remember([failed, *built("a/a", 10.0, cores=1)]).work == {"a/a": 10.0}
    assert remember([failed]).usual is None


def test_a_new_package_builds_as_long_as_others_of_its_size() -> None:
    past = [build for n in range(40) for build in built(f"a/p{n}", 10.0 * 1.2**n, cores=1, size=int(1000 * 1.3**n))]

    small, large = (estimate("a/new", remember(past), size=int(1000 * 1.3**n)) for n in (8, 30))

    assert (small.basis, large.basis) == ("size", "size")
    assert small.work == pytest.approx(10.0 * 1.2**8)
    assert large.work == pytest.approx(10.0 * 1.2**30)


def test_a_new_package_without_a_size_is_a_usual_one() -> None:
    past = built("a/a", 10.0, cores=1) + built("a/b", 20.0, cores=1) + built("a/c", 900.0, cores=1)

    assert estimate("a/new", remember(past)).work == 20.0
    assert estimate("a/new", remember(past), size=5).work == 20.0  # no other size is known
    assert estimate("a/new", remember([])).work * fraction(8, 0.1) == pytest.approx(43.0)


def test_a_package_that_is_known_to_be_large_needs_no_history_and_yields_to_it() -> None:
    package = "www-client/chromium"
    first = estimate(package, remember([]), size=1000)
    later = estimate(package, remember(built(package, 7000.0, cores=1)))

    assert (first.basis, later.basis) == ("table", "history")
    assert first.work * fraction(8, 0.1) == pytest.approx(SECONDS[package])
    assert later.work == 7000.0


def test_a_drone_whose_cores_are_slow_is_noticed_from_what_others_built_as_well() -> None:
    past = [build for n in range(6) for build in built(f"a/p{n}", 100.0 + n, drone="x", cores=4)]
    past += [build for n in range(6) for build in built(f"a/p{n}", 100.0 + n, drone="y", cores=4)]
    past += [build for n in range(6) for build in built(f"a/p{n}", 400.0 + 4 * n, drone="slow", cores=4)]
    past += built("a/p0", 7.0, drone="new") + built("a/alone", *[5.0] * 9, drone="alone")

    assert speeds(past) == pytest.approx({"slow": 0.25, "x": 1.0, "y": 1.0})


@pytest.mark.parametrize(
    ("expected", "elapsed", "spread", "left"),
    [
        (100.0, 0.0, 0.35, 100.0),
        (100.0, 30.0, 0.0, 70.0),
        (100.0, 130.0, 0.0, 0.0),
        (0.0, 5.0, 0.35, 0.0),
    ],
)
def test_what_is_left_of_a_build(expected: float, elapsed: float, spread: float, left: float) -> None:
    assert remaining(expected, elapsed, spread) == pytest.approx(left)


def test_what_is_left_of_a_late_build_is_the_median_of_those_that_were_as_late() -> None:
    chance = random.Random(1)
    times = [100.0 * exp(chance.gauss(0.0, 0.35)) for _ in range(40_000)]
    for elapsed in (40.0, 100.0, 150.0):
        longer = sorted(time - elapsed for time in times if time > elapsed)
        assert remaining(100.0, elapsed, 0.35) == pytest.approx(longer[len(longer) // 2], rel=0.05)


@given(
    st.floats(0.1, 1e5),
    st.floats(0.01, 2.0),
    st.lists(st.floats(0.0, 1e7), min_size=2, max_size=2),
)
def test_a_build_is_never_expected_to_have_ended_and_its_end_only_moves_away(
    expected: float, spread: float, elapsed: list[float]
) -> None:
    earlier, later = sorted(elapsed)

    assert 0.0 <= remaining(expected, later, spread) < inf
    assert earlier + remaining(expected, earlier, spread) <= (later + remaining(expected, later, spread)) * (1 + 1e-4)


def test_the_error_of_estimates_is_measured_and_makes_an_error_bar() -> None:
    chance = random.Random(2)
    pairs = [(est, 1.2 * est * exp(chance.gauss(0.0, 0.35))) for est in (chance.uniform(5, 5000) for _ in range(5000))]

    found = errors([*pairs, (0.0, 5.0), (5.0, 0.0)])
    bars = [band(estimated, found) for estimated, _ in pairs]
    inside = sum(bar.low <= actual <= bar.high for bar, (_, actual) in zip(bars, pairs, strict=True))

    assert found.count == 5000
    assert found.median == pytest.approx(log(1.2), abs=0.03)
    assert found.spread == pytest.approx(0.35, abs=0.02)
    assert inside / 5000 == pytest.approx(0.683, abs=0.03)
    assert bars[0].expected == pytest.approx(pairs[0][0] * exp(found.median))


def test_without_builds_no_error_is_claimed() -> None:
    assert errors([]) == EstimateError(0.0, 0.0, 0)
    assert band(10.0, errors([])).high == 10.0


@pytest.mark.parametrize("spread", [0.0, 0.35])
def test_a_build_whose_estimate_was_wrong_may_take_as_long_again(spread: float) -> None:
    assert remaining(43.0, 28_800.0, spread) == 28_800.0
    assert remaining(43.0, 80.0, spread) < 80.0

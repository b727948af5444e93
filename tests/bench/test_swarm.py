"""The simulation of the swarm measures what it says: bound, clock and graphs are what they claim to be."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.swarm.bound import area, bound, spread
from bench.swarm.contest import contest, passes
from bench.swarm.debian import NoIndex, acyclic, read, write
from bench.swarm.graphs import layered, load, shipped
from bench.swarm.instance import EIGHT, FIVE, Instance, fleet, instance, without_largest
from bench.swarm.policies import POLICIES
from bench.swarm.simulate import Loss, simulate
from bench.swarm.tables import contest_text, passes_text
from bench.swarm.times import seconds
from reconciler.model.build import Drone, Job, Limits
from reconciler.swarm.placing.estimate import seconds_on
from reconciler.swarm.placing.graph import build
from tests.support.swarm import KEYS, Edges, edges_strategy

EXACT = Limits(spread=0.0)
WORKS = st.floats(1.0, 1e5)
JOBS = st.lists(st.builds(Job, st.just("j"), WORKS, st.floats(0.0, 1.0)), min_size=1, max_size=30)
FLEETS = st.lists(
    st.builds(Drone, st.just("d"), st.integers(1, 64), speed=st.sampled_from([0.5, 1.0, 1.3])), min_size=1, max_size=6
)


@given(JOBS, FLEETS)
def test_the_area_bound_is_the_optimum_of_its_linear_program(jobs: list[Job], drones: list[Drone]) -> None:
    """A way to spread the jobs and the prices of the dual have the same value: neither can be bettered."""
    primal, _ = spread(jobs, drones)

    assert area(jobs, drones) == pytest.approx(primal, rel=1e-9)


@given(st.lists(JOBS.map(lambda jobs: jobs[0]), min_size=1, max_size=6), FLEETS.map(lambda drones: drones[:3]))
def test_no_assignment_of_whole_jobs_is_below_the_area_bound(jobs: list[Job], drones: list[Drone]) -> None:
    best = min(
        max(
            sum(seconds_on(drone, job) for job, at in zip(jobs, places, strict=True) if at == n)
            for n, drone in enumerate(drones)
        )
        for places in product(range(len(drones)), repeat=len(jobs))
    )

    assert area(jobs, drones) <= best * (1 + 1e-9)


def test_the_chain_bound_has_each_package_on_its_fastest_drone() -> None:
    graph = instance("chain", [Job("a", 100.0, 0.0), Job("b", 100.0, 1.0), Job("c", 30.0, 1.0)], [("a", "b")])

    found = bound(graph, (Drone("many", 10), Drone("quick", 1, speed=2.0)))

    assert found.chain == pytest.approx(10.0 + 50.0)
    assert found.lower == max(found.chain, found.area)


def test_build_times_are_those_of_the_machine_they_were_measured_on() -> None:
    times = [seconds(number / 831) for number in range(832)]

    assert median(times) == pytest.approx(43.0, rel=0.01)
    assert times[round(0.9 * 831)] == pytest.approx(233.0, rel=0.02)
    assert times[-1] == pytest.approx(28_563.0)
    assert sum(times[-83:]) / sum(times) == pytest.approx(0.8, abs=0.005)
    assert times == sorted(times)


@pytest.mark.parametrize(("name", "packages", "edges"), [("base", 244, 623), ("server", 387, 1402)])
def test_the_graphs_that_are_kept_here_are_whole_and_have_no_cycles(name: str, packages: int, edges: int) -> None:
    whole = shipped(name)

    assert (len(whole.jobs), sum(map(len, whole.graph.before.values()))) == (packages, edges)
    assert whole.graph.cycles == ()
    assert max(whole.jobs.values(), key=lambda job: job.work).key == "gcc-12"


def test_without_the_largest_others_still_wait_for_what_it_waited_for() -> None:
    whole = instance("x", [Job("a", 1.0), Job("b", 9.0), Job("c", 2.0)], [("a", "b"), ("b", "c")])

    left = without_largest(whole)

    assert set(left.jobs) == {"a", "c"}
    assert left.graph.before["c"] == ("a",)


@pytest.mark.parametrize("name", ["base", "server"])
@pytest.mark.parametrize("largest", [True, False])
def test_place_reaches_97_percent_of_the_bound_and_95_with_wrong_estimates(name: str, largest: bool) -> None:
    chosen = shipped(name) if largest else without_largest(shipped(name))

    row = next(contest(chosen, EIGHT, seeds=3, losses=False))

    assert row.policy == "place"
    assert row.exact >= 0.97
    assert median(row.noisy) >= 0.95


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_builds_everything_and_none_beats_the_bound(policy: str) -> None:
    for chosen in (shipped("base"), layered(150, 6)):
        for losses in ((), (Loss(FIVE[0].name, 300.0, 2000.0), Loss(FIVE[4].name, 20.0, 30.0))):
            result = simulate(chosen, FIVE, POLICIES[policy](Limits()), error=0.35, seed=1, losses=losses)
            assert result.makespan >= bound(chosen, FIVE).lower * (1 - 1e-9)


def test_a_lost_build_is_begun_again_elsewhere_a_minute_later() -> None:
    one = instance("one", [Job("a", 1000.0, serial=0.0)], [])
    drones = fleet((10, 5))

    result = simulate(one, drones, POLICIES["place"](EXACT), losses=[Loss(drones[0].name, 50.0, 9000.0)])

    assert (result.makespan, result.repeated) == (50.0 + 60.0 + 200.0, 1)


def test_a_lost_drone_that_is_back_sooner_builds_nothing_twice_at_once() -> None:
    one = instance("one", [Job("a", 1000.0, serial=0.0)], [])
    drones = fleet((10,))

    result = simulate(one, drones, POLICIES["fifo"](EXACT), losses=[Loss(drones[0].name, 50.0, 55.0)])

    assert (result.makespan, result.repeated) == (50.0 + 60.0 + 100.0, 1)


def test_a_policy_that_is_asked_seldom_leaves_drones_idle_until_then() -> None:
    two = instance("two", [Job("a", 100.0, serial=0.0), Job("b", 100.0, serial=0.0)], [("a", "b")])

    asked = [simulate(two, fleet((10,)), POLICIES["fifo"](EXACT), tick=tick).makespan for tick in (0.0, 4.0, 25.0)]

    assert asked == [20.0, 20.0, 25.0 + 10.0]


def test_tables_have_a_line_for_each_policy_and_each_moment() -> None:
    small = layered(40, 4)

    text = contest_text(small, FIVE, bound(small, FIVE), list(contest(small, FIVE, seeds=2, losses=True)))
    moments = passes_text(list(passes(small, FIVE)))

    assert [line.split("  ")[0] for line in text.splitlines()[2:]] == list(POLICIES)
    assert "40 packages" in text
    assert [line.split()[0] for line in moments.splitlines()[2:]] == ["0%", "5%", "30%", "60%", "90%"]


PACKAGES = """Package: liba1
Source: a (1.0)
Installed-Size: 100

Package: a-tools
Source: a
Installed-Size: 20

Package: b
Installed-Size: 7
Provides: virtual-b (= 3), also-b
"""

SOURCES = """Package: a
Build-Depends: virtual-b (>= 2), gone, c-only [armhf], b <stage1>, a-tools
Checksums-Sha256:
 aaaa 1000 a.dsc
 bbbb 234 a.tar.xz

Package: b
Build-Depends-Arch: liba1 | other, b [!amd64] , a-tools:native <!nocheck>
Checksums-Sha256:
 cccc 5 b.dsc

Package: nowhere
"""


def test_debian_s_indices_are_read_by_source_with_the_first_of_alternatives() -> None:
    sources, origin = read(PACKAGES, SOURCES)

    assert set(sources) == {"a", "b"}
    assert (sources["a"].size, sources["a"].installed) == (1234, 120)
    assert sources["a"].needs == ("virtual-b", "gone", "a-tools")
    assert sources["b"].needs == ("liba1", "a-tools")
    assert (origin["liba1"], origin["virtual-b"], origin["also-b"]) == ("a", "b", "b")


@given(edges_strategy(KEYS, cyclic=True))
def test_cycles_are_cut_within_themselves_and_nowhere_else(edges: Edges) -> None:
    before = {key: {first for first, then in edges if then == key} for key in KEYS}
    graph = build(edges, KEYS)

    cut = acyclic(before)

    assert build([(first, then) for then, each in cut.items() for first in each], KEYS).cycles == ()
    for first, then in edges:
        assert first in cut[then] or graph.unit[first] == graph.unit[then]


def test_without_apt_there_are_no_graphs_and_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoIndex, match="apt-get cannot be started"):
        write(tmp_path, [10])


def test_a_graph_file_is_read_as_it_says(tmp_path: Path) -> None:
    file = tmp_path / "g.json"
    file.write_text(json.dumps({"x": [100, 4, []], "y": [1, 1, [0]], "z": [900, 9, [0, 1]]}))

    found: Instance = load(file, "three")

    assert found.graph.before == {"x": (), "y": ("x",), "z": ("x", "y")}
    works = {key: job.work for key, job in found.jobs.items()}
    assert works["y"] < works["x"] < works["z"]
    assert seconds_on(Drone("eight", 8), found.jobs["x"]) == pytest.approx(43.0)
    assert {job.serial for job in found.jobs.values()} == {0.1}

"""What comes before what: order, cycles as one unit, who is held when somebody fails."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.swarm.placing import graph as graphs
from reconciler.swarm.placing.graph import build, without_cycles
from tests.support.swarm import KEYS, Edges, edges_of, edges_strategy

GRAPHS = edges_strategy(KEYS, cyclic=True)


def reachable(edges: Edges) -> dict[str, set[str]]:
    """Warshall: from each key what can be reached by at least one edge."""
    reach = {a: {b for first, b in edges if first == a} for a in KEYS}
    for middle in KEYS:
        for key in KEYS:
            if middle in reach[key]:
                reach[key] = reach[key] | reach[middle]
    return reach


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("a>b>c", ["a", "b", "c"]),
        ("c>b>a", ["c", "b", "a"]),
        ("b>z a>z", ["a", "b", "z"]),
        ("z>a", ["m", "z", "a"]),  # m depends on nothing, and its name comes first
        ("a>b>a b>c", ["a", "c", "m"]),
        ("", ["m"]),
    ],
)
def test_what_is_depended_on_comes_first_and_names_decide_the_rest(text: str, order: list[str]) -> None:
    jobs = [key for key in order if key == "m"]

    assert list(build(edges_of(text), jobs).order) == order


@pytest.mark.parametrize(
    ("text", "cycles"),
    [
        ("a>b>c", []),
        ("a>a", [("a",)]),
        ("a>b>a", [("a", "b")]),
        ("a>b>c>a c>d>e>d", [("a", "b", "c"), ("d", "e")]),
        ("a>b>a b>c>b", [("a", "b", "c")]),
    ],
)
def test_a_cycle_is_reported_with_its_members_and_is_one_unit(text: str, cycles: list[tuple[str, ...]]) -> None:
    graph = build(edges_of(text))

    assert list(graph.cycles) == cycles
    for cycle in cycles:
        assert graph.members[cycle[0]] == cycle
        assert {graph.unit[job] for job in cycle} == {cycle[0]}


def test_what_waits_for_a_cycle_is_ready_only_when_all_of_it_is_done() -> None:
    graph = build(edges_of("a>b>a b>c"))

    assert graph.ready(set()) == ("a",)
    assert graph.ready({"a"}) == ("a",)
    assert graph.ready({"a", "b"}) == ("c",)
    assert graph.ready({"a", "b", "c"}) == ()


def test_a_failure_holds_what_depends_on_it_and_the_rest_of_its_cycle_and_nobody_else() -> None:
    graph = build(edges_of("a>b>c b>d x>d y>z p>q>p q>r"))

    assert graph.dependants(["b"]) == {"c", "d"}
    assert graph.dependants(["p"]) == {"q", "r"}
    assert graph.dependants(["c", "y"]) == {"z"}
    assert graph.dependants([]) == frozenset()


@given(GRAPHS)
def test_cycles_are_those_that_a_naive_search_finds(edges: Edges) -> None:
    reach = reachable(edges)
    naive = {tuple(sorted(b for b in KEYS if b in reach[a] and a in reach[b])) for a in KEYS if a in reach[a]}

    assert set(build(edges, KEYS).cycles) == naive


@given(GRAPHS)
def test_no_unit_comes_before_what_it_depends_on(edges: Edges) -> None:
    graph = build(edges, KEYS)
    place = {unit: number for number, unit in enumerate(graph.order)}

    assert sorted(job for unit in graph.order for job in graph.members[unit]) == sorted(KEYS)
    for first, then in edges:
        a, b = graph.unit[first], graph.unit[then]
        assert a == b or (place[a] < place[b] and b in graph.after[a] and a in graph.before[b])


@given(GRAPHS, st.randoms(use_true_random=False))
def test_the_graph_does_not_depend_on_the_order_of_the_input(edges: Edges, chance: random.Random) -> None:
    shuffled, keys = list(edges), list(KEYS)
    chance.shuffle(shuffled)
    chance.shuffle(keys)

    assert build(shuffled + shuffled[:3], keys) == build(edges, KEYS)


@given(GRAPHS)
def test_a_package_that_nobody_is_tied_to_moves_nobody(edges: Edges) -> None:
    order = build(edges, KEYS).order

    assert tuple(unit for unit in build(edges, [*KEYS, "j10a"]).order if unit != "j10a") == order


@given(GRAPHS, st.sets(st.sampled_from(KEYS), max_size=3))
def test_held_is_what_a_naive_search_reaches(edges: Edges, failed: set[str]) -> None:
    reach = reachable(edges)

    assert build(edges, KEYS).dependants(failed) == {key for job in failed for key in reach[job]} - failed


@given(GRAPHS, st.sets(st.sampled_from(KEYS), max_size=3))
def test_needed_is_what_a_naive_search_comes_from(edges: Edges, jobs: set[str]) -> None:
    reach = reachable(edges)

    assert build(edges, KEYS).needs(jobs) == {key for key in KEYS if reach[key] & jobs} | jobs


@given(GRAPHS, GRAPHS)
def test_edges_that_come_late_are_all_taken_but_those_that_close_a_cycle(edges: Edges, late: Edges) -> None:
    taken, reach = list(edges), reachable(edges)
    for first, then in dict.fromkeys(late):
        if (first, then) not in taken and first != then and first not in reach[then]:
            taken.append((first, then))
            reach = reachable(taken)

    assert list(without_cycles(edges, late)) == taken[len(edges) :]
    assert build(taken, KEYS).cycles == build(edges, KEYS).cycles


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_search_that_takes_too_long_leaves_edges_out_and_closes_no_cycle(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "_STEPS", steps)
    edges, late = edges_of("a>b>c x>y"), edges_of("c>a b>a c>x")

    assert without_cycles(edges, late) == (("c", "x"),)


@given(GRAPHS, st.sets(st.sampled_from(KEYS)))
def test_ready_is_what_is_not_done_and_waits_for_nothing_undone(edges: Edges, done: set[str]) -> None:
    """Half a cycle is as good as nothing of it."""
    graph = build(edges, KEYS)
    finished = {unit for unit in graph.order if done.issuperset(graph.members[unit])}
    units = [(graph.unit[first], graph.unit[then]) for first, then in edges]
    waiting = {then for first, then in units if first != then and first not in finished}
    expected = [unit for unit in graph.order if unit not in finished | waiting]

    assert list(graph.ready(done)) == expected


@pytest.mark.parametrize("closed", [False, True])
def test_twenty_thousand_in_a_row_need_no_recursion(closed: bool) -> None:
    keys = [f"{number:05}" for number in range(20_000)]
    edges = list(pairwise(keys)) + [(keys[-1], keys[0])] * closed

    graph = build(edges)

    assert list(graph.order) == (["00000"] if closed else keys)
    assert graph.cycles == ((tuple(keys),) if closed else ())
    assert len(graph.dependants([keys[0]])) == 19_999


def test_what_hangs_on_each_of_twenty_thousand_is_told_once() -> None:
    keys = [f"{number:05}" for number in range(20_000)]
    graph, passed = build(pairwise(keys)), set[str]()

    assert [len(graph.dependants([key], passed)) for key in keys] == [19_999, *[0] * 19_999]

"""Which containers come up together, and what each level waits for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.order import awaited, levels
from reconciler.model.observed import Slot
from tests.support.planning import wish

CHAIN = """
services:
  web: {image: box, depends_on: {api: {condition: service_healthy}}}
  api: {image: box, depends_on: {db: {condition: service_started}, schema: {condition: service_completed_successfully}}}
  schema: {image: box, depends_on: [db]}
  db: {image: box}
  side: {image: box, network_mode: 'service:web'}
"""


def names(found: list[list[Slot]]) -> list[list[str]]:
    return [[slot.service for slot in level] for level in found]


def test_levels_follow_dependencies_and_namespaces() -> None:
    wants = wish(CHAIN).wants

    assert names(levels(wants, wants)) == [["db"], ["schema"], ["api"], ["web"], ["side"]]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (["web", "db"], [["db"], ["web"]]),
        (["schema", "side"], [["schema"], ["side"]]),
        (["web"], [["web"]]),
        ([], []),
    ],
)
def test_an_unchanged_service_between_two_keeps_their_order(chosen: list[str], expected: list[list[str]]) -> None:
    wants = wish(CHAIN).wants

    assert names(levels([Slot("app", name) for name in chosen], wants)) == expected


def test_all_replicas_are_waited_for_and_stacks_are_apart() -> None:
    text = """
services:
  web: {image: box, depends_on: {db: {condition: service_healthy}}}
  db: {image: box, deploy: {replicas: 2}}
"""
    wants = wish({"a": text, "b": text}).wants

    assert levels(wants, wants)[0] == [Slot("a", "db"), Slot("a", "db", 2), Slot("b", "db"), Slot("b", "db", 2)]
    assert awaited([Slot("a", "web")], wants) == {
        Slot("a", "db"): {"service_healthy"},
        Slot("a", "db", 2): {"service_healthy"},
    }


def test_several_conditions_on_one_service_are_all_kept() -> None:
    wants = wish(CHAIN).wants

    asked = awaited([Slot("app", "api"), Slot("app", "schema")], wants)

    assert asked == {Slot("app", "db"): {"service_started"}, Slot("app", "schema"): {"service_completed_successfully"}}


@given(st.lists(st.lists(st.integers(0, 6), max_size=3), min_size=1, max_size=7), st.sets(st.integers(0, 6)))
def test_nobody_comes_before_what_it_depends_on(edges: list[list[int]], chosen: set[int]) -> None:
    lines = [
        f"  s{i}: {{image: box, depends_on: [{', '.join(f's{d}' for d in sorted({d for d in below if d < i}))}]}}"
        for i, below in enumerate(edges)
    ]
    wants = wish("services:\n" + "\n".join(lines) + "\n").wants
    slots = [slot for slot in wants if int(slot.service[1:]) in chosen]

    found = levels(slots, wants)

    place = {slot: number for number, level in enumerate(found) for slot in level}
    assert sorted(place) == sorted(slots)
    for slot in slots:
        for dependency in wants[slot].service.depends_on:
            target = Slot("app", dependency.service)
            assert target not in place or place[target] < place[slot]

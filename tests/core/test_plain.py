"""Nouns go through JSON and come back as they were; what is none is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.plain import from_json, to_json
from reconciler.model.package import Package
from reconciler.model.queue import Attempt, Known, Stored
from reconciler.model.swarm import Artifact, Beat, Build, Event, Offer, Outcome, Request


@pytest.mark.parametrize("kind", [Offer, Outcome, Beat, Build, Request, Attempt, Known, Stored, Artifact, Package])
@settings(max_examples=25)
@given(data=st.data())
def test_a_noun_comes_back_as_it_was(kind: type, data: st.DataObject) -> None:
    st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
    value = data.draw(st.from_type(kind))
    assert from_json(kind, to_json(value)) == value


def test_the_data_of_an_event_may_be_whatever_json_can_carry() -> None:
    event = Event("queue_update", 1.0, {"a": [1, 2.5, None, True, "ä"], "b": {"c": []}})
    assert from_json(Event, to_json(event)) == event


def test_what_is_missing_has_its_default_and_what_is_unknown_is_let_go() -> None:
    text = json.dumps({"category": "a", "name": "b", "version": "1", "later": [1]})
    assert from_json(Package, text) == Package("a", "b", "1")


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "3", "null", '"a"', "{}",
        '{"build": 1, "attempt": 1, "drone": "d", "result": "succeeded", "seconds": 1}',
        '{"build": "b", "attempt": "1", "drone": "d", "result": "succeeded", "seconds": 1}',
        '{"build": "b", "attempt": true, "drone": "d", "result": "succeeded", "seconds": 1}',
        '{"build": "b", "attempt": 1, "drone": "d", "result": "exploded", "seconds": 1}',
        '{"build": "b", "attempt": 1, "drone": "d", "result": "succeeded", "seconds": NaN}',
        '{"build": "b", "attempt": 1, "drone": "d", "result": "succeeded", "seconds": 1, "artifacts": {}}',
        '{"build": "b", "attempt": 1, "drone": "d", "result": "succeeded", "seconds": 1, "artifacts": [3]}',
    ],
)  # fmt: skip
def test_what_is_none_of_that_kind_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(Outcome, text)

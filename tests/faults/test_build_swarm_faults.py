"""An orchestrator or a binhost that hangs, refuses, lies or is cut off: an error of ours, in time, no half truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from reconciler.adapters.swarm.build_swarm import HttpBuildSwarm
from reconciler.errors import ReconcilerError, Terminal, Transient, Unreachable
from reconciler.model.sets import Submission
from tests.support.faulty import Fault, Way, way_to

DEADLINE = 0.5
TOKEN = "a token that nobody guesses"
WISH = Submission("desk", "p", ("app-misc/foo",), {}, "key", "ana")
INDEX = (
    "PACKAGES: 2\nTIMESTAMP: 1\nVERSION: 0\n\nCPV: a/b-1\nIUSE: x\nSLOT: 0\nUSE: x\n\nCPV: a/c-1\nIUSE: x\nUSE: x\n\n"
)

QUESTIONS: dict[str, Callable[[HttpBuildSwarm], object]] = {
    "stored": lambda swarm: swarm.stored("", "p"),
    "requests": lambda swarm: swarm.requests("set:desk"),
    "request": lambda swarm: swarm.request("r1"),
    "submit": lambda swarm: swarm.submit(WISH),
}


@pytest.fixture
def way() -> Iterator[Way]:
    with way_to("http://127.0.0.1:9") as way:
        yield way


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("fault", ["hang", "drip", "500", "503", "garbage"])
def test_trouble_is_an_error_of_ours_in_time(way: Way, fault: Fault, question: str) -> None:
    way.breaks(fault)
    began = time.monotonic()

    with pytest.raises(ReconcilerError) as caught:
        QUESTIONS[question](HttpBuildSwarm(way.url, TOKEN, DEADLINE))

    assert time.monotonic() - began < DEADLINE + 5
    assert caught.value.code.startswith(("E-ORCHESTRATOR-", "E-BINHOST-"))
    assert caught.value.next
    assert TOKEN not in f"{caught.value.what} {caught.value.why}"
    assert isinstance(caught.value, Unreachable) == (fault in ("hang", "drip"))


def test_nobody_there_is_told_at_once() -> None:
    for ask in QUESTIONS.values():
        with pytest.raises(Unreachable):
            ask(HttpBuildSwarm("http://127.0.0.1:9", TOKEN, DEADLINE))


# ---- what is no answer


@pytest.mark.parametrize("question", ["requests", "request"])
@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {},
        {"requests": None, "request": None},
        {"requests": [{}], "request": {}},
        {"requests": [{"id": 1}], "request": {"id": 1}, "builds": [{}]},
        {"requests": "abc", "request": "abc", "builds": 7, "accepted": 1},
    ],
)
def test_an_answer_of_another_shape_is_none(way: Way, data: object, question: str) -> None:
    envelope = {"schema": "reconciler/v1", "ok": True, "data": data, "error": None}
    for body in (envelope, data, {"ok": True}, {**envelope, "ok": False}):
        way.canned = 200, json.dumps(body).encode(), {}
        with pytest.raises((Transient, Terminal)) as caught:
            QUESTIONS[question](HttpBuildSwarm(way.url, TOKEN, DEADLINE))
        assert caught.value.code == "E-ORCHESTRATOR-STRANGE"


def test_an_answer_that_is_nested_too_deep_is_none(way: Way) -> None:
    way.canned = 200, b'{"ok":true,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}

    with pytest.raises(ReconcilerError) as caught:
        QUESTIONS["requests"](HttpBuildSwarm(way.url, TOKEN, DEADLINE + 5))
    assert caught.value.code == "E-ORCHESTRATOR-STRANGE"


# ---- half an index


def test_a_whole_index_is_read_and_a_missing_one_is_empty(way: Way) -> None:
    way.canned = 200, INDEX.encode(), {}
    found = HttpBuildSwarm(way.url, TOKEN, DEADLINE).stored("", "p")
    assert [(each.package.cpv, each.package.use) for each in found] == [("a/b-1", ("x",)), ("a/c-1", ("x",))]
    way.canned = 404, b"", {}
    assert HttpBuildSwarm(way.url, TOKEN, DEADLINE).stored("", "p") == ()


@pytest.mark.parametrize("end", range(0, len(INDEX), 7))
def test_half_an_index_counts_for_none(way: Way, end: int) -> None:
    """Wherever it was cut: what it does not list would be built again, and so would what lost its flags."""
    way.canned = 200, INDEX[:end].encode(), {"Content-Length": str(len(INDEX))}

    with pytest.raises(Transient) as caught:
        HttpBuildSwarm(way.url, TOKEN, DEADLINE).stored("", "p")
    assert caught.value.code == "E-BINHOST-INDEX"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html></html>", b"PACKAGES: 3\n\nCPV: a/b-1\n", b"CPV: a/b-1\n"])
def test_something_else_is_no_index(way: Way, body: bytes) -> None:
    way.canned = 200, body, {}

    with pytest.raises(Transient) as caught:
        HttpBuildSwarm(way.url, TOKEN, DEADLINE).stored("", "p")
    assert caught.value.code == "E-BINHOST-INDEX"


# ---- the token


def test_the_token_goes_to_the_orchestrator_and_to_nobody_else(way: Way) -> None:
    swarm = HttpBuildSwarm(way.url, TOKEN, DEADLINE)
    way.canned = 307, b"", {"Location": "http://127.0.0.1:9/elsewhere"}
    for question in ("requests", "submit"):
        with pytest.raises(ReconcilerError):
            QUESTIONS[question](swarm)
    with pytest.raises(ReconcilerError):
        swarm.stored(f"{way.url}/named-by-git", "p")
    with pytest.raises(ReconcilerError):
        swarm.stored("", "p")

    shown = [headers.get("authorization", "") for _, headers in way.asked]
    assert shown == [f"Bearer {TOKEN}", f"Bearer {TOKEN}", "", ""]

"""GET /api/events: in order, resumed where it broke, and bounded whoever listens."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.swarm.orchestrator_http import OrchestratorHttp
from reconciler.web.orchestrator.events import CLIENTS
from tests.support.serving import Orchestrator, eventually, listing, orchestrator_at


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path_factory.mktemp("swarm")) as made:
        yield made


class Stream:
    """One client; `raw` reads as it comes."""

    def __init__(self, swarm: Orchestrator, query: str = "", **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", swarm.port, timeout=20)
        self.connection.request("GET", f"/api/events{query}", headers=headers)
        self.answer = self.connection.getresponse()

    def line(self) -> str:
        return self.answer.readline().decode().rstrip("\n")

    def event(self) -> tuple[int, str, Any]:
        """The next one: its id, its kind and its data."""
        fields: dict[str, str] = {}
        while True:
            line = self.line()
            assert not line.startswith(":"), "nothing came"
            if not line and "data" in fields:
                return int(fields["id"]), fields["event"], json.loads(fields["data"])
            name, _, value = line.partition(": ")
            fields[name] = value

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@contextmanager
def listening(swarm: Orchestrator, query: str = "", **headers: str) -> Iterator[Stream]:
    stream = Stream(swarm, query, **headers)
    try:
        yield stream
    finally:
        stream.close()


def test_what_happens_comes_as_it_happens_and_once(swarm: Orchestrator) -> None:
    with listening(swarm) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert (stream.line(), stream.line()) == ("retry: 3000", "")
        told = swarm.submit(listing("app-misc/heard-1"), profile="heard")

        seq, kind, data = stream.event()

    assert kind == "queue_update"
    assert data["builds"][0]["build"] == told["accepted"][0]["build"]
    assert data["at"] > 0
    assert seq > 0


def test_a_client_that_comes_back_gets_what_it_missed_and_nothing_twice(swarm: Orchestrator) -> None:
    with listening(swarm) as stream:
        stream.line()
        swarm.submit(listing("app-misc/before-1"), profile="missed")
        last, _, _ = stream.event()
    missed = [f"app-misc/missed-{number}" for number in range(5)]
    for package in missed:
        swarm.submit(listing(package), profile="missed")

    with listening(swarm, **{"Last-Event-ID": str(last)}) as stream:
        events = [stream.event() for _ in missed]
    with listening(swarm, f"?after={last}") as stream:
        again = [stream.event() for _ in missed]

    assert [data["builds"][0]["package"] for _, _, data in events] == missed
    assert [seq for seq, _, _ in events] == sorted({seq for seq, _, _ in events})
    assert min(seq for seq, _, _ in events) > last
    assert again == events


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30, "٣", "99999999999999999999", ""])
def test_a_last_event_that_is_none_is_refused(last: str, swarm: Orchestrator) -> None:
    answer = swarm.get("/api/events", **{"Last-Event-ID": last.encode().decode("latin-1")})

    assert (answer.status, answer.code) == (422, "E-HTTP-INPUT")


def test_a_number_of_an_engine_that_is_gone_is_as_good_as_none(swarm: Orchestrator) -> None:
    with listening(swarm, "?after=900000000") as stream:
        told = swarm.submit(listing("app-misc/anew-1"), profile="anew")

        assert stream.event()[2]["builds"][0]["build"] == told["accepted"][0]["build"]


def test_there_is_a_bound_and_whoever_leaves_makes_room(tmp_path: Path) -> None:
    with orchestrator_at(tmp_path) as swarm:
        streams = [Stream(swarm) for _ in range(CLIENTS)]
        assert {stream.answer.status for stream in streams} == {200}

        refused = swarm.get("/api/events")

        assert (refused.status, refused.code) == (503, "E-HTTP-STREAMS")
        assert swarm.get("/api/status").status == 200, "everything else goes on"
        told = swarm.submit(listing("app-misc/all-1"))
        for stream in streams:
            stream.line(), stream.line()
            assert stream.event()[2]["builds"][0]["build"] == told["accepted"][0]["build"]
        for stream in streams:
            stream.close()

        def room() -> bool:
            with listening(swarm) as stream:
                return stream.answer.status == 200

        eventually(room, "there is room again")
        assert swarm.stop() == 0, "open streams do not hold it"


def test_our_own_client_follows_over_a_restart(tmp_path: Path) -> None:
    with orchestrator_at(tmp_path) as swarm:
        events = OrchestratorHttp(swarm.url, "", 30, "tester").events()
        assert next(events) is None, "the stream has begun"
        first = swarm.submit(listing("app-misc/one-1"))
        seen = [next(each for each in events if each)]
        assert swarm.stop() == 0
        swarm.start()
        second = swarm.submit(listing("app-misc/two-1"))
        seen += [next(each for each in events if each and each.kind == "queue_update")]
        events.close()  # type: ignore[attr-defined]

    assert [each.data["builds"][0]["build"] for each in seen] == [
        told["accepted"][0]["build"] for told in (first, second)
    ]
    assert seen[0].seq < seen[1].seq

"""The orchestrator's API as programs use it: a real process, a real store and engine, real drones' links."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import Orchestrator, eventually, listing, orchestrator_at

TOKEN = "a token that nobody guesses"


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    """One for all tests of this file: each has packages of its own name, and of its own profile."""
    with orchestrator_at(tmp_path_factory.mktemp("swarm"), TOKEN) as made:
        yield made


def pending(swarm: Orchestrator, profile: str) -> list[Any]:
    return [entry for entry in swarm.get("/api/queue").data["entries"] if entry["build"]["profile"] == profile]


def state(swarm: Orchestrator, build: str) -> str:
    return str(swarm.get(f"/api/builds/{build}").data["build"]["state"])


# ---- submissions


def test_a_listing_is_accepted_with_its_order_and_each_package_has_its_reason(swarm: Orchestrator) -> None:
    text = listing("app-misc/top-1.0", " dev-libs/below-2.1-r1", "app-misc/alone-3")

    answer = swarm.ask("POST", "/api/queue", {"text": text, "profile": "one", "actor": "ana"})

    assert answer.status == 202
    told = answer.data
    assert [each["what"] for each in told["accepted"]] == [
        "app-misc/top-1.0",
        "dev-libs/below-2.1-r1",
        "app-misc/alone-3",
    ]
    assert all(each["reason"] and each["build"] for each in told["accepted"])
    assert (told["deduplicated"], told["refused"], told["repeated"]) == ([], [], False)
    assert (told["request"]["actor"], told["request"]["origin"], told["request"]["state"]) == (
        "ana",
        "emerge",
        "building",
    )
    top, below = (each["build"] for each in told["accepted"][:2])
    assert swarm.get(f"/api/builds/{top}").data["needs"] == [below]
    assert swarm.get(f"/api/builds/{below}").data["needed_by"] == [top]
    assert {entry["build"]["title"] for entry in pending(swarm, "one")} == {
        "app-misc/top-1.0", "dev-libs/below-2.1-r1", "app-misc/alone-3"
    }  # fmt: skip
    assert swarm.get(f"/api/requests/{told['request']['id']}").data["request"] == told["request"]


def test_what_is_queued_already_is_deduplicated_and_what_is_not_understood_is_refused_by_its_line(
    swarm: Orchestrator,
) -> None:
    swarm.submit(listing("app-misc/twice-1"), profile="two")

    told = swarm.submit(listing("app-misc/twice-1", "app-misc/new-1") + "[ebuild  N  nonsense\n", profile="two")

    assert [each["what"] for each in told["accepted"]] == ["app-misc/new-1"]
    assert [each["what"] for each in told["deduplicated"]] == ["app-misc/twice-1"]
    assert [each["line"] for each in told["refused"]] == [5]
    assert told["deduplicated"][0]["reason"]
    assert len(pending(swarm, "two")) == 2


@pytest.mark.parametrize("where", ["header", "body"])
def test_the_same_key_again_builds_nothing_twice(where: str, swarm: Orchestrator) -> None:
    profile, key = f"key-{where}", f"key of {where}".replace(" ", "-")
    body = {"text": listing(f"app-misc/keyed-{len(where)}"), "profile": profile}
    headers = {"Idempotency-Key": key} if where == "header" else {}
    body |= {"key": key} if where == "body" else {}

    first, again = (swarm.ask("POST", "/api/queue", body, headers) for _ in range(2))

    assert (first.status, again.status) == (202, 200)
    assert again.data["repeated"]
    assert again.data["request"]["id"] == first.data["request"]["id"]
    assert again.data["accepted"] == first.data["accepted"]
    assert len(pending(swarm, profile)) == 1
    other = swarm.ask("POST", "/api/queue", {**body, "text": listing("app-misc/other-1")}, headers)
    assert (other.status, other.code) == (409, "E-SWARM-KEY")
    if where == "body":
        both = swarm.ask("POST", "/api/queue", body, {"Idempotency-Key": "another"})
        assert (both.status, both.code) == (422, "E-HTTP-INPUT")


def test_atoms_and_a_set_are_asked_of_a_drone_first(swarm: Orchestrator) -> None:
    drone = swarm.drone("asked", profile="sets")
    wanted = {"atoms": ["app-misc/foo", ">=dev-libs/bar-2:0"], "set": "tools", "profile": "sets"}

    told = swarm.ask("POST", "/api/queue", {**wanted, "use": {"app-misc/foo": ["nls", "-doc"]}}).data

    assert (told["request"]["state"], told["request"]["origin"]) == ("resolving", "set:tools")
    assert (told["accepted"], told["refused"]) == ([], [])
    offer = drone.take()
    assert (offer.kind, offer.atoms) == ("resolve", ("app-misc/foo", ">=dev-libs/bar-2:0"))
    assert dict(offer.use) == {"app-misc/foo": ("nls", "-doc")}
    drone.finish(offer, "succeeded", text=listing("app-misc/foo-1", " dev-libs/bar-2"))
    request = f"/api/requests/{told['request']['id']}"
    eventually(lambda: swarm.get(request).data["request"]["state"] == "building", "the answer of the drone is read")
    resolved = swarm.get(request).data
    assert [each["what"] for each in resolved["accepted"]] == ["app-misc/foo-1", "dev-libs/bar-2"]
    offer = drone.take()
    assert offer.atoms == ("=dev-libs/bar-2::gentoo",)
    drone.finish(offer, "returned", reason="not now")
    swarm.ask("DELETE", f"/api/queue/{told['request']['id']}")


def test_a_list_may_be_the_body_itself(swarm: Orchestrator) -> None:
    answer = swarm.ask("POST", "/api/queue?profile=plain&set=mine", listing("app-misc/plain-1"))

    assert answer.status == 202
    assert (answer.data["request"]["profile"], answer.data["request"]["origin"]) == ("plain", "set:mine")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"\xff\xfe not utf-8", {"Content-Type": "text/plain"}, 422, "E-HTTP-INPUT"),
        (b'{"text": "\xff"}', {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (rb'{"text": "\ud800"}', {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b'{"text": "x"', {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b"1" * 100_000, {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b"null", {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b"", {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b"{}", {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b'{"text": "a/b", "atoms": ["a/b"]}', {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b'{"text": "a/b", "atom": []}', {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b'{"atoms": ["a/b\\nc/d"]}', {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b'{"atoms": ["a/b"], "profile": "../x"}', {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b'{"atoms": ["a/b"], "key": "a b"}', {"Content-Type": "application/json"}, 422, "E-HTTP-INPUT"),
        (b'{"text": "no list of anything"}', {"Content-Type": "application/json"}, 422, "E-PACKAGES"),
        (b"a/b", {"Content-Type": "application/octet-stream"}, 415, "E-HTTP-TYPE"),
        (b"a/b", {}, 415, "E-HTTP-TYPE"),
    ],
)
def test_a_body_that_is_none_is_refused_with_its_reason_and_not_repeated(
    body: bytes, headers: dict[str, str], status: int, code: str, swarm: Orchestrator
) -> None:
    answer = swarm.ask("POST", "/api/queue", body, headers)

    assert (answer.status, answer.code) == (status, code)
    assert answer.error["why"] and answer.error["next"]
    assert len(answer.body) < 2000


def test_a_request_or_a_build_is_cancelled_and_bumped(swarm: Orchestrator) -> None:
    told = swarm.submit(listing("app-misc/first-1", "app-misc/second-1", "app-misc/third-1"), profile="orders")
    first, second, third = (each["build"] for each in told["accepted"])

    assert swarm.ask("POST", f"/api/queue/{third}/bump").data["builds"] == [third]
    assert pending(swarm, "orders")[0]["build"]["id"] == third
    assert swarm.ask("DELETE", f"/api/queue/{second}", headers={"X-Reconciler-Actor": "ana"}).data["builds"] == [second]
    shown = swarm.get(f"/api/builds/{second}").data["build"]
    assert (shown["state"], shown["reason"]) == ("cancelled", "cancelled by ana")
    again = swarm.ask("DELETE", f"/api/queue/{second}")
    assert (again.status, again.code) == (409, "E-SWARM-ENDED")
    rest = swarm.ask("DELETE", f"/api/queue/{told['request']['id']}").data["builds"]
    assert set(rest) == {first, third}
    assert pending(swarm, "orders") == []


@pytest.mark.parametrize("id", ["none", "%00", "%ff", "..%2f..", "x" * 150, "💥".encode().hex(), "1e999"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/builds/{}"),
        ("GET", "/api/builds/{}/log"),
        ("GET", "/api/requests/{}"),
        ("GET", "/api/drones/{}"),
        ("DELETE", "/api/queue/{}"),
        ("POST", "/api/queue/{}/bump"),
        ("POST", "/api/drones/{}/drain"),
        ("POST", "/api/drones/{}/undrain"),
        ("POST", "/api/drones/{}/restart"),
        ("DELETE", "/api/drones/{}"),
    ],
)
def test_what_nobody_knows_is_404(method: str, path: str, id: str, swarm: Orchestrator) -> None:
    answer = swarm.ask(method, path.format(id))

    assert (answer.status, answer.code) == (404, "E-HTTP-MISSING")


# ---- who may


WRITES = (
    ("POST", "/api/queue"),
    ("DELETE", "/api/queue/x"),
    ("POST", "/api/queue/x/bump"),
    ("POST", "/api/drones/x/drain"),
    ("POST", "/api/drones/x/undrain"),
    ("POST", "/api/drones/x/restart"),
    ("POST", "/api/drones/x/enroll"),
    ("DELETE", "/api/drones/x"),
)


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("shown", [None, "Bearer wrong", "Bearer", f"Basic {TOKEN}", f"bearer  {TOKEN}x", "\xff"])
def test_whoever_changes_something_shows_the_token(
    method: str, path: str, shown: str | None, swarm: Orchestrator
) -> None:
    headers = {"Authorization": shown if shown is not None else ""}

    answer = swarm.ask(method, path, b"\xff" * 100, headers)

    assert (answer.status, answer.code) == (401, "E-HTTP-TOKEN")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in answer.body.decode()


def test_every_route_that_changes_something_is_among_them(swarm: Orchestrator) -> None:
    import json

    paths = json.loads(swarm.get("/openapi.json").body)["paths"]
    changing = {
        (method.upper(), path.replace("{id}", "x"))
        for path, operations in paths.items()
        for method in operations
        if method not in ("get", "head")
    }
    by_drones = {("POST", "/api/builds/x/log"), ("PUT", "/binhost/{profile}/{path}")}

    assert changing == set(WRITES) | by_drones


def test_without_a_token_pages_of_others_and_other_names_may_change_nothing(tmp_path: Path) -> None:
    with orchestrator_at(tmp_path) as open_one:
        here = f"127.0.0.1:{open_one.port}"
        cases: tuple[tuple[dict[str, str], int], ...] = (
            ({}, 202),
            ({"Origin": f"http://{here}"}, 202),
            ({"Origin": "https://elsewhere.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Host": "rebound.example"}, 403),
            ({"Host": f"localhost:{open_one.port}"}, 202),
            ({"Host": "[::1]"}, 202),
            ({"Host": ""}, 403),
        )
        for number, (headers, status) in enumerate(cases):
            text = listing(f"app-misc/open-{number}").encode()
            answer = open_one.ask("POST", "/api/queue", text, {"Content-Type": "text/plain", **headers})
            assert answer.status == status, headers
            if status == 403:
                assert answer.code == "E-HTTP-ORIGIN"


# ---- drones


def test_a_drone_is_enrolled_drained_restarted_and_revoked(swarm: Orchestrator) -> None:
    drone = swarm.drone("izar", profile="fleet")
    told = swarm.submit(listing("app-misc/held-1"), profile="fleet")
    build = told["accepted"][0]["build"]
    offer = drone.take()
    eventually(lambda: swarm.get("/api/drones/izar").data["state"] == "building", "it is known to build")

    shown = swarm.get("/api/drones/izar").data
    assert (shown["package"], shown["phase"], shown["cores"]) == ("app-misc/held-1::gentoo", "compile", 4)
    assert [each["id"] for each in shown["holds"]] == [build]
    assert "izar" in [each["name"] for each in swarm.get("/api/drones").data]
    assert swarm.ask("POST", "/api/drones/izar/drain").data["drained"] is True
    assert swarm.ask("POST", "/api/drones/izar/undrain").data["drained"] is False
    assert swarm.ask("POST", "/api/drones/izar/drain").data["drained"] is True
    assert swarm.ask("POST", "/api/drones/izar/restart").data["holds"] == []
    assert not drone.link.working(offer), "it hears that its build was taken away"
    queued = swarm.get(f"/api/builds/{build}").data
    assert (queued["build"]["state"], queued["build"]["failures"]) == ("queued", [])
    assert "restarted" in queued["build"]["reason"]

    renewed = swarm.ask("POST", "/api/drones/izar/enroll").data["credential"]
    assert renewed != drone.credential
    assert drone.put(offer, "app-misc/held/held-1-1.gpkg.tar", b"x").code == "E-HTTP-TOKEN", "the old one is void"
    assert swarm.ask("DELETE", "/api/drones/izar").status == 200
    assert swarm.get("/api/drones/izar").status == 404


@pytest.mark.parametrize("name", ["-x", ".x", "a%20b", "%00", "a" * 101])
def test_a_drone_is_called_by_a_name(name: str, swarm: Orchestrator) -> None:
    assert swarm.ask("POST", f"/api/drones/{name}/enroll").status == 422


# ---- builds


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        ({"atoms": ["a/b"], "profile": "a b"}, {}, "profile: it is no name: letters, digits and + _ . -"),
        ({"atoms": ["a/b"], "set": "../x"}, {}, "set: it is no name: "),
        ({"atoms": ["a/b"], "key": "a b"}, {}, "key: it is no key: "),
        ({"atoms": ["a/b"]}, {"Idempotency-Key": "a b"}, "header.Idempotency-Key: it is no key: "),
        ({"atoms": [""]}, {}, "atoms.0: it is no line of text: "),
    ],
    ids=["profile", "set", "key", "header", "line"],
)
def test_what_a_text_may_have_is_said_in_words(
    body: dict[str, Any], headers: dict[str, str], says: str, swarm: Orchestrator
) -> None:
    why = swarm.ask("POST", "/api/queue", body, headers).error["why"]

    assert why.startswith(says)
    assert "pattern" not in why and "^" not in why


def test_builds_come_in_pages_and_by_what_is_asked_for(swarm: Orchestrator) -> None:
    names = [f"app-misc/page-{number}" for number in range(7)]
    swarm.submit(listing(*names), profile="pages")
    seen: list[str] = []
    after = ""
    while True:
        page = swarm.get(f"/api/builds?profile=pages&limit=3&after={after}").data
        seen += [build["title"] for build in page["builds"]]
        assert page["total"] == 7
        if not (after := page["next"]):
            break

    assert sorted(seen) == sorted(names)
    assert len(swarm.get("/api/builds").data["builds"]) <= 100
    assert swarm.get("/api/builds?profile=pages&state=failed").data["builds"] == []
    assert swarm.get("/api/builds?profile=pages&state=failed&state=queued").data["total"] == 7
    assert swarm.get("/api/builds?package=app-misc/page&limit=1").data["total"] == 7


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", f"limit={'9' * 5000}", "after=nonsense", "after=%00", "state=done", "since=nan",
     "since=inf", "since=1e999", "until=x", f"drone={'x' * 300}"],
)  # fmt: skip
def test_a_page_that_there_is_not_is_refused(query: str, swarm: Orchestrator) -> None:
    answer = swarm.get(f"/api/builds?{query}")

    assert (answer.status, answer.code) == (422, "E-HTTP-INPUT")


def test_a_build_tells_its_tries_and_the_end_of_its_log(swarm: Orchestrator) -> None:
    drone = swarm.drone("tries", profile="tries")
    told = swarm.submit(listing("app-misc/tried-1"), profile="tries")
    build = told["accepted"][0]["build"]

    offer = drone.take()
    drone.finish(offer, "failed", reason="no compiler", log="the last\nlines\n")
    eventually(lambda: swarm.get(f"/api/builds/{build}").data["build"]["failures"], "the outcome is heard")

    shown = swarm.get(f"/api/builds/{build}").data
    assert shown["build"]["failures"] == ["tries"]
    first = shown["attempts"][0]
    assert (first["attempt"], first["result"], first["reason"]) == (1, "failed", "no compiler")
    assert shown["attempts"][0]["log"] == "the last\nlines\n"


# ---- logs


def test_a_log_is_followed_while_it_is_written(swarm: Orchestrator) -> None:
    drone = swarm.drone("writes", profile="logs")
    told = swarm.submit(listing("app-misc/logged-1"), profile="logs")
    build = told["accepted"][0]["build"]
    assert swarm.get(f"/api/builds/{build}/log").data["text"] == ""
    offer = drone.take()

    assert drone.wrote(offer, 0, "grüße\n".encode()[:3]).data == {"end": 3}
    begun = swarm.get(f"/api/builds/{build}/log").data
    assert (begun["text"], begun["next"], begun["ended"], begun["attempt"]) == ("gr", 2, False, 1)
    assert drone.wrote(offer, 3, "grüße\n".encode()[3:]).data == {"end": 8}
    assert drone.wrote(offer, 0, b"gr").data == {"end": 8}, "what is there already changes nothing"
    assert drone.wrote(offer, 100, b"beyond").data == {"end": 8}, "a gap is not filled"
    rest = swarm.get(f"/api/builds/{build}/log?after=2&attempt=1").data
    assert (rest["text"], rest["next"], rest["ended"]) == ("üße\n", 8, False)
    assert swarm.get(f"/api/builds/{build}").data["log"] == "grüße\n"
    drone.build(offer)
    eventually(lambda: state(swarm, build) == "succeeded", "it is built")
    end = swarm.get(f"/api/builds/{build}/log?after=8").data
    assert (end["text"], end["next"], end["ended"]) == ("", 8, True)
    assert drone.wrote(offer, 8, b"late").code == "E-SWARM-LEASE"
    assert swarm.get(f"/api/builds/{build}/log?attempt=7").status == 404


def test_a_profile_may_be_called_what_the_manual_says(swarm: Orchestrator) -> None:
    """Letters, digits and + _ . -"""
    assert swarm.submit(listing("app-misc/named-1"), profile="amd64+v3_a.b-c")["accepted"]
    assert swarm.get("/api/packages?profile=amd64%2Bv3_a.b-c").status == 200
    assert swarm.ask("POST", "/api/drones/a+b_c.d-e/enroll").status == 201


@pytest.mark.parametrize(
    ("pushed", "log", "shown"),
    [
        (b"one\ntwo\n", "one\ntwo\nthree\n", "one\ntwo\nthree\n"),
        (b"one\r\ntwo\r\n", "one\ntwo\nthree\n", "one\r\ntwo\r\nthree\n"),
        (b"one\n", "nine\n", "one\n\n[what was written here did not come; the end of it did]\nnine\n"),
        (b"one\ntwo \xc3", "two \xc3\xa9\n".encode("latin-1").decode(), None),
        (b"one\ntwo\n", "one\ntwo\n", "one\ntwo\n"),
    ],
)
def test_what_of_a_log_came_with_the_outcome_alone_is_shown_behind_what_was_pushed(
    pushed: bytes, log: str, shown: str | None, swarm: Orchestrator
) -> None:
    """The reason of a failure stands at its end."""
    profile = f"end-{len(pushed)}-{len(log)}"
    drone = swarm.drone(profile, profile=profile)
    build = swarm.submit(listing("app-misc/ends-1"), profile=profile)["accepted"][0]["build"]
    offer = drone.take()
    drone.wrote(offer, 0, pushed)
    drone.finish(offer, "failed", reason="no", log=log)
    eventually(lambda: swarm.get(f"/api/builds/{build}").data["attempts"][0]["ended"], "the first try has ended")

    text, after, ended = "", 0, False
    while not ended:
        told = swarm.get(f"/api/builds/{build}/log?after={after}&attempt=1").data
        assert told["text"] or told["ended"]
        text, after, ended = text + told["text"], told["next"], told["ended"]

    assert shown in (text, None)
    assert text.endswith(log[-2:])


def test_a_log_is_taken_of_the_live_lease_alone(swarm: Orchestrator) -> None:
    drone, other = swarm.drone("right", profile="leases"), swarm.drone("wrong", profile="leases-2")
    told = swarm.submit(listing("app-misc/leased-1"), profile="leases")
    build, offer = told["accepted"][0]["build"], drone.take()
    path = f"/api/builds/{build}/log"

    def code(headers: dict[str, str], data: bytes = b"x", path: str = path) -> str:
        return swarm.ask("POST", path, data, {"X-Reconciler-Offset": "0", **headers}).code

    assert code({}) == "E-HTTP-TOKEN", "the token of people is no credential"
    assert code(other.headers(offer)) == "E-SWARM-LEASE"
    assert code({**drone.headers(offer), "X-Reconciler-Lease": f"{build}:9"}) == "E-SWARM-LEASE"
    assert code({**drone.headers(offer), "X-Reconciler-Lease": "nonsense"}) == "E-HTTP-INPUT"
    assert code(drone.headers(offer), path="/api/builds/another/log") == "E-HTTP-INPUT"
    assert code(drone.headers(offer, **{"X-Reconciler-Offset": "-1"})) == "E-HTTP-INPUT"
    assert code(drone.headers(offer), bytes(2 << 20)) == "E-HTTP-SIZE"
    drone.finish(offer, "returned")


# ---- what is shown


def test_the_metrics_are_what_prometheus_reads(swarm: Orchestrator) -> None:
    swarm.drone("measured", profile="metrics")
    eventually(lambda: swarm.get("/api/drones/measured").data["state"] == "ready", "it is heard of")
    answer = swarm.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    checked = subprocess.run(["promtool", "check", "metrics"], input=answer.body, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
    assert b'reconciler_swarm_drone_up{drone="measured"} 1\n' in answer.body
    assert b'reconciler_swarm_builds{state="queued"} ' in answer.body


def test_status_health_and_documentation(swarm: Orchestrator) -> None:
    status, health = swarm.get("/api/status").data, swarm.get("/health").data
    page = swarm.get("/docs")

    assert status["leading"] is True
    assert status["trouble"] == []
    assert health["state"] == "ok"
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b"<script" not in page.body and b"http://" not in page.body and b"https://" not in page.body
    assert b"/api/queue" in page.body
    assert swarm.get("/api/status").headers["cache-control"] == "no-store"
    assert swarm.get("/api/status").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "E-HTTP-MISSING"),
        ("GET", "/api/queue/", 404, "E-HTTP-MISSING"),
        ("GET", "//api/queue", 404, "E-HTTP-MISSING"),
        ("PATCH", "/api/queue", 405, "E-HTTP-METHOD"),
        ("POST", "/api/status", 405, "E-HTTP-METHOD"),
        ("TRACE", "/api/status", 405, "E-HTTP-METHOD"),
    ],
)
def test_what_is_no_address_is_told_in_the_same_form(
    method: str, path: str, status: int, code: str, swarm: Orchestrator
) -> None:
    answer = swarm.ask(method, path)

    assert (answer.status, answer.code) == (status, code)


# ---- the process


def test_it_ends_politely_and_a_restart_resumes(tmp_path: Path) -> None:
    with orchestrator_at(tmp_path) as made:
        drone = made.drone()
        told = made.submit(listing("app-misc/resumed-1", "app-misc/waits-1"))
        offer = drone.take()
        assert made.stop() == 0
        made.start()
        drone.build(offer)
        eventually(lambda: state(made, told["accepted"][0]["build"]) == "succeeded", "what ran on is recognised")
        assert made.get(f"/api/builds/{offer.build}").data["build"]["attempt"] == 1


def test_a_finished_request_asks_for_a_pass(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with orchestrator_at(tmp_path) as made:
        drone = made.drone()
        told = made.submit(listing("app-misc/triggers-1"))
        assert not (inbox / "trigger").exists()
        drone.build(drone.take())
        eventually((inbox / "trigger").exists, "the reconciler is asked for a pass")
        assert told["request"]["id"] in (inbox / "trigger").read_text()

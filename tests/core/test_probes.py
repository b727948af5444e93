"""Probes: what is written becomes a value or an error with its line, and samples become a verdict."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core import probes
from reconciler.core.alerts import DAY, HOUR, MINUTE, told_already
from reconciler.core.document import Map, parse
from reconciler.core.manifest.stack import load_stack_extension
from reconciler.core.manifest.verify import with_probes
from reconciler.core.probes import Sample, Standing
from reconciler.core.redact import redactor
from reconciler.core.verdict import State
from reconciler.errors import BadConfiguration, Position
from reconciler.model.desired import Service, Stack
from reconciler.model.observed import Container, Slot
from reconciler.model.probe import (
    ContainersCheck,
    ExecCheck,
    FileCheck,
    HttpAnswer,
    HttpCheck,
    Probe,
    TcpCheck,
)
from reconciler.model.report import Run

AT = Position("f.yaml", 1, 1)
RAW = Map(("f.yaml", 1, 1))
STACK = Stack("app", "stacks/app", "stacks/app/compose.yaml", (Service("web", "app", AT),))


def load(text: str) -> tuple[Probe, ...]:
    document = parse(f"verify:\n{textwrap.indent(text, '  ')}\n".encode(), "f.yaml")
    assert isinstance(document, Map)
    return load_stack_extension(document, "f.yaml").verify


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        ("- {http: 'http://a/'}", Probe("http http://a/", HttpCheck("http://a/"))),
        (
            "- {http: 'https://[::1]:8/x?y', status: 302, json: {/a/b/: 1}, body: x, headers: {B: c}, insecure: true}",
            Probe(
                "http https://[::1]:8/x?y",
                HttpCheck("https://[::1]:8/x?y", 302, (("a/b", 1),), "x", (("B", "c"),), insecure=True),
            ),
        ),
        ("- {exec: [a, b], service: web, name: n}", Probe("n", ExecCheck(("a", "b"), "web"))),
        ("- {tcp: 'localhost:80'}", Probe("tcp localhost:80", TcpCheck("localhost", 80))),
        ("- {tcp: '[::1]:80'}", Probe("tcp ::1:80", TcpCheck("::1", 80))),
        ("- {file: a, exists: false}", Probe("file a", FileCheck("a", exists=False))),
        ("- {containers: all}", Probe("containers all", ContainersCheck())),
        ("- {containers: [web]}", Probe("containers web", ContainersCheck(("web",)))),
        (
            "- {tcp: 'a:1', timeout: 1s, interval: 500ms, within: 2m, samples: 1}",
            Probe("tcp a:1", TcpCheck("a", 1), 1.0, 0.5, 120.0, 1),
        ),
    ],
)
def test_what_is_written_becomes_a_probe(text: str, probe: Probe) -> None:
    assert load(text) == (probe,)


@pytest.mark.parametrize(
    ("text", "code", "at", "says"),
    [
        ("- {htpp: 'http://a/'}", "E-MANIFEST-KEY", "2:6", "did you mean 'http'?"),
        ("- {http: 'http://a/', jsn: {}}", "E-MANIFEST-KEY", "2:25", "did you mean 'json'?"),
        ("- {name: x}", "E-MANIFEST-VERIFY", "2:5", "no kind"),
        ("- {http: 'http://a/', tcp: 'a:1'}", "E-MANIFEST-VERIFY", "2:5", "http and tcp"),
        ("- {tcp: 'a:1', status: 200}", "E-MANIFEST-VERIFY", "2:18", "`status` goes with `http`"),
        ("- {http: 'ftp://a/'}", "E-MANIFEST-VERIFY", "2:12", "no http:// or https:// address"),
        ("- {http: 'http://u:p@a/'}", "E-MANIFEST-VERIFY", "2:12", "no user and password"),
        ("- {http: 'http://a/b c'}", "E-MANIFEST-VERIFY", "2:12", "no blanks"),
        ("- {http: 'http://a:x/'}", "E-MANIFEST-VERIFY", "2:12", "address"),
        ("- {http: 'http:///'}", "E-MANIFEST-VERIFY", "2:12", "address"),
        ("- {http: 'http://a/', headers: {'a b': c}}", "E-MANIFEST-VERIFY", "2:12", "header"),
        ('- {http: "http://a/", headers: {a: "b\\r\\nc"}}', "E-MANIFEST-VERIFY", "2:12", "header"),
        ("- {http: 'http://a/', status: 99}", "E-MANIFEST-VALUE", "2:25", "status"),
        ("- {exec: [a]}", "E-MANIFEST-VERIFY", "2:12", "not clear what runs where"),
        ("- {exec: [], service: web}", "E-MANIFEST-VERIFY", "2:12", "not clear"),
        ("- {tcp: ':80'}", "E-MANIFEST-VERIFY", "2:11", "HOST:PORT"),
        ("- {tcp: 'a:65536'}", "E-MANIFEST-VERIFY", "2:11", "HOST:PORT"),
        ("- {file: a, contains: x, exists: false}", "E-MANIFEST-VERIFY", "2:12", "not clear"),
        ("- {containers: []}", "E-MANIFEST-VERIFY", "2:18", "no container"),
        ("- {containers: some}", "E-MANIFEST-VALUE", "2:6", "containers"),
        ("- {tcp: 'a:1', within: 0s}", "E-MANIFEST-VERIFY", "2:26", "within is zero"),
        ("- {tcp: 'a:1', timeout: soon}", "E-MANIFEST-VALUE", "2:18", "timeout"),
        ("- {tcp: 'a:1', within: 2s}", "E-MANIFEST-VERIFY", "2:5", "cannot hold within 2 s"),
        ("- {tcp: 'a:1', samples: 0}", "E-MANIFEST-VALUE", "2:18", "samples"),
        ("- {tcp: 'a:1'}\n- {tcp: 'a:1'}", "E-MANIFEST-VERIFY", "3:5", "two of that name"),
        ("- tcp", "E-MANIFEST-VALUE", "2:5", "verify"),
    ],
)
def test_a_mistake_in_a_probe_is_named_with_its_place(text: str, code: str, at: str, says: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load(text)

    assert (caught.value.code, str(caught.value.at)) == (code, f"f.yaml:{at}")
    assert says in f"{caught.value.what} {caught.value.why}"


@pytest.mark.parametrize("text", ["- {exec: [a], service: db}", "- {containers: [web, db]}"])
def test_a_probe_that_names_a_service_of_nobody_is_refused(text: str) -> None:
    with pytest.raises(BadConfiguration, match="no service 'db'"):
        with_probes(STACK, load(text), "/opt/fleet", RAW)


@pytest.mark.parametrize(
    ("path", "there"), [("a/b", "/opt/fleet/stacks/app/a/b"), ("/srv/x", "/srv/x"), ("../../x", "/opt/fleet/x")]
)
def test_a_file_is_looked_for_from_the_folder_of_its_stack(path: str, there: str) -> None:
    (probe,) = with_probes(STACK, load(f"- {{file: {path}}}"), "/opt/fleet", RAW).verify

    assert probe.check == FileCheck(there)


def answer(document: Any = None, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("check", "given", "missed"),
    [
        ({}, answer(), ""),
        ({}, HttpAnswer(trouble="connection refused"), "no answer"),
        ({}, answer(status=500), "status 500 instead of 200"),
        ({"status": 302}, answer(status=302), ""),
        ({"body": "null"}, answer(), ""),
        ({"body": "x"}, answer(), "does not hold 'x'"),
        ({"body": "x"}, HttpAnswer(200, b"xxx", cut=True), "larger than 3 bytes"),
        ({}, HttpAnswer(200, b"xxx", cut=True), ""),
        ({"json": (("a/1/b", "x"),)}, answer({"a": [0, {"b": "x"}]}), ""),
        ({"json": (("", 1),)}, answer(1.0), ""),
        ({"json": (("a", None),)}, answer({"a": None}), ""),
        ({"json": (("a", None),)}, answer({}), "has no a"),
        ({"json": (("a/2", 1),)}, answer({"a": [0]}), "has no a/2"),
        ({"json": (("a/b/c", 1),)}, answer({"a": "b"}), "has no a/b/c"),
        ({"json": (("a", 1),)}, answer({"a": True}), "a is not 1"),
        ({"json": (("a", True),)}, answer({"a": 1}), "a is not true"),
        ({"json": (("a", "1"),)}, answer({"a": 1}), 'a is not "1"'),
        ({"json": (("a", 1),)}, HttpAnswer(200, b"<html>"), "no JSON"),
        ({"json": (("a", 1),)}, HttpAnswer(200, b"[" * 100_000), "no JSON"),
        ({"json": (("a", 1),)}, HttpAnswer(200, b"\xff\xfe"), "no JSON"),
    ],
)
def test_an_answer_is_held_against_what_was_asked_for(check: dict[str, Any], given: HttpAnswer, missed: str) -> None:
    sample = probes.http(HttpCheck("http://a/", **check), given)

    assert sample.good == (not missed)
    assert missed in sample.missed


def test_what_came_is_told_in_short_of_a_command_its_end() -> None:
    (page,) = load("- {http: 'http://a/'}")
    (done,) = load("- {exec: [check], service: web}")

    assert probes.shown(page, "first" + "x" * 100_000).startswith("first")
    assert probes.shown(done, "x" * 100_000 + "last").endswith("last")
    assert all(len(probes.shown(probe, "x" * 100_000)) < 500 for probe in (page, done))


def test_what_came_is_whole_until_its_secrets_are_out() -> None:
    """Half of a secret that was cut in two is not known again."""
    secret = "k9" * 40
    clean = redactor([secret]).clean
    padded = "x" * (probes.MOST_TOLD - 20) + secret + "x" * (probes.MOST_TOLD - 20)
    (page,) = load("- {http: 'http://a/'}")
    (done,) = load("- {exec: [check], service: web}")
    samples = {
        page: probes.http(HttpCheck("http://a/"), HttpAnswer(500, padded.encode())),
        done: probes.command(1, padded),
    }

    for probe, sample in samples.items():
        assert "k9" not in probes.shown(probe, clean(sample.came))
    found = probes.http(HttpCheck("http://a/", json=(("v", "x"),)), HttpAnswer(200, json.dumps({"v": padded}).encode()))
    assert "k9" not in probes.shown(page, clean(found.came))


def test_of_a_file_nothing_but_the_wanted_text_is_told() -> None:
    sample = probes.file(FileCheck("/x", "wanted"), b"a secret")

    assert "secret" not in sample.missed + sample.came
    assert probes.file(FileCheck("/x", "a se"), b"a secret").good
    assert not probes.file(FileCheck("/x"), None).good
    assert probes.file(FileCheck("/x", exists=False), None).good
    assert not probes.file(FileCheck("/x", exists=False), b"").good


def test_containers_are_well_when_all_are_up_and_jobs_are_done() -> None:
    web, job, gone = Slot("app", "web"), Slot("app", "job"), Slot("app", "gone")
    seen = {
        web: Container("1", "w", "running", health="unhealthy"),
        job: Container("2", "j", "exited", exit_code=0),
    }

    assert probes.containers([(job, True)], seen).good
    bad = probes.containers([(web, False), (job, True), (gone, False)], seen)
    assert bad.missed == "web, gone not well" and "its health check fails" in bad.came


PROBE = Probe("p", TcpCheck("a", 1), within=10, interval=1, samples=3)
GOOD, BAD = Sample(), Sample("it is down", "refused")


def stand(*samples: tuple[float, Sample], needed: int = 3) -> Standing:
    standing = Standing()
    for seconds, sample in samples:
        standing = standing.after(sample, PROBE, seconds, needed)
    return standing


def test_three_good_samples_in_a_row_are_needed_not_three_in_all() -> None:
    assert stand((0, GOOD), (1, GOOD)).verdict.state is State.WAITING
    assert stand((0, GOOD), (1, GOOD), (2, GOOD)).verdict.state is State.GOOD
    assert stand((0, GOOD), (1, GOOD), (2, BAD), (3, GOOD)).verdict.state is State.WAITING
    assert stand((0, BAD), (9, GOOD), needed=1).verdict.state is State.GOOD


def test_what_flaps_until_its_time_is_over_is_bad_and_says_what_it_missed() -> None:
    flapping = stand(*((second, GOOD if second % 2 else BAD) for second in range(12)))

    assert flapping.verdict.state is State.BAD
    assert flapping.verdict.reason == "it is down" and flapping.bad.came == "refused"


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 5))
def test_a_verdict_stands_and_is_good_only_after_a_row_of_good_samples(samples: list[bool], needed: int) -> None:
    standing, row = Standing(), 0
    for second, good in enumerate(samples):
        before = standing
        standing = standing.after(GOOD if good else BAD, PROBE, second, needed)
        if before.verdict.state is not State.WAITING:
            assert standing == before
            continue
        row = row + 1 if good else 0
        assert (standing.verdict.state is State.GOOD) == (row >= needed)
        assert (standing.verdict.state is State.BAD) == (row < needed and second >= PROBE.within)


def failed(*ages: float, reason: str = "sick", now: float = 1e9) -> list[Run]:
    return [Run("r", "converge", "timer", "", "", now - age, now - age, "failed", 1, reason) for age in sorted(ages)]


@pytest.mark.parametrize(
    ("ages", "told"),
    [
        ((), False),  # the first is told at once
        ((5 * MINUTE,), True),
        ((15 * MINUTE,), False),
        ((20 * MINUTE, 4 * MINUTE), True),
        ((61 * MINUTE, 20 * MINUTE), False),
        ((2 * HOUR, 30 * MINUTE), True),
        ((4 * HOUR, 15 * MINUTE), False),
        ((20 * HOUR, 15 * MINUTE), True),
        ((DAY + MINUTE, 15 * MINUTE), False),
        ((DAY + 2 * HOUR, 15 * MINUTE), True),
        ((9 * DAY, HOUR), False),
        ((-HOUR,), False),  # the clock went back: rather told twice than never
    ],
)
def test_what_goes_on_is_told_at_once_then_ever_more_rarely(ages: tuple[float, ...], told: bool) -> None:
    assert told_already(failed(*ages), "sick", 1e9) == told


def test_another_reason_or_a_good_pass_between_is_news() -> None:
    recent = failed(MINUTE)
    good = [Run("g", "converge", "timer", "", "", 0, 1e9 - 30, "unchanged", 0)]
    cut_short = [Run("i", "converge", "timer", "", "", 0, None), Run("h", "converge", "", "", "", 0, 1, "interrupted")]

    assert not told_already(recent, "sick otherwise", 1e9)
    assert not told_already([*good, *recent], "sick", 1e9)
    assert told_already([*cut_short, *recent], "sick", 1e9)

"""A CI server that refuses, lies, hangs or is somebody else: the gate stays shut, and nobody is blamed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.ci.file import CiFile
from reconciler.adapters.ci.http import LARGEST
from reconciler.adapters.secrets import SecretStore
from reconciler.ci import provider_of
from reconciler.convergence.gate import Gate
from reconciler.model.gate import GateAnswer
from tests.support.clock import FakeClock
from tests.support.forge import TOKEN, Forge, send, serving
from tests.support.gitea import Forgejo, Generic, Gitea
from tests.support.github import GitHub
from tests.support.gitremote import Remote
from tests.support.gitrepository import repository

FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {a: {connect: local, checkout: /opt/a}}\n"
WORKFLOW = "name: Test\non: push\njobs: {}\n"


class Bench:
    """A gate over a real repository and a stand-in, with a clock that nobody waits for."""

    def __init__(self, folder: Path, forge: Any, deadline: float = 10.0) -> None:
        self.forge, self.clock, self.state = forge, FakeClock(forge.now), folder
        secrets = folder / "secrets"
        secrets.mkdir()
        (secrets / "ci-token").write_text(TOKEN)
        (secrets / "ci-token").chmod(0o600)
        rules = forge.rules()
        ci = {"provider": rules.provider, "repository": rules.repository, "url": rules.url, "require": ["Test"]}
        fleet = FLEET + f"ci: {json.dumps(ci | {'token': {'secret': 'ci-token'}})}\n"
        self.remote = Remote(folder / "remote.git")
        self.sha = self.remote.commit({"manifests/fleet.yaml": fleet, ".github/workflows/test.yml": WORKFLOW})
        self.git = repository(folder, self.remote.url)
        self.git.fetch("r1")
        store = SecretStore(str(folder))
        self.gate = Gate(
            self.git, "manifests", "main", CiFile(folder), self.clock,
            lambda rules: provider_of(rules, store, self.clock, deadline),
        )  # fmt: skip

    def judge(self) -> GateAnswer:
        answer = self.gate.judge(self.sha, "")
        assert TOKEN not in f"{answer}" + (self.state / "ci.json").read_text()
        return answer


@pytest.fixture(params=[GitHub, Gitea, Forgejo, Generic], ids=lambda kind: kind.__name__)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with serving(request.param()) as forge:
        yield Bench(tmp_path, forge)


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Bench]:
    with serving(GitHub()) as forge:
        yield Bench(tmp_path, forge)


@contextlib.contextmanager
def trouble(forge: Forge, with_: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[None]:
    forge.trouble = with_
    try:
        yield
    finally:
        forge.trouble = None


def answering(status: int, body: Any = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda handler: send(handler, status, raw, {k.replace("_", "-"): v for k, v in headers.items()})


def is_shut(answer: GateAnswer, code: str) -> bool:
    return (answer.state, answer.open, code in answer.reason, answer.again > 0) == ("unreachable", False, True, True)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"message": "Bad credentials"}, "E-CI-AUTH"),
        (401, {"message": f"what is {TOKEN}?"}, "E-CI-AUTH"),
        (418, {"message": f"I am no {TOKEN}"}, "E-CI-ANSWER"),
        (200, {"workflow_runs": [{"event": "push", "head_sha": TOKEN}], "sha": TOKEN}, "E-CI-ANSWER"),
        (403, {"message": "Resource not accessible"}, "E-CI-AUTH"),
        (404, {"message": "Not Found"}, "E-CI-ABSENT"),
        (410, b"", "E-CI-ABSENT"),
        (429, b"", "E-CI-LIMIT"),
        (500, b"oh", "E-CI-DOWN"),
        (502, b"<html>", "E-CI-DOWN"),
        (503, b"", "E-CI-DOWN"),
        (200, b"", "E-CI-ANSWER"),
        (200, b"<html>please log in</html>", "E-CI-ANSWER"),
        (200, b"\xff\xfe", "E-CI-ANSWER"),
        (200, b"[" * 100_000, "E-CI-ANSWER"),
        (200, b"null", "E-CI-ANSWER"),
        (200, {"total_count": 0}, "E-CI-ANSWER"),
        (200, {"workflow_runs": 3}, "E-CI-ANSWER"),
        (200, {"workflow_runs": [{"event": "push"}]}, "E-CI-ANSWER"),
        (200, [{"context": 3}], "E-CI-ANSWER"),
        (204, b"", "E-CI-ANSWER"),
        (304, b"", "E-CI-ANSWER"),
        (418, b"", "E-CI-ANSWER"),
    ],
)
def test_what_is_no_answer_keeps_the_gate_shut(bench: Bench, status: int, body: Any, code: str) -> None:
    with trouble(bench.forge, answering(status, body)):
        answer = bench.judge()

    assert is_shut(answer, code), answer
    assert "next: " in answer.reason


def test_an_empty_answer_is_no_pass(bench: Bench) -> None:
    answer = bench.judge()

    assert (answer.state, answer.open) == ("pending", False)


def test_a_run_of_another_commit_is_no_pass(github: Bench) -> None:
    class Unfiltered(GitHub):
        def _wanted(self, run: dict[str, Any], asked: object) -> bool:
            return True

    github.forge.__class__ = Unfiltered
    github.forge.says("b" * 40, "test")

    answer = github.judge()

    assert is_shut(answer, "E-CI-ANSWER")
    assert "b" * 40 in answer.reason


def test_runs_of_other_commits_from_an_old_gitea_are_passed_over(tmp_path: Path) -> None:
    class Unfiltered(Gitea):
        def _wanted(self, run: dict[str, Any], asked: object) -> bool:
            return True

    with serving(Unfiltered()) as forge:
        bench = Bench(tmp_path, forge)
        forge.says("b" * 40, "test")
        assert bench.judge().state == "pending"
        forge.says(bench.sha, "test", "failure")
        assert bench.judge().state == "failed"


def test_a_document_about_another_commit_is_not_believed(tmp_path: Path) -> None:
    with serving(Generic()) as forge:
        bench = Bench(tmp_path, forge)
        with trouble(forge, answering(200, {"sha": "b" * 40, "state": "passed"})):
            assert is_shut(bench.judge(), "E-CI-ANSWER")


def test_what_failed_passes_when_it_is_run_again(bench: Bench) -> None:
    bench.forge.says(bench.sha, "test" if not isinstance(bench.forge, Generic) else "Test", "failure")
    assert bench.judge().state == "failed"

    bench.forge.rerun("success")

    assert bench.judge().state == "passed"


def test_what_passed_and_fails_when_it_is_run_again_has_failed(github: Bench) -> None:
    github.forge.says(github.sha, "test")
    assert github.judge().state == "passed"

    github.forge.rerun("failure")

    assert github.judge().state == "failed"


def test_a_cancelled_run_holds(github: Bench) -> None:
    github.forge.says(github.sha, "test", "cancelled")

    answer = github.judge()

    assert (answer.state, "run it again" in answer.reason) == ("pending", True)


# ---- servers that take their time


@pytest.mark.parametrize("what", ["nothing", "header", "body"])
def test_a_server_that_hangs_or_drips_is_given_up(tmp_path: Path, what: str) -> None:
    with serving(GitHub()) as forge:
        bench = Bench(tmp_path, forge, deadline=0.5)

        def drip(handler: BaseHTTPRequestHandler) -> None:
            """One byte at a time, each well within any time-out."""
            start = {"nothing": b"", "header": b"HTTP/1.1 200 OK\r\nX-A: ", "body": b"HTTP/1.1 200 OK\r\n\r\n"}[what]
            with contextlib.suppress(OSError):
                handler.wfile.write(start)
                while not forge.ending.wait(0.05):
                    handler.wfile.write(b" " if what != "nothing" else b"")
            handler.close_connection = True

        with trouble(forge, drip):
            answer = bench.judge()

        assert is_shut(answer, "E-CI-DOWN")


def test_a_server_that_is_gone_is_named_without_the_address_of_a_token(tmp_path: Path) -> None:
    with serving(GitHub()) as forge:
        bench = Bench(tmp_path, forge)

    answer = bench.judge()

    assert is_shut(answer, "E-CI-DOWN")
    assert "refused" in answer.reason


def test_a_huge_answer_is_not_read_to_its_end(github: Bench) -> None:
    sent = 0

    def flood(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while sent < 20 * LARGEST:
                sent += handler.wfile.write(b" " * (1 << 20))
        handler.close_connection = True

    with trouble(github.forge, flood):
        answer = github.judge()

    assert is_shut(answer, "E-CI-ANSWER")
    assert sent < 5 * LARGEST


def test_pages_without_end_are_not_read_for_ever(github: Bench) -> None:
    body: dict[str, list[str]] = {"workflow_runs": []}
    turn = iter(range(10_000))

    def endless(handler: BaseHTTPRequestHandler) -> None:
        answering(200, body, Link=f'</x?page={next(turn)}>; rel="next"')(handler)

    with trouble(github.forge, endless):
        assert is_shut(github.judge(), "E-CI-ANSWER")
    assert len(github.forge.asked) <= 10


# ---- redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_token_never_follows_a_redirect_to_another_host(bench: Bench, status: int) -> None:
    with serving(GitHub()) as thief:
        there = thief.url.replace("127.0.0.1", "localhost")
        with trouble(bench.forge, answering(status, Location=f"{there}/steal")):
            answer = bench.judge()

        assert is_shut(answer, "E-CI-REDIRECT")
        assert thief.asked == []


def test_redirects_in_a_circle_end(github: Bench) -> None:
    with trouble(github.forge, answering(302, Location="/again")):
        assert is_shut(github.judge(), "E-CI-ANSWER")
    assert len(github.forge.asked) < 6


def test_the_next_page_of_another_host_is_asked_of_our_own(github: Bench) -> None:
    with serving(GitHub()) as thief:
        there = f'<{thief.url}/repos/x/y?page=2&head_sha={github.sha}>; rel="next"'

        def once(handler: BaseHTTPRequestHandler) -> None:
            more = {"Link": there} if len(github.forge.asked) == 1 else {}
            answering(200, {"workflow_runs": []}, **more)(handler)

        with trouble(github.forge, once):
            github.judge()

        assert thief.asked == []
        assert [asked.query.get("page") for asked in github.forge.asked] == [None, "2"]


def test_a_netrc_does_not_replace_the_token(github: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    github.forge.says(github.sha, "test")

    assert github.judge().state == "passed"


# ---- back-off


def test_nobody_is_asked_before_the_server_said_so(github: Bench) -> None:
    with trouble(github.forge, answering(429, Retry_After="90")):
        first = github.judge()
    asked = len(github.forge.asked)
    assert first.again == github.clock.now() + 90

    github.clock.sleep(89)
    assert github.judge() == first
    assert len(github.forge.asked) == asked

    github.clock.sleep(1)
    github.forge.says(github.sha, "test")
    assert github.judge().state == "passed"


def test_a_date_will_do_as_well(github: Bench) -> None:
    with trouble(github.forge, answering(503, Retry_After=formatdate(github.clock.now() + 120, usegmt=True))):
        assert github.judge().again == github.clock.now() + 120


@pytest.mark.parametrize("slow", [0.0, 500.0])
def test_a_used_up_limit_is_over_when_the_server_says_by_its_own_clock(github: Bench, slow: float) -> None:
    github.forge.limit[True] = 0
    github.clock.sleep(-slow)

    answer = github.judge()

    assert is_shut(answer, "E-CI-LIMIT")
    assert answer.again == github.clock.now() + 1800


@pytest.mark.parametrize(
    "refusal",
    [
        answering(429),
        answering(403, {"documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"}),
    ],
)
def test_without_a_word_of_the_server_the_wait_doubles(
    github: Bench, refusal: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    waits = []
    with trouble(github.forge, refusal):
        for _ in range(9):
            waits.append(github.judge().again - github.clock.now())
            github.clock.sleep(waits[-1])

    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    github.forge.says(github.sha, "test")
    assert github.judge().state == "passed"
    with trouble(github.forge, refusal):
        assert github.judge().again - github.clock.now() == 60


@pytest.mark.parametrize("header", ["Retry_After", "Date"])
@pytest.mark.parametrize(
    "date", ["Fri, 1 Jan 2020 99999999999999999999:0:0 +0000", "Fri, 1 Jan 2020 0:0:0 +99999999999"]
)
def test_a_date_that_is_none_is_no_date(github: Bench, header: str, date: str) -> None:
    limits = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1700000000"} if header == "Date" else {}
    with trouble(github.forge, answering(429, **{header: date}, **limits)):
        assert github.judge().state == "unreachable"


def test_a_server_cannot_send_us_away_for_a_year(github: Bench) -> None:
    with trouble(github.forge, answering(429, Retry_After="99999999")):
        assert github.judge().again == github.clock.now() + 3600


def test_a_clock_that_was_set_back_shuts_no_gate_for_years(github: Bench) -> None:
    github.clock.sleep(1e9)
    with trouble(github.forge, answering(429, Retry_After="90")):
        github.judge()
    github.clock.sleep(-1e9)
    github.forge.says(github.sha, "test")

    assert github.judge().state == "passed"


def test_a_back_off_survives_a_new_process_and_its_loss_only_costs_a_question(github: Bench) -> None:
    with trouble(github.forge, answering(429, Retry_After="90")):
        first = github.judge()
    asked = len(github.forge.asked)

    assert github.judge() == first
    (github.state / "ci.json").write_bytes(b"half of")
    github.forge.says(github.sha, "test")

    assert github.judge().state == "passed"
    assert len(github.forge.asked) == asked + 1


def test_a_missing_token_keeps_the_gate_shut_and_nobody_is_asked(github: Bench) -> None:
    github.judge()
    asked = len(github.forge.asked)
    (github.state / "secrets/ci-token").unlink()

    answer = github.gate.judge(github.sha, "")

    assert is_shut(answer, "E-SECRET-MISSING")
    assert len(github.forge.asked) == asked


def test_a_full_disk_stops_no_answer(github: Bench) -> None:
    github.judge()
    (github.state / "ci.json").unlink()
    (github.state / "ci.json").mkdir()
    github.forge.says(github.sha, "test")

    assert github.gate.judge(github.sha, "").state == "passed"

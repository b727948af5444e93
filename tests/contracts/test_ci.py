"""One suite for every provider: GitHub, Gitea, Forgejo, and a server that answers in our own JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.ci.file import CiFile
from reconciler.adapters.ci.generic import _checks
from reconciler.adapters.secrets import SecretStore
from reconciler.ci import provider_of
from reconciler.core.gate.decide import decide
from reconciler.model.gate import CiPage, CiRules, CiRun, Expected
from reconciler.ports import Backoff, ContinuousIntegration, Remembered, Unanswered
from tests.support.clock import FakeClock
from tests.support.forge import TOKEN, serving
from tests.support.gitea import Forgejo, Generic, Gitea
from tests.support.github import GitHub

SHA, OTHER = "a" * 40, "b" * 40
KNOWN: dict[str, CiPage] = {}
WORKFLOW = Expected(".x/workflows/test.yml", "Test", "must run", "a push starts it")


@pytest.fixture(params=[GitHub, Gitea, Forgejo, Generic], ids=lambda kind: kind.__name__)
def forge(request: pytest.FixtureRequest) -> Iterator[Any]:
    with serving(request.param()) as running:
        yield running


@pytest.fixture
def secrets(tmp_path: Path) -> SecretStore:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, value in (("ci-token", f"{TOKEN}\n"), ("wrong", "another"), ("several", "a\nb")):
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    return SecretStore(str(tmp_path))


def connected(rules: CiRules, secrets: SecretStore) -> ContinuousIntegration:
    return provider_of(rules, secrets, FakeClock(), deadline=10)


def runs(ci: ContinuousIntegration, sha: str = SHA) -> list[CiRun]:
    return [run for page in ci.ask(sha, KNOWN).values() for run in page.runs]


def state(ci: ContinuousIntegration, rules: CiRules) -> str:
    expected = [] if rules.provider == "generic" else [WORKFLOW]
    return decide(SHA, runs(ci), expected, replace(rules, require=("Test",)), 0.0, 0.0).state


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("success", "passed"),
        ("failure", "failed"),
        ("running", "pending"),
        ("cancelled", "pending"),
        ("skipped", "passed"),
        ("something-new", "failed"),
    ],
)
def test_what_it_says_of_a_commit_is_heard(forge: Any, secrets: SecretStore, said: str, heard: str) -> None:
    forge.says(SHA, "test" if not isinstance(forge, Generic) else "Test", said)

    assert state(connected(forge.rules(), secrets), forge.rules()) == heard


def test_what_it_says_of_other_commits_is_not_heard(forge: Any, secrets: SecretStore) -> None:
    forge.says(OTHER, "test", "failure")

    assert runs(connected(forge.rules(), secrets)) == []


def test_a_rerun_is_another_attempt_of_the_same(forge: Any, secrets: SecretStore) -> None:
    forge.says(SHA, "test", "failure")
    forge.rerun("success")

    last = runs(connected(forge.rules(), secrets))[-1]

    assert last.conclusion in ("success", "passed")
    assert last.attempt == (1 if isinstance(forge, Forgejo) else 2)


def test_the_same_answer_is_not_sent_twice(forge: Any, secrets: SecretStore) -> None:
    forge.says(SHA, "test")
    ci = connected(forge.rules(), secrets)
    first = ci.ask(SHA, KNOWN)

    again = ci.ask(SHA, first)

    assert again == first
    assert forge.unchanged == len(first)
    forge.says(SHA, "other")
    assert ci.ask(SHA, again) != first


def test_every_page_is_read(forge: Any, secrets: SecretStore) -> None:
    if isinstance(forge, Gitea):
        for number in range(130):
            forge.status(SHA, f"ci/{number}", "success")
    else:
        for number in range(230):
            forge.says(SHA, f"w{number}")

    assert len({run.name for run in runs(connected(forge.rules(), secrets))}) >= 130


def test_an_abbreviated_commit_is_never_asked_for(forge: Any, secrets: SecretStore) -> None:
    ci = connected(forge.rules(), secrets)
    for sha in ("", SHA[:12], "A" * 40, "main"):
        with pytest.raises(ValueError, match="full name"):
            ci.ask(sha, KNOWN)
    assert forge.asked == []


def test_a_token_opens_what_is_private(forge: Any, secrets: SecretStore) -> None:
    forge.private = True
    forge.says(SHA, "test")

    assert runs(connected(forge.rules(), secrets))
    with pytest.raises(Unanswered) as failed:
        connected(forge.rules(token=""), secrets).ask(SHA, KNOWN)
    assert failed.value.code in ("E-CI-ABSENT", "E-CI-AUTH")


def test_a_token_that_is_not_accepted_is_told_by_its_name(forge: Any, secrets: SecretStore) -> None:
    with pytest.raises(Unanswered) as failed:
        connected(forge.rules(token="wrong"), secrets).ask(SHA, KNOWN)

    assert failed.value.code == "E-CI-AUTH"
    assert "'wrong'" in failed.value.next
    assert "another" not in f"{failed.value} {failed.value.why} {failed.value.next}"


def test_what_is_public_needs_no_token(forge: Any, secrets: SecretStore) -> None:
    forge.says(SHA, "test")

    assert runs(connected(forge.rules(token=""), secrets))
    assert all("authorization" not in asked.headers for asked in forge.asked)


def test_a_secret_of_several_lines_is_no_token(forge: Any, secrets: SecretStore) -> None:
    from reconciler.errors import Terminal

    with pytest.raises(Terminal) as failed:
        connected(forge.rules(token="several"), secrets)
    assert failed.value.code == "E-CI-TOKEN"


# ---- what one of them does alone


def test_a_pull_request_of_a_fork_says_nothing_about_a_push(secrets: SecretStore) -> None:
    with serving(GitHub()) as github, serving(Gitea()) as gitea:
        github.says(SHA, "test", event="pull_request")
        gitea.status(SHA, "Test / job (pull_request)", "success")
        gitea.says(OTHER, "test", event="pull_request")

        assert runs(connected(github.rules(), secrets)) == []
        assert runs(connected(gitea.rules(), secrets)) == []


def test_a_renamed_repository_is_followed_on_its_own_host(secrets: SecretStore) -> None:
    with serving(GitHub()) as github:
        github.renamed, github.private = True, True
        for number in range(150):
            github.says(SHA, f"w{number}")

        assert len(runs(connected(github.rules(), secrets))) == 150


def test_a_gitea_without_runs_is_known_by_its_statuses(secrets: SecretStore) -> None:
    with serving(Gitea()) as gitea:
        gitea.tells_runs = False
        gitea.says(SHA, "test", "failure")

        assert [run.name for run in runs(connected(gitea.rules(), secrets))] == ["Test / job (push)"]
        assert state(connected(gitea.rules(), secrets), gitea.rules()) == "failed"


@pytest.mark.parametrize("attempts", [(1, 2), (2, 1)])
def test_of_one_name_the_latest_attempt_counts_wherever_it_stands(attempts: tuple[int, ...]) -> None:
    checks = [{"name": "e2e", "state": "passed" if n == 1 else "failed", "attempt": n} for n in attempts]

    told = _checks({"sha": SHA, "checks": checks}, SHA)

    assert decide(SHA, told, [], CiRules("generic"), 0.0, 0.0).state == "failed"


def test_a_single_state_will_do_for_a_generic_server(secrets: SecretStore) -> None:
    class Short(Generic):
        def answer(self, asked: Any) -> Any:
            answer = super().answer(asked)
            answer.body = {"sha": SHA, "state": "failed", "url": "https://ci/1"}
            return answer

    with serving(Short()) as server:
        (run,) = runs(connected(server.rules(), secrets))

    assert (run.name, run.conclusion, run.link) == ("ci", "failure", "https://ci/1")


# ---- what is remembered

REMEMBERED = Remembered(
    {SHA: 5.0},
    {"http://x": CiPage('"e"', "", (CiRun(SHA, ".github/workflows/a.yml", "A", 1, 2, "success", "7", "https://x"),))},
    Backoff("http://x", 9.0, 2, "why"),
)


def test_what_was_heard_is_known_to_the_next_process(tmp_path: Path) -> None:
    assert CiFile(tmp_path).known() == Remembered()
    CiFile(tmp_path).remember(REMEMBERED)
    assert CiFile(tmp_path).known() == REMEMBERED
    assert (tmp_path / "ci.json").stat().st_mode & 0o777 == 0o600
    written = (tmp_path / "ci.json").stat().st_ino
    CiFile(tmp_path).remember(REMEMBERED)
    assert (tmp_path / "ci.json").stat().st_ino == written


@pytest.mark.parametrize("left", [b"", b"{}", b"\xff", b"0" * 64 + b"\n{}"])
def test_half_of_what_was_heard_is_not_believed(tmp_path: Path, left: bytes) -> None:
    CiFile(tmp_path).remember(REMEMBERED)
    (tmp_path / "ci.json").write_bytes(left)
    assert CiFile(tmp_path).known() == Remembered()


def test_what_cannot_be_remembered_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file is in the way")
    CiFile(tmp_path / "state").remember(REMEMBERED)
    assert CiFile(tmp_path / "state").known() == Remembered()

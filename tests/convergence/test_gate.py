"""Which rules judge a commit, what its push may have changed, and since when it is known: over real git history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.ci.file import CiFile
from reconciler.adapters.git import GitRepository
from reconciler.adapters.secrets import SecretStore
from reconciler.ci import provider_of
from reconciler.convergence.gate import MOST_ASKED, MOST_PARENTS, Gate
from reconciler.core.fleet_file import fleet_of
from reconciler.errors import BadConfiguration
from reconciler.model.gate import CiRules, GateAnswer
from reconciler.ports import ContinuousIntegration
from tests.support.clock import FakeClock
from tests.support.forge import serving
from tests.support.github import GitHub
from tests.support.gitremote import Remote
from tests.support.gitrepository import repository

FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {a: {connect: local, checkout: /opt/a}}\n"
TEST = ".github/workflows/test.yml"


@dataclass
class Hub:
    """A branch, a stand-in that knows its runs, and the gate between them."""

    remote: Remote
    git: GitRepository
    github: Any
    state: Path
    clock: FakeClock
    connected: list[CiRules]

    def fleet(self, **ci: Any) -> str:
        rules = {"provider": "github", "repository": "owner/name", "url": self.github.url} | ci
        return f"{FLEET}ci: {json.dumps(rules)}\n"

    def push(self, files: dict[str, str | None], message: str = "a change") -> str:
        sha = self.remote.commit(files, message)
        self.git.fetch("r1")
        return sha

    def judge(self, sha: str, base: str = "") -> GateAnswer:
        """By a pass of its own."""
        return self.gate().judge(sha, base)

    def gate(self) -> Gate:
        def connect(rules: CiRules) -> ContinuousIntegration:
            self.connected.append(rules)
            return provider_of(rules, SecretStore(str(self.state)), self.clock)

        return Gate(self.git, "manifests", "main", CiFile(self.state), self.clock, connect)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    remote = Remote(tmp_path / "remote")
    with serving(GitHub()) as github:
        yield Hub(remote, repository(tmp_path, remote.url), github, tmp_path, FakeClock(github.now), [])


def pushed(**filters: Any) -> str:
    return json.dumps({"name": "Test", "on": {"push": filters or None}, "jobs": {}})


def test_a_fleet_without_a_gate_asks_nobody(hub: Hub) -> None:
    first = hub.push({"manifests/fleet.yaml": FLEET, TEST: pushed()})
    second = hub.push({"a": "b"})

    assert hub.judge(first) == GateAnswer(first, "not triggered", "the fleet has no ci:")
    assert hub.judge(second, first).open
    assert (hub.connected, hub.github.asked) == ([], [])
    assert not (hub.state / "ci.json").exists()


def test_a_gate_that_is_switched_off_asks_nobody(hub: Hub) -> None:
    sha = hub.push({"manifests/fleet.yaml": FLEET + "ci: {provider: none}\n"})

    assert hub.judge(sha).open
    assert hub.connected == []


def test_the_runs_of_exactly_that_commit_count(hub: Hub) -> None:
    first = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed()})
    second = hub.push({"a": "b"})
    hub.github.says(first, "test")

    assert hub.judge(first).state == "passed"
    assert hub.judge(second, first).state == "pending"


# ---- whose rules


def test_a_commit_that_changes_the_rules_is_judged_by_the_rules_that_it_changes(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(require=["test.yml"]), TEST: pushed()})
    for loosened in (hub.fleet(require=["lint.yml"]), FLEET, FLEET + "ci: {provider: none}\n"):
        sha = hub.push({"manifests/fleet.yaml": loosened})
        hub.github.says(sha, "lint")

        answer = hub.judge(sha, base)

        assert (answer.state, f"the ci: of {base[:7]}" in answer.reason) == ("pending", True)
        hub.github.says(sha, "test", "failure")
        assert hub.judge(sha, base).state == "failed"


def test_the_first_rules_of_a_fleet_judge_the_commit_that_brings_them(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": FLEET, TEST: pushed()})
    sha = hub.push({"manifests/fleet.yaml": hub.fleet()})

    assert hub.judge(sha, base).state == "pending"
    assert hub.judge(sha).state == "pending"
    hub.github.says(sha, "test")
    assert hub.judge(sha, base).state == "passed"


def test_what_is_older_than_the_gate_does_not_go_past_it_on_a_first_deploy(hub: Hub) -> None:
    ancient = hub.push({"manifests/fleet.yaml": FLEET})
    old = hub.push({TEST: pushed()})
    head = hub.push({"manifests/fleet.yaml": hub.fleet()})
    gate = hub.gate()

    assert [gate.judge(sha, "").state for sha in (head, old, ancient)] == ["pending"] * 3
    assert "an older commit needs a pass" in gate.judge(ancient, "").reason
    hub.github.says(old, "test")
    assert gate.judge(old, "").state == "passed"
    assert hub.judge(ancient).open, "as the newest it is judged by its own rules"


def test_rules_that_are_the_same_are_not_talked_about(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed()})
    sha = hub.push({"a": "b"})

    assert "ci: of" not in hub.judge(sha, base).reason


def test_rules_that_are_wrong_are_left_to_who_reads_the_whole_file(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": FLEET})
    sha = hub.push({"manifests/fleet.yaml": FLEET + "ci: {provider: github}\n"})

    assert "ci.repository is not owner/name" in hub.judge(sha, base).reason
    assert hub.connected == []
    with pytest.raises(BadConfiguration):
        fleet_of(hub.git.tree(sha), "manifests")


def test_rules_that_a_commit_breaks_are_those_of_before(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed()})
    sha = hub.push({"manifests/fleet.yaml": "no: fleet"})
    broken = hub.push({"manifests/fleet.yaml": FLEET + "ci: {provider: github}\n"})

    assert hub.judge(sha, base).state == "pending"
    assert hub.judge(broken, base).state == "pending"


def test_a_base_that_this_version_cannot_read_binds_nobody(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": FLEET + "ci: {provider: github}\n"})
    sha = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed()})

    assert hub.judge(sha, base).state == "pending"


# ---- what a push changed


def test_a_commit_of_words_only_needs_no_run_of_a_workflow_that_looks_at_code(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed(paths=["src/**"])})

    docs = hub.push({"docs/a.md": "words"})
    assert hub.judge(docs, base).state == "not triggered"
    code = hub.push({"src/a.py": "code"})
    assert hub.judge(code, docs).state == "pending"


def test_whether_two_commits_came_in_one_push_is_not_guessed(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed(paths=["src/**"])})
    hub.push({"src/a.py": "code"})
    docs = hub.push({"docs/a.md": "words"})

    answer = hub.judge(docs, base)

    assert (answer.state, "depends on what was pushed before" in answer.reason) == ("pending", True)
    hub.github.says(docs, "test", "failure")
    assert hub.judge(docs, base).state == "failed"


def test_a_renamed_file_is_proof_only_when_both_paths_say_the_same(hub: Hub) -> None:
    body = "".join(f"line {number}\n" for number in range(50))
    base = hub.push(
        {"manifests/fleet.yaml": hub.fleet(unknown="pass"), TEST: pushed(paths=["src/**"]), "src/a.py": body}
    )
    moved = hub.push({"src/a.py": None, "docs/a.py": body})

    assert "depends on" in hub.judge(moved, base).reason


def test_too_many_commits_are_not_compared(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed(paths=["src/**"])})
    for number in range(MOST_PARENTS + 1):
        hub.remote.commit({"docs/a.md": str(number)})
    head = hub.push({"docs/b.md": "words"})

    assert "cannot be told" in hub.judge(head, base).reason


def test_a_first_deploy_proves_nothing_by_paths(hub: Hub) -> None:
    sha = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed(paths=["src/**"])})

    assert hub.judge(sha).state == "pending"


def test_a_mark_in_the_message_is_a_proof(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed()})
    sha = hub.push({"a": "b"}, "words\n\nmore of them [skip ci]")

    answer = hub.judge(sha, base)

    assert (answer.state, "skip ci" in answer.reason) == ("not triggered", True)


def test_a_workflow_for_another_branch_is_not_waited_for(hub: Hub) -> None:
    sha = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed(branches=["dev"])})

    assert hub.judge(sha).state == "not triggered"


def test_a_pass_asks_about_a_few_commits_only(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed()})
    for number in range(MOST_ASKED + 5):
        hub.remote.commit({"a": str(number)})
    hub.git.fetch("r2")
    gate = hub.gate()

    answers = [gate.judge(sha, base) for sha in hub.git.first_parents(hub.remote.head, base)]

    assert len(hub.github.asked) == MOST_ASKED
    assert {answer.state for answer in answers} == {"pending"}
    assert "not asked" in answers[-1].reason
    assert "not asked" not in gate.judge(hub.remote.head, base).reason


# ---- since when


def test_what_nobody_can_tell_settles_from_when_it_was_first_seen(hub: Hub) -> None:
    rules = {"settle": "2m", "unknown": "pass", "require": ["ci/other"]}
    sha = hub.push({"manifests/fleet.yaml": hub.fleet(**rules)})

    assert hub.judge(sha).state == "pending"
    hub.clock.sleep(119)
    assert hub.judge(sha).state == "pending"
    hub.clock.sleep(1)
    assert hub.judge(sha).state == "not triggered"
    (hub.state / "ci.json").unlink()
    assert hub.judge(sha).state == "pending"


def test_a_commit_that_was_first_seen_in_the_future_starts_to_settle_now(hub: Hub) -> None:
    sha = hub.push({"manifests/fleet.yaml": hub.fleet(unknown="pass", require=["ci/other"])})
    hub.clock.sleep(1e9)
    assert hub.judge(sha).state == "pending"
    hub.clock.sleep(-1e9)
    assert hub.judge(sha).state == "pending"
    hub.clock.sleep(120)
    assert hub.judge(sha).state == "not triggered"


def test_what_is_remembered_stays_small(hub: Hub) -> None:
    base = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed()})
    for number in range(45):
        hub.judge(hub.push({"a": str(number)}), base)

    known = CiFile(hub.state).known()
    assert len(known.pages) == 40
    assert len(known.seen) == 45


def test_an_answer_that_did_not_change_is_not_written_again(hub: Hub) -> None:
    sha = hub.push({"manifests/fleet.yaml": hub.fleet(), TEST: pushed()})
    hub.judge(sha)
    written = (hub.state / "ci.json").stat().st_ino
    hub.clock.sleep(15)

    hub.judge(sha)

    assert (hub.state / "ci.json").stat().st_ino == written
    assert hub.github.unchanged == 1

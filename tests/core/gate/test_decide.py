"""Runs x what should run x rules -> one of five answers, never two of them mixed up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.gate.decide import POLL, decide
from reconciler.core.gate.wording import gate_data, gate_lines
from reconciler.model.gate import CiRules, CiRun, Expected, GateAnswer

SHA = "a" * 40
NOW = 1_700_000_000.0
RULES = CiRules("github", "o/n")
LINT = Expected(".github/workflows/lint.yml", "Lint", "must run", "a push starts it")
TEST = Expected(".github/workflows/test.yml", "Test", "must run", "a push starts it")


def run(name: str, conclusion: str = "success", **more: Any) -> CiRun:
    return CiRun(SHA, f".github/workflows/{name}.yml", name.capitalize(), conclusion=conclusion, id="7", **more)


def status(context: str, conclusion: str = "success", number: int = 1) -> CiRun:
    return CiRun(SHA, "", context, number, conclusion=conclusion, id=str(number))


def judged(runs: list[CiRun], *expected: Expected, rules: CiRules = RULES, age: float = 0.0, **more: Any) -> GateAnswer:
    return decide(SHA, runs, expected, replace(rules, **more), NOW - age, NOW)


@pytest.mark.parametrize(
    ("conclusion", "state"),
    [
        ("success", "passed"),
        ("failure", "failed"),
        ("timed_out", "failed"),
        ("startup_failure", "failed"),
        ("action_required", "failed"),
        ("error", "failed"),
        ("invented_tomorrow", "failed"),
        ("cancelled", "pending"),
        ("stale", "pending"),
        ("", "pending"),
        ("skipped", "passed"),
        ("neutral", "passed"),
    ],
)
def test_a_conclusion_becomes_a_state(conclusion: str, state: str) -> None:
    answer = judged([run("lint", conclusion)], LINT)

    assert (answer.state, answer.open) == (state, state == "passed")
    assert (conclusion or "running") in answer.reason
    assert [(e.name, e.run) for e in answer.evidence] == [("lint.yml", "7")]
    assert answer.again == (NOW + POLL if state == "pending" else 0.0)


@pytest.mark.parametrize("conclusion", ["skipped", "neutral", "warning"])
def test_what_is_neither_yes_nor_no_is_the_fleets_to_say(conclusion: str) -> None:
    assert judged([run("lint", conclusion)], LINT, neutral="fail").state == "failed"
    assert judged([run("lint", conclusion)], LINT, neutral="pass").state == "passed"


def test_the_highest_run_number_of_a_workflow_counts() -> None:
    runs = [run("lint", "success", number=3), run("lint", "failure", number=5), run("lint", "success", number=4)]

    assert judged(runs, LINT).state == "failed"


def test_a_later_attempt_of_the_same_run_counts() -> None:
    runs = [run("lint", "success", number=3, attempt=2), run("lint", "failure", number=3)]

    answer = judged(runs, LINT)

    assert answer.state == "passed"
    assert "attempt 2" in answer.reason


@pytest.mark.parametrize(
    ("conclusions", "state"),
    [
        (("success", "success"), "passed"),
        (("success", ""), "pending"),
        (("failure", ""), "failed"),
        (("success", "cancelled"), "pending"),
        (("failure", "cancelled"), "failed"),
    ],
)
def test_the_gravest_state_is_the_answer(conclusions: tuple[str, str], state: str) -> None:
    lint, test = conclusions

    assert judged([run("lint", lint), run("test", test)], LINT, TEST).state == state


def test_what_must_run_and_is_not_there_is_waited_for_however_long() -> None:
    for age in (0.0, 10_000.0):
        answer = judged([run("lint")], LINT, TEST, age=age, unknown="pass")
        assert (answer.state, "test.yml: no run" in answer.reason) == ("pending", True)
    assert "head of a push" in judged([], LINT, age=10_000.0).reason


def test_what_must_not_run_is_not_waited_for() -> None:
    docs = replace(TEST, runs="must not run", reason="no path that it looks at changed")

    alone = judged([], docs)
    assert (alone.state, alone.open) == ("not triggered", True)
    assert "no path that it looks at changed" in alone.reason
    assert judged([run("lint")], LINT, docs).state == "passed"
    assert judged([], LINT, docs).state == "pending"


def test_a_run_is_believed_more_than_a_file() -> None:
    docs = replace(TEST, runs="must not run", reason="no path that it looks at changed")

    assert judged([run("test", "failure")], docs).state == "failed"
    assert judged([run("test", "failure")], docs, require=("test.yml",)).state == "failed"


@pytest.mark.parametrize(
    ("age", "unknown", "state"),
    [
        (0, "hold", "pending"),
        (0, "pass", "pending"),
        (119, "pass", "pending"),
        (120, "pass", "not triggered"),
        (120, "hold", "pending"),
        (10_000, "hold", "pending"),
    ],
)
def test_what_nobody_can_tell_settles_and_is_then_the_fleets_to_say(age: float, unknown: Any, state: str) -> None:
    doubtful = replace(TEST, runs="unknown", reason="a pattern is not understood")

    assert judged([], doubtful, age=age, unknown=unknown).state == state


def test_only_what_is_required_counts() -> None:
    runs = [run("lint"), run("test", "failure")]

    assert judged(runs, LINT, TEST, require=("lint.yml",)).state == "passed"
    assert judged(runs, LINT, TEST, require=(".github/workflows/lint.yml",)).state == "passed"
    assert judged(runs, LINT, TEST, require=("Lint",)).state == "passed"
    assert judged(runs, LINT, TEST, require=("lint.yml", "Test")).state == "failed"


def test_a_required_workflow_that_the_commit_does_not_have_is_not_triggered() -> None:
    answer = judged([], require=("lint.yml",))

    assert (answer.state, "no such workflow" in answer.reason) == ("not triggered", True)


def test_a_required_context_that_nobody_knows_is_not_taken_for_absent() -> None:
    assert judged([], LINT, require=("ci/woodpecker",)).state == "pending"
    assert judged([], LINT, require=("ci/woodpecker",), age=10_000.0).state == "pending"
    assert judged([], rules=CiRules("generic", require=("build.yml",))).state == "pending"


def test_no_workflow_at_all_is_a_proof_at_github_only() -> None:
    assert judged([]).state == "not triggered"
    assert judged([], replace(LINT, runs="must not run", reason="it does not run for a push")).state == "not triggered"
    for provider in ("gitea", "forgejo", "generic"):
        assert judged([], rules=CiRules(provider, "o/n", "http://x")).state == "pending"


# ---- statuses of Gitea and Forgejo

GITEA = CiRules("gitea", "o/n", "http://x")


def test_the_jobs_of_a_workflow_have_to_be_well_all_of_them() -> None:
    jobs = [status("Test / unit (push)"), status("Test / e2e (push)", "failure", 2)]

    assert judged(jobs, TEST, rules=GITEA).state == "failed"
    assert judged(jobs[:1], TEST, rules=GITEA).state == "passed"
    assert judged(jobs, TEST, rules=GITEA, require=("test.yml",)).state == "failed"


def test_the_latest_status_of_a_context_counts() -> None:
    again = [status("Test / unit (push)", "failure", 1), status("Test / unit (push)", "success", 2)]

    assert judged(again, TEST, rules=GITEA).state == "passed"


def test_a_run_says_more_than_the_statuses_of_its_jobs() -> None:
    runs = [status("Test / unit (push)", "failure"), replace(run("test", "cancelled"), workflow="test.yml")]

    assert judged(runs, TEST, rules=GITEA).state == "pending"


def test_the_status_of_another_system_counts_beside_the_workflows() -> None:
    runs = [run("test"), status("ci/woodpecker", "failure")]

    assert judged(runs, TEST, rules=GITEA).state == "failed"
    assert judged(runs, TEST, rules=GITEA, require=("test.yml",)).state == "passed"
    assert judged(runs, TEST, rules=GITEA, require=("ci/woodpecker",)).state == "failed"


# ---- properties

CONCLUSIONS = st.sampled_from(["", "success", "failure", "cancelled", "skipped", "neutral", "odd"])
RUNS = st.lists(
    st.builds(
        lambda name, conclusion, number, attempt: run(name, conclusion, number=number, attempt=attempt),
        st.sampled_from(["lint", "test", "other"]),
        CONCLUSIONS,
        st.integers(1, 3),
        st.integers(1, 2),
    ),
    max_size=6,
)
EXPECTED = st.lists(
    st.builds(
        lambda base, runs: replace(base, runs=runs, reason="why"),
        st.sampled_from([LINT, TEST]),
        st.sampled_from(["must run", "must not run", "unknown"]),
    ),
    max_size=2,
    unique_by=lambda each: each.workflow,
)
REQUIRE = st.sampled_from([(), ("lint.yml",), ("Test",), ("lint.yml", "test.yml"), ("gone.yml",), ("ci/x",)])


@given(RUNS, EXPECTED, REQUIRE, st.sampled_from([0.0, 1e6]))
def test_a_gate_is_open_only_with_a_pass_or_a_proof(
    runs: list[CiRun], expected: list[Expected], require: tuple[str, ...], age: float
) -> None:
    answer = judged(runs, *expected, require=require, age=age)

    latest = {(r.workflow, r.number, r.attempt): r for r in runs}
    if answer.open:
        doubtful = [e for e in expected if e.runs != "must not run" and (not require or named(e, require))]
        ran = {r.workflow for r in latest.values()}
        assert all(e.workflow in ran for e in doubtful)
        assert not {e.state for e in answer.evidence} & {"failure", "odd", "cancelled", "running"}
    if answer.state == "failed":
        assert any(r.conclusion in ("failure", "odd") for r in runs)


def named(expected: Expected, require: tuple[str, ...]) -> bool:
    return any(name in (expected.name, expected.workflow.rpartition("/")[2]) for name in require)


@given(RUNS, EXPECTED, REQUIRE)
def test_the_order_of_the_runs_changes_nothing_but_ties(
    runs: list[CiRun], expected: list[Expected], require: tuple[str, ...]
) -> None:
    unique = list({(r.workflow, r.number, r.attempt): r for r in runs}.values())

    one = judged(unique, *expected, require=require)
    other = judged(unique[::-1], *expected, require=require)

    assert one.state == other.state
    assert set(one.evidence) == set(other.evidence)


# ---- words


def test_the_answer_is_told_with_its_evidence() -> None:
    answer = judged([run("lint", "failure", attempt=2, link="https://x/7")], LINT)

    assert gate_lines(answer) == [
        "CI failed: lint.yml: failure (run 7, attempt 2)  (not deployed)",
        "  lint.yml  failure  run 7, attempt 2  https://x/7",
    ]
    data = json.loads(json.dumps(gate_data(answer)))
    assert (data["state"], data["open"], data["again"]) == ("failed", False, None)
    assert data["evidence"] == [
        {"name": "lint.yml", "state": "failure", "run": "7", "attempt": 2, "link": "https://x/7"}
    ]


def test_what_a_person_let_pass_is_told_as_such() -> None:
    answer = replace(judged([run("lint", "failure")], LINT), overridden=True, reason="the runner is broken")

    assert gate_lines(answer)[0] == "CI failed, let pass by a person: the runner is broken"

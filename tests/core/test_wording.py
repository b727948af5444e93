"""Plans and results as people and programs read them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reconciler.core.scope import UnknownTarget, narrowed
from reconciler.core.wording import counts, plan_data, plan_lines, result_data, result_lines
from reconciler.errors import Terminal
from reconciler.model.observed import Observed, Slot
from reconciler.model.plan import Plan
from reconciler.model.report import Outcome
from reconciler.model.repository import CheckoutReport
from reconciler.model.result import Result
from tests.support.planning import REVISION, wish, without

TEXT = "services: {web: {image: box:2, volumes: ['v:/v']}, db: {image: box}}\nvolumes: {v: {}}\n"


def plan() -> Plan:
    old = wish({"app": TEXT.replace("box:2", "box"), "old": "services: {x: {image: box}}\n"}).fulfilled()
    return wish({"app": TEXT, "new": "services: {y: {image: box}}\n"}).plan(without(old, ["db"]), "b" * 40)


def test_a_plan_tells_each_step_with_its_sign_and_reason() -> None:
    assert plan_lines(plan()) == [
        "Desired aaaaaaa, verified bbbbbbb",
        "  + network new_default  new",
        "  - network old_default  no service uses it any more",
        "  + image box:2          pull: not here",
        "  ± app/web              image box -> box:2",
        "  + app/db               new",
        "  + new/y                new",
        "  - old/x                stack old is gone from git",
        "2 create, 1 recreate, 1 remove, 0 unchanged",
    ]


def test_a_held_head_and_findings_are_told() -> None:
    held = plan_lines(replace(plan(), findings=("x/y restarts again and again",), base=""), "it is blocked")

    assert held[0] == "Desired aaaaaaa, verified nothing yet  (held: it is blocked)"
    assert "  ! x/y restarts again and again" in held


def test_nothing_to_do_is_said_so() -> None:
    wanted = wish(TEXT)

    assert counts(wanted.plan(wanted.fulfilled())) == "Nothing to do: 2 containers are as git wants them."
    one = wish("services: {web: {image: box}}\n")
    assert counts(one.plan(one.fulfilled())) == "Nothing to do: 1 container is as git wants it."


def test_a_plan_for_programs_is_plain_json() -> None:
    data = plan_data(plan())

    assert json.loads(json.dumps(data)) == data
    assert data["revision"] == REVISION
    assert {step["action"] for step in data["steps"]} == {"create", "replace", "remove"}
    assert data["unchanged"] == []


@pytest.mark.parametrize(
    ("outcome", "headline"),
    [
        ("unchanged", "Nothing to do at aaaaaaa"),
        ("succeeded", "Converged at aaaaaaa: because"),
        ("paused", "Paused: because; nothing was done"),
        ("rolled-back", "Failed at aaaaaaa, and put back: because"),
        ("held", "Held: because"),
        ("failed", "Failed at aaaaaaa: because"),
        ("interrupted", "Interrupted at aaaaaaa: because"),
    ],
)
def test_a_result_begins_with_what_happened(outcome: Outcome, headline: str) -> None:
    reason = "paused: because" if outcome == "paused" else "because"
    result = Result("run-1", outcome, 0, reason, REVISION, seconds=1.25)

    assert result_lines(result) == [f"{headline}  (run-1, 1.2 s)"]


def test_what_is_not_blocked_any_more_is_as_short_as_every_other_commit() -> None:
    result = Result("run-1", "succeeded", 0, "x", REVISION, cleared=("b" * 40, "c" * 40))
    assert result_lines(result)[1:] == ["  not blocked any more: bbbbbbb, ccccccc"]


def test_a_result_tells_what_became_of_files() -> None:
    paths = tuple(f"f{n}" for n in range(7))
    report = CheckoutReport(displaced=("a",), removed=("b",), kept=paths, aside="/state/displaced/run-1")
    result = Result("run-1", "succeeded", 0, "x", REVISION, checkout=report, held="blocked", error=Terminal("E-X", "x"))

    lines = result_lines(result)

    assert "  changed on the host, copied aside and put back: a" in lines
    assert "  gone from git, moved aside: b" in lines
    assert "  gone from git, kept on disk: f0, f1, f2, f3, f4 ..." in lines
    assert "  copies: /state/displaced/run-1" in lines
    assert "  held: blocked" in lines
    assert json.loads(json.dumps(result_data(result)))["checkout"]["kept"] == list(paths)


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("", {"app/web", "app/db", "new/y", "old/x"}),
        ("alpha", {"app/web", "app/db", "new/y", "old/x"}),
        ("alpha/app", {"app/web", "app/db"}),
        ("alpha/app/db", {"app/db"}),
        ("alpha/old", {"old/x"}),
    ],
)
def test_a_target_narrows_a_plan(target: str, left: set[str]) -> None:
    assert {str(step.slot) for step in narrowed(plan(), target, []).steps} == left


@pytest.mark.parametrize("target", ["beta", "alpha/none", "alpha/app/none", "/app"])
def test_a_target_that_does_not_exist_is_refused(target: str) -> None:
    if target == "/app":
        target = "x/app"
    with pytest.raises(UnknownTarget) as caught:
        narrowed(plan(), target, [])

    assert caught.value.exit_code == 64


def test_a_paused_stack_is_left_out_and_named() -> None:
    held = narrowed(plan(), "", ["app"])

    assert {step.slot.stack for step in held.steps} == {"new", "old"}
    assert held.images == ()
    assert held.findings[-1] == "stack app is paused: nothing of it is changed"


def test_slots_are_named_with_their_replica() -> None:
    assert str(Slot("a", "b")) == "a/b"
    assert str(Slot("a", "b", 2)) == "a/b#2"
    assert Observed("alpha").image("box") is None

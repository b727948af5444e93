"""Which revision a pass goes for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.core.target import Candidate, block_of, check_ancestry, choose_target, none_yet
from reconciler.errors import Terminal
from reconciler.model.gate import GateAnswer
from reconciler.model.report import Block

HEAD, MIDDLE, GOOD = "c" * 40, "b" * 40, "a" * 40


def test_the_head_when_nothing_is_in_its_way() -> None:
    target = choose_target([Candidate(HEAD), Candidate(MIDDLE)], GOOD)

    assert (target.revision, target.held) == (HEAD, "")


def test_the_newest_commit_that_may_be_deployed_when_the_head_may_not() -> None:
    target = choose_target([Candidate(HEAD, "CI pending"), Candidate(MIDDLE)], GOOD)

    assert (target.revision, target.held) == (MIDDLE, "CI pending")
    assert "CI pending" in target.reason


def test_nothing_older_than_what_was_tried_and_failed() -> None:
    candidates = [Candidate(HEAD, "it failed", failed=True), Candidate(MIDDLE)]

    target = choose_target(candidates, GOOD)

    assert (target.revision, target.held) == (GOOD, "it failed")


def test_the_verified_revision_when_none_may_be_deployed() -> None:
    target = choose_target([Candidate(HEAD, "CI failed"), Candidate(MIDDLE, "not signed")], GOOD)

    assert (target.revision, target.held, target.reason) == (GOOD, "CI failed", "CI failed")


def test_no_candidate_is_asked_for_once_there_is_a_target() -> None:
    def candidates() -> Iterator[Candidate]:
        yield Candidate(HEAD)
        raise AssertionError("to ask costs")

    assert choose_target(candidates(), GOOD).revision == HEAD


def test_what_the_gate_says_of_the_head_is_kept() -> None:
    answer = GateAnswer(HEAD, "pending", "lint runs")

    target = choose_target([Candidate(HEAD, "CI pending", gate=answer), Candidate(MIDDLE)], GOOD)

    assert target.gate == answer


def test_nothing_to_run_and_nothing_that_ever_ran_stops_with_the_way_out() -> None:
    error = none_yet(HEAD, "it failed")

    assert error.code == "E-BLOCKED"
    assert error.why == "it failed"
    assert f"sentinels clear {HEAD}" in error.next


def test_a_rewritten_branch_is_never_followed() -> None:
    check_ancestry(HEAD, GOOD, descends=True)
    with pytest.raises(Terminal) as caught:
        check_ancestry(HEAD, GOOD, descends=False)

    assert caught.value.code == "E-REWRITTEN"
    assert "aaaaaaa" in caught.value.unchanged
    assert f"reconciler accept {HEAD}" in caught.value.next


@pytest.mark.parametrize(
    ("block", "holds"),
    [
        (Block(HEAD), True),
        (Block(HEAD[:7]), True),
        (Block(HEAD[:6]), False),
        (Block(MIDDLE), False),
        (Block(MIDDLE, tree="t1"), True),
        (Block(MIDDLE, tree="t2"), False),
        (Block(MIDDLE, desired="d1"), True),
        (Block(MIDDLE, desired="d2"), False),
        (Block("image-abc", desired="d1"), False),
    ],
)
def test_a_block_holds_for_the_commit_its_files_and_what_they_want(block: Block, holds: bool) -> None:
    assert (block_of(HEAD, [block], "t1", lambda: "d1") is not None) == holds


def test_what_is_wanted_is_only_asked_for_when_a_block_knows_it() -> None:
    def never() -> str:
        raise AssertionError("to ask costs")

    assert block_of(HEAD, [Block(MIDDLE, tree="t2")], "t1", never) is None


def test_manifests_that_want_nothing_readable_are_like_no_other() -> None:
    assert block_of(HEAD, [Block(MIDDLE, desired="d1")], "t1", lambda: "") is None

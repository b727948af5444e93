"""Which revision a pass goes for."""

from __future__ import annotations

import pytest

from reconciler.core.target import check_ancestry, choose_target
from reconciler.errors import Terminal

HEAD, GOOD = "b" * 40, "a" * 40


@pytest.mark.parametrize(
    ("verified", "blocked", "revision", "held"),
    [
        (GOOD, {}, HEAD, False),
        ("", {}, HEAD, False),
        (GOOD, {GOOD: "old"}, HEAD, False),
        (GOOD, {HEAD: "it failed"}, GOOD, True),
    ],
)
def test_the_head_unless_it_is_blocked(verified: str, blocked: dict[str, str], revision: str, held: bool) -> None:
    target = choose_target(HEAD, verified, blocked)

    assert (target.revision, target.held) == (revision, held)
    assert ("it failed" in target.reason) == held


def test_a_blocked_head_with_nothing_before_it_stops_with_the_way_out() -> None:
    with pytest.raises(Terminal) as caught:
        choose_target(HEAD, "", {HEAD: "it failed"})

    assert caught.value.code == "E-BLOCKED"
    assert caught.value.why == "it failed"
    assert f"sentinels clear {HEAD}" in caught.value.next


def test_a_rewritten_branch_is_never_followed() -> None:
    check_ancestry(HEAD, GOOD, descends=True)
    with pytest.raises(Terminal) as caught:
        check_ancestry(HEAD, GOOD, descends=False)

    assert caught.value.code == "E-REWRITTEN"
    assert "aaaaaaa" in caught.value.unchanged

"""Kill -9 at any point: within two passes all is as if nothing had happened (I4).

Every scenario is learned once, uncut; what its pass would leave at each of its points is kept on the way. From each of
these two new processes carry on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.crash import CrashHost
from tests.support.crash_case import learned, told
from tests.support.crash_scenarios import SCENARIOS, Scenario

COUNTS: Counter[str] = Counter()
PLACES = (
    "before ledger.note_attempt",
    "before repository.checkout",
    "inside checkout: place",
    "before engine.create",
    "before engine.rename",
    "before engine.start",
    "before ledger.settle",
    "before signals.write_stamp",
    "before ledger.finish",
)
LEDGER_LOST = ("first deploy", "one image", "a removed service", "a network made anew", "bad health, so undone")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_pass_that_dies_anywhere_is_finished_by_the_next_two(host: CrashHost, scenario: Scenario) -> None:
    case = learned(host, scenario)
    for point in case.points:
        case.died_at(point)
        told(case, f"died at {point}: {case.trace[point]}")
        COUNTS["single"] += 1
    COUNTS["scenarios"] += 1


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.name in ("first deploy", "deployed")], ids=str)
def test_what_is_kept_of_a_point_is_what_a_death_there_leaves(host: CrashHost, scenario: Scenario) -> None:
    """But for drafts: who is killed leaves them, and an exception cleans up on its way."""

    def found(point: int) -> tuple[object, ...]:
        case.died_at(point)
        assert case.deaths == 1
        return host.runs, host.outcome(), host.engine.glimpse(), case.written_down

    case = learned(host, scenario)
    kept, places = case.left, [place for place in PLACES if any(place in point for point in case.trace)]
    assert len(places) >= 6
    for point in map(case.first, places):
        case.left = kept
        left, files = found(point), _files_of(host)
        case.left = {}
        assert left == found(point), case.trace[point]
        assert all(name.startswith(".") for name in files ^ _files_of(host)), case.trace[point]


def _files_of(host: CrashHost) -> set[str]:
    """Their names; without those that come and go with an open database."""
    return {path.name for path in (host.folder / "host").rglob("*") if "ledger.db-" not in path.name}


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.name in LEDGER_LOST], ids=str)
def test_a_dead_pass_whose_ledger_is_lost_is_finished_all_the_same(host: CrashHost, scenario: Scenario) -> None:
    case = learned(host, scenario)
    for point in case.points:
        case.died_at(point)
        for file in host.state.glob("ledger.db*"):
            file.unlink()
        # Who does not know what was replaced cannot put it back: then the pass after the undo makes it anew.
        undone = "undone" in scenario.name
        told(case, f"died at {point} and lost its ledger: {case.trace[point]}", patient=undone)
        COUNTS["ledger lost"] += 1


def test_enough_points_were_cut(tell: Callable[[str], None]) -> None:
    """Runs last; only counts a whole run of this file."""
    if COUNTS.pop("scenarios", 0) < len(SCENARIOS):
        return
    tell(f"crash enumeration in memory: {len(SCENARIOS)} scenarios, {dict(COUNTS)}")
    assert COUNTS["single"] >= 2000

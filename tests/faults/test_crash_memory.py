"""Kill -9 at any point: within two passes all is as if nothing had happened (I4).

Every scenario is learned once, uncut; then it is run again for each of its points, dies there, and two new processes
carry on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.crash import CrashHost
from tests.support.crash_case import learned, told
from tests.support.crash_scenarios import SCENARIOS, Scenario

COUNTS: Counter[str] = Counter()
LEDGER_LOST = ("first deploy", "one image", "a removed service", "a network made anew", "bad health, so undone")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_pass_that_dies_anywhere_is_finished_by_the_next_two(host: CrashHost, scenario: Scenario) -> None:
    case = learned(host, scenario)
    for point in case.points:
        case.died_at(point)
        told(case, f"died at {point}: {case.trace[point]}")
        COUNTS["single"] += 1
    COUNTS["scenarios"] += 1


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

"""Recoveries that die as well, and reboots in the middle: two passes later all is as if nothing had happened (I4)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.support.crash import ours
from tests.support.crash_case import Case, learned, told
from tests.support.crash_scenarios import SCENARIOS
from tests.support.crash_stacks import crash_host

COUNTS: Counter[str] = Counter()
PAIRS = 16
"""Random pairs for each scenario, each from a seed of its own."""
REBOOTS = 6
"""Every so many points the power fails as well."""


@pytest.fixture(scope="module", params=SCENARIOS, ids=str)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Learned once for all tests; each of their cases begins with a death, and nothing of the one before is left."""
    with crash_host() as host:
        yield learned(host, request.param)


def test_a_recovery_that_dies_as_well_is_recovered(case: Case) -> None:
    for seed in range(PAIRS):
        dice = random.Random(f"{case.scenario} {seed}")
        first, second = dice.choice(case.points), dice.randrange(len(case.trace))
        case.died_at(first, parallel=dice.choice((1, 4)))
        if dice.random() < 0.25:
            case.host.engine.reboot()
        died = case.dies(second)
        told(case, f"seed {seed}: died at {first} and {second if died else 'no other'}")
        COUNTS["pair"] += 1
    COUNTS["scenarios"] += 1


def test_a_reboot_in_the_middle_starts_nothing_twice(case: Case) -> None:
    for point in case.points[::REBOOTS]:
        case.died_at(point)
        case.host.engine.reboot()
        case.watch("after the reboot")
        kept = [c.name for c in case.host.engine.containers() if ours(c) and c.role == "kept" and c.running]
        assert not kept, f"{kept} came back with the reboot"
        told(case, f"rebooted at {point}: {case.trace[point]}")
        COUNTS["reboot"] += 1
    COUNTS["scenarios"] += 1


def test_enough_pairs_were_cut(tell: Callable[[str], None]) -> None:
    """Runs last; only counts a whole run of this file."""
    if COUNTS.pop("scenarios", 0) < 2 * len(SCENARIOS):
        return
    tell(f"crash enumeration in memory: pairs and reboots in {len(SCENARIOS)} scenarios, {dict(COUNTS)}")
    assert COUNTS["pair"] >= 1000

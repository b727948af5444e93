"""The mutation check: breaks of the invariants, on purpose, are seen by the suite (`make mutants` runs all of them)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.drone_mutants import DRONE_MUTANTS
from tests.faults.mutants import MUTANTS, Mutant
from tests.faults.swarm_mutants import SWARM_MUTANTS
from tests.support.engine import ROOT
from tests.support.mutation import run

INVARIANTS = {f"I{n}" for n in range(1, 21)}


@pytest.mark.parametrize("mutant", [*MUTANTS, *SWARM_MUTANTS, *DRONE_MUTANTS], ids=str)
def test_what_a_mutant_breaks_is_still_there_just_once(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1, "the list has rotted: give it the text of today"
    assert mutant.old != mutant.new
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text() if name else (ROOT / file).exists()


def test_every_invariant_is_broken_by_some_mutant() -> None:
    assert len(MUTANTS) >= 20 and len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert {mutant.invariant for mutant in MUTANTS} == INVARIANTS
    assert {mutant.invariant for mutant in SWARM_MUTANTS} == {f"S{n}" for n in range(1, 9)}
    assert {mutant.invariant for mutant in DRONE_MUTANTS} == {f"D{n}" for n in range(1, 6)}


def test_a_handful_of_mutants_is_seen(tell: Callable[[str], None]) -> None:
    """Those that need no engine and are quick; all of them take minutes."""
    chosen = [m for m in MUTANTS if all("test_promises" in t or "tests/core/test_" in t for t in m.tests)][::3]
    found = list(run(chosen))
    seen = sum(each.seen for each in found)
    tell(f"mutation check: {seen} of {len(chosen)} mutants seen; the list has {len(MUTANTS)} (make mutants)")
    assert len(chosen) >= 5 and not [str(each.mutant) for each in found if not each.seen]

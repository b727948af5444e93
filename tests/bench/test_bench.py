"""The bench measures what it says: real passes of each peer, and who moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.contest import COLD, DOCS, DRIFT, FILE, IMAGE, NOTHING, Contest, Rounds
from bench.fleet import Layout
from bench.table import document, text
from tests.support.engine import Engine


def test_a_layout_is_a_number_of_services_and_maybe_of_stacks() -> None:
    assert Layout.parse("100/20").names == [f"bench{n:02}" for n in range(20)]
    assert len(Layout.parse("7").slots) == 7
    for wrong in ("0", "3/4", "1/0", "many"):
        with pytest.raises(ValueError, match=r"."):
            Layout.parse(wrong)


@pytest.mark.engine
def test_reconciler_and_the_floor_move_what_had_to_move_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    samples = list(Contest(engine, tmp_path, Layout(3, 2), ["reconciler", "floor"]).run(Rounds(1, 1)))

    for peer in ("reconciler", "floor"):
        mine = {s.scenario: s for s in samples if s.peer == peer}
        assert mine.keys() >= {COLD, NOTHING, FILE, IMAGE, DOCS, DRIFT}
        assert {(s.needless, s.missed) for s in mine.values()} == {(0, 0)}
        assert (mine[NOTHING].events, mine[DOCS].events) == (0, 0)
        assert mine[FILE].events > 0
        assert all(s.cost.wall > 0 and s.cost.cpu > 0 and s.cost.memory > 0 for s in mine.values())
    assert "3 services, 2 stacks" in text(samples)
    assert len(json.loads(document(samples, [], {}))["samples"]) == len(samples)

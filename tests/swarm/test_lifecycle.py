"""What may become of a build: the whole table, and that it only moves forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from reconciler.model.swarm import ENDED, Build, BuildState
from reconciler.swarm import lifecycle
from reconciler.swarm.lifecycle import TABLE, Happening, may, progress
from tests.support.orchestrated import package

STATES: tuple[BuildState, ...] = get_args(BuildState)
HAPPENINGS: tuple[Happening, ...] = get_args(Happening)

DO: dict[Happening, Callable[[Build], Build]] = {
    "leased": lambda build: lifecycle.leased(build, "izar", build.attempt + 1, 9.0),
    "begun": lambda build: lifecycle.begun(build, 9.0),
    "uploaded": lambda build: lifecycle.uploaded(build, 9.0, 60.0),
    "stored": lambda build: lifecycle.stored(build, 9.0, "app-misc/foo/foo-1-1.gpkg.tar"),
    "answered": lambda build: lifecycle.answered(build, 9.0, 3.0),
    "again": lambda build: lifecycle.again(build, 9.0, "why", failed_on="tau"),
    "failed": lambda build: lifecycle.failed(build, 9.0, "why", failed_on="tau"),
    "cancelled": lambda build: lifecycle.cancelled(build, 9.0, "why"),
    "held": lambda build: lifecycle.held(build, 9.0, "why"),
}

MAY = """
queued    leased cancelled held
leased    begun uploaded answered again failed cancelled
building  uploaded answered again failed cancelled
uploaded  stored again failed
succeeded
failed
cancelled
held
"""


def in_state(state: BuildState) -> Build:
    drone = "" if state == "queued" else "tau"
    return Build("b1", "package", package("app-misc/foo-1"), "amd64", state, 5.0, 1.0, 3, drone, lead="b1")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_exactly_what_the_table_says_can_happen(state: BuildState, happening: Happening) -> None:
    allowed = {row.split()[0]: row.split()[1:] for row in MAY.strip().splitlines()}
    build = in_state(state)
    assert may(build, happening) == (happening in allowed[state])
    if happening not in allowed[state]:
        with pytest.raises(ValueError, match=f"b1 is {state}"):
            DO[happening](build)
        return
    after = DO[happening](build)
    assert after.state == TABLE[state, happening] and after.since == 9.0
    assert progress(after) > progress(build), "it only moves forward"


def test_nothing_happens_to_what_has_ended() -> None:
    assert {state for state, _ in TABLE} == set(STATES) - set(ENDED)


def test_a_lease_names_its_drone_and_a_new_attempt() -> None:
    build = in_state("queued")
    after = lifecycle.leased(build, "izar", 7, 9.0, lead="b0", reason="it is its turn")
    assert (after.drone, after.attempt, after.lead, after.reason) == ("izar", 7, "b0", "it is its turn")
    for old in (2, 3):
        with pytest.raises(ValueError, match="no new one"):
            lifecycle.leased(build, "izar", old, 9.0)


def test_another_try_forgets_its_drone_and_keeps_who_failed() -> None:
    building = in_state("building")
    assert lifecycle.again(building, 9.0, "lost").drone == ""
    assert lifecycle.again(building, 9.0, "lost").failures == ()
    assert lifecycle.again(building, 9.0, "failed", failed_on="tau").failures == ("tau",)
    assert lifecycle.again(building, 9.0, "lost").attempt == building.attempt, "the next lease counts on"

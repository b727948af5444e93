"""Beats and silence become the state of a drone, in proportion to the heartbeat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.build import DroneState
from reconciler.model.queue import Known
from reconciler.model.swarm import Beat
from reconciler.swarm import presence

BEAT = Beat("tau", "boot-1", 1000.0, 8, 1 << 33, "amd64")
READY = Known("tau", "ready", 900.0, 1000.0, beat=BEAT)


@pytest.mark.parametrize("heartbeat", [30.0, 1.0])
@pytest.mark.parametrize(
    ("silent", "state"),
    [(0.0, "ready"), (1.0, "ready"), (1.49, "ready"), (1.5, "degraded"), (1.99, "degraded"), (2.0, "offline")],
)
def test_silence_degrades_a_drone_and_then_takes_it_away(heartbeat: float, silent: float, state: DroneState) -> None:
    """At 30 s: after 45 s and after 60 s."""
    now = 1000.0 + silent * heartbeat
    after = presence.seen(READY, now, heartbeat, spoke=False, building=False)
    assert after.state == state
    assert after.since == (now if state != "ready" else 900.0)


@pytest.mark.parametrize("state", ["ready", "building", "degraded", "offline"])
@pytest.mark.parametrize("building", [False, True])
def test_a_beat_makes_it_whole_again(state: DroneState, building: bool) -> None:
    known = presence.heard(replace(READY, state=state), replace(BEAT, at=1030.0), 2000.0)
    after = presence.seen(known, 2000.0, 30.0, spoke=True, building=building)
    assert after.state == ("building" if building else "ready") and after.heard == 2000.0


@pytest.mark.parametrize("state", ["degraded", "offline"])
def test_only_a_beat_makes_it_better(state: DroneState) -> None:
    known = replace(READY, state=state, heard=2000.0)
    assert presence.seen(known, 2000.0, 30.0, spoke=False, building=False).state == state


def test_who_says_goodbye_is_away_at_once_and_there_again_with_the_next_start() -> None:
    gone = presence.heard(READY, replace(BEAT, at=1030.0, draining=True, gone=True), 2000.0)
    assert presence.seen(gone, 2000.0, 30.0, spoke=True, building=False).state == "offline"
    back = presence.heard(gone, replace(BEAT, boot="boot-2", at=1031.0), 2001.0)
    assert presence.seen(back, 2001.0, 30.0, spoke=True, building=False).state == "ready"


def test_a_beat_that_is_known_is_no_word_of_now() -> None:
    """An orchestrator that starts gets the last beat of every drone, also of those that are long dead."""
    assert presence.heard(READY, BEAT, 5000.0) is READY
    assert presence.heard(READY, replace(BEAT, at=1030.0), 5000.0).heard == 5000.0
    assert presence.heard(READY, replace(BEAT, boot="boot-2"), 5000.0).heard == 5000.0


def test_a_drone_that_began_anew_holds_nothing_of_before() -> None:
    assert presence.restarted(READY, replace(BEAT, boot="boot-2"))
    assert not presence.restarted(READY, replace(BEAT, at=1030.0))
    assert not presence.restarted(Known("izar"), BEAT)


@pytest.mark.parametrize(
    ("looked", "now", "away"),
    [(None, 0.0, True), (100.0, 100.0, False), (100.0, 115.0, False), (100.0, 115.1, True), (100.0, 99.0, True)],
)
def test_who_did_not_look_for_half_a_heartbeat_was_away(looked: float | None, now: float, away: bool) -> None:
    assert presence.was_away(looked, now, 30.0) == away


def test_the_time_in_which_nobody_looked_counts_for_nothing() -> None:
    forgiven = presence.forgiven(READY, 5000.0)
    assert presence.seen(forgiven, 5000.0, 30.0, spoke=False, building=False).state == "ready"
    assert presence.seen(forgiven, 5059.0, 30.0, spoke=False, building=False).state == "degraded"
    assert presence.seen(forgiven, 5060.0, 30.0, spoke=False, building=False).state == "offline"
    offline = replace(READY, state="offline")
    assert presence.forgiven(offline, 5000.0) is offline

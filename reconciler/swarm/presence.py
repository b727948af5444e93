"""Who is there: beats and silence become the state of a drone. All in proportion to the heartbeat.

At 30 s: no word for 45 s is degraded (it gets nothing new), for 60 s offline (what it had goes elsewhere). Only a beat
makes it better. One that says goodbye is offline at once. While the orchestrator was away itself it could hear nobody,
so that time counts for nothing.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.build import DroneState
from reconciler.model.queue import Known
from reconciler.model.swarm import Beat

DEGRADED, OFFLINE = 1.5, 2.0
"""Heartbeats without a word."""

AWAY = 0.5
"""Heartbeats between two looks, beyond which nobody was looking."""


def heard(known: Known, beat: Beat, now: float) -> Known:
    """After a beat; the very one that is known already, as after a restart of ours, is no news."""
    if known.beat == beat:
        return known
    return replace(known, beat=beat, heard=now)


def restarted(known: Known, beat: Beat) -> bool:
    """Whether the process that took its work is gone: a new one holds nothing of it."""
    return known.beat is not None and known.beat.boot != beat.boot


def was_away(looked: float | None, now: float, heartbeat: float) -> bool:
    """`looked`: when somebody looked last; a clock that was set back is as good as away."""
    return looked is None or not 0 <= now - looked <= AWAY * heartbeat


def forgiven(known: Known, now: float) -> Known:
    """After a time without anybody looking it has a full period to be heard; what was offline stays so."""
    return known if known.state == "offline" else replace(known, heard=now)


def seen(known: Known, now: float, heartbeat: float, *, spoke: bool, building: bool) -> Known:
    """With its state of now. `spoke`: since the last look; `building`: it has begun something that is not over."""
    state = _state(known, now - known.heard, heartbeat, spoke, building)
    return known if state == known.state else replace(known, state=state, since=now)


def _state(known: Known, silent: float, heartbeat: float, spoke: bool, building: bool) -> DroneState:
    if known.beat is not None and known.beat.gone:
        return "offline"
    if spoke:
        return "building" if building else "ready"
    if known.state == "offline" or silent >= OFFLINE * heartbeat:
        return "offline"
    if known.state == "degraded" or silent >= DEGRADED * heartbeat:
        return "degraded"
    return "building" if building else "ready"

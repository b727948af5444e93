"""What is told to pages and people when something has changed; small, whatever the change was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reconciler.model.queue import Attempt, Known, Move
from reconciler.model.swarm import Beat, Build, Event, Request

_SHOWN = 50
"""Builds in one event; the page asks for the queue when there were more."""


def queue_update(now: float, new: Sequence[Build], moves: Sequence[Move]) -> tuple[Event, ...]:
    """One for all that changed at once, each build as it is in the end."""
    changed = {build.id: build for build in (*new, *(move.after for move in moves))}
    if not changed:
        return ()
    shown = [_build(build) for build in list(changed.values())[:_SHOWN]]
    return (Event("queue_update", now, {"builds": shown, "more": len(changed) - len(shown)}),)


def drone_status(now: float, known: Known, reason: str = "") -> Event:
    data: dict[str, object] = {"drone": known.name, "state": known.state, "drained": known.drained, "reason": reason}
    if known.beat is not None:
        data |= {name: getattr(known.beat, name) for name in ("load", "draining", "gone", "unable", "profile")}
    return Event("drone_status", now, data)


def build_progress(now: float, lease: Attempt, beat: Beat) -> Event:
    data = {
        "build": lease.build,
        "attempt": lease.attempt,
        "drone": lease.drone,
        "package": beat.package,
        "phase": beat.phase,
        "begun": lease.begun,
        "expected": lease.expected,
    }
    return Event("build_progress", now, data)


def build_complete(now: float, request: Request, builds: Sequence[Build]) -> Event:
    counts = Counter(build.state for build in builds if build.kind == "package")
    data: dict[str, object] = {
        "request": request.id,
        "origin": request.origin,
        "actor": request.actor,
        "profile": request.profile,
        "state": request.state,
        "reason": request.reason,
        "refused": len(request.refused),
        **{state: counts[state] for state in ("succeeded", "failed", "held", "cancelled")},
    }
    return Event("build_complete", now, data)


def _build(build: Build) -> dict[str, object]:
    return {
        "build": build.id,
        "kind": build.kind,
        "package": str(build.package or ""),
        "profile": build.profile,
        "state": build.state,
        "attempt": build.attempt,
        "drone": build.drone,
        "reason": build.reason,
    }

"""How the work of drones is drawn, and what is said of an event."""

from __future__ import annotations

from typing import Any

from reconciler.adapters.swarm.orchestrator_http import Happened
from reconciler.cli.swarm.drones import state_of
from reconciler.cli.swarm.queue import in_short
from reconciler.cli.swarm.queue_watch import in_words, tree

LEFT = {"low": 60.0, "expected": 120.0, "high": 600.0}


def build(id: str, state: str, since: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"id": id, "title": f"app-misc/{id}-1", "state": state, "since": since, "reason": "", **more}


def drone(name: str, *holds: dict[str, Any], **more: Any) -> dict[str, Any]:
    shown = {"name": name, "state": "building", "cores": 4, "load": 1.25, "build": "", "phase": ""}
    return {**shown, "drained": False, "draining": False, "sweeper": False, "holds": list(holds), **more}


def queue(*entries: dict[str, Any]) -> dict[str, Any]:
    told = [
        {"build": each, "why": each["reason"], "left": LEFT if each["state"] == "building" else None}
        for each in entries
    ]
    error = {"median": 0.0, "spread": 0.3, "count": 7}
    return {"entries": told, "states": {"building": 1, "queued": 20}, "drain": LEFT, "error": error}


def test_drones_stand_with_what_they_hold_and_what_waits_stands_below() -> None:
    running, next_ = build("a", "building", 940.0), build("b", "leased")
    waiting = [build(f"w{number}", "queued", reason="waits for app-misc/a-1") for number in range(14)]
    drones = [drone("tau", running, next_, build="a", phase="compile"), drone("izar", state="offline", drained=True)]

    assert tree(queue(running, next_, *waiting), drones, 1000.0) == [
        "1 building, 20 queued; all of it has ended in 2m (1m-10m); estimates are off by 35% (7 builds)",
        "├─ tau  building  4 cores  load 1.2",
        "│  ├─ app-misc/a-1  building for 1m  compile  ends in 2m (1m-10m)",
        "│  └─ app-misc/b-1  next",
        "├─ izar  offline, drained  4 cores  load 1.2",
        "└─ waiting: 14",
        *(f"   ├─ app-misc/w{number}-1  waits for app-misc/a-1" for number in range(12)),
        "   └─ and 2 more",
    ]
    assert tree({**queue(), "entries": []}, [], 0.0) == ["nothing is queued"]


def test_how_long_it_takes_is_a_span_a_moment_or_nobodys_guess() -> None:
    told, soon = queue(build("a", "building")), {"low": 0.0, "expected": 0.2, "high": 0.9}

    assert "; all of it has ended in a moment; " in in_short({**told, "drain": soon})
    assert in_short({**told, "drain": None}) == "1 building, 20 queued; nobody can say how long it takes"


def test_a_drone_that_was_stopped_has_ended_and_one_that_fell_silent_is_offline() -> None:
    assert state_of(drone("tau", state="offline", draining=True, gone=True)) == "ended"
    assert state_of(drone("tau", state="offline", draining=True, gone=False)) == "offline"
    assert state_of(drone("tau", draining=True, gone=False)) == "building, ends"
    assert state_of(drone("tau", state="ready", draining=True, unable="no room")) == "ready, unable"


def test_an_event_is_said_in_a_line_for_each_thing() -> None:
    builds = [
        {"build": "b1", "package": "a/b-1", "state": "building", "drone": "tau", "reason": ""},
        {"build": "b2", "package": "", "state": "failed", "drone": "", "reason": "no compiler"},
    ]
    told: dict[str, dict[str, Any]] = {
        "queue_update": {"builds": builds, "more": 3},
        "build_complete": {"request": "r", "state": "complete", "succeeded": 2, "failed": 0, "held": 1},
        "build_progress": {"build": "b1", "package": "a/b-1", "phase": "compile", "drone": "tau"},
        "drone_status": {"drone": "tau", "state": "offline", "reason": "no word for 60 s"},
        "something_new": {"state": "x"},
    }

    assert [list(in_words(Happened(1, kind, data))) for kind, data in told.items()] == [
        ["a/b-1: building on tau", "b2: failed (no compiler)", "and 3 more"],
        ["request r: complete, 2 succeeded, 1 held"],
        ["a/b-1: compile on tau"],
        ["tau: offline (no word for 60 s)"],
        ["something_new: x"],
    ]

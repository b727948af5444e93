"""Ends of passes, to be told."""

from __future__ import annotations

from reconciler.errors import Terminal
from reconciler.model.changes import Changes
from reconciler.model.observed import Container, Slot
from reconciler.model.plan import Action, ContainerSpec, Plan, Step
from reconciler.model.repository import Commit
from reconciler.model.result import Result, WayBack

OLD, NEW = "9e01d77" + "0" * 33, "4f2c1ab" + "0" * 33
STARTED = 1_700_000_000.0
BROKEN = Terminal(
    "E-VERIFY-UNHEALTHY",
    "core/api is not healthy",
    why="502 from the health check",
    next="fix it and push",
    unchanged="everything runs as of 9e01d77 again",
)


def container(image: str = "app:1") -> Container:
    """One that runs."""
    return Container("c1", "core-api-1", "running", image, stack="core", service="api")


def plan(*actions: Action, new_image: str = "app:1") -> Plan:
    """A step of each action for core/api."""
    slot = Slot("core", "api", 1)
    steps = []
    for action in actions:
        spec = None if action is Action.REMOVE else ContainerSpec(slot, "core-api-1", new_image, "v1:x", {})
        current = None if action is Action.CREATE else container()
        steps.append(Step(slot, action, ("because",), current, spec))
    return Plan("caroline", NEW, OLD, tuple(steps))


def success(made: Plan | None = None) -> Result:
    return Result(
        "run-1",
        "succeeded",
        0,
        "1 replace",
        revision=NEW,
        base=OLD,
        plan=made or plan(Action.REPLACE),
        seconds=3.2,
        actor="ana",
        host="caroline",
        started=STARTED,
    )


def nothing() -> Result:
    return Result(
        "run-2", "unchanged", 0, "nothing to do", NEW, NEW, plan=plan(), host="caroline", started=STARTED, seconds=0.1
    )


def failure() -> Result:
    return Result(
        "run-3",
        "rolled-back",
        4,
        "core/api is not healthy",
        revision=NEW,
        base=OLD,
        plan=plan(Action.REPLACE),
        error=BROKEN,
        seconds=12.0,
        actor="timer",
        host="caroline",
        started=STARTED,
        attempt=2,
        phase="verify",
        log=tuple(f"line {number}" for number in range(40)),
        back=WayBack(OLD, ("core-api-1",), seconds=1.5, ahead=("schema",)),
    )


def commits(count: int) -> Changes:
    """So many commits, each of one file."""
    made = tuple(Commit(f"{n:07}" + "0" * 33, f"change *{n}* by @everyone", "ana", 0) for n in range(count))
    return Changes(count, 2 * count, count, manifests=True, commits=made[:50], more=max(0, count - 50))

"""status: how things are."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options, settings_of, table
from reconciler.cli.progress import Silent
from reconciler.cli.times import ago, span
from reconciler.errors import ReconcilerError, Transient
from reconciler.model.observed import Container
from reconciler.model.plan import Plan
from reconciler.model.report import Pause, Run

EX_DRIFT = 2


@click.command(cls=Helpful, short_help="Show what runs, and whether it is what git wants.")
@click.option("--check", is_flag=True, help="Exit 2 when something is not as git wants it.")
@click.option("-w", "--watch", is_flag=True, help="Look again every two seconds, until interrupted.")
@global_options
@click.pass_obj
def status(frame: Frame, check: bool, watch: bool) -> int:
    """Desired and running revision, sync and health of this host.

    Asks the engine, not the remote: DESIRED is what the latest pass went for. SYNC is one of synced, drift, behind,
    held (the head is blocked), paused, and unknown (the manifests cannot be read).
    """
    while watch:
        answer = _status(frame)
        if frame.output in ("table", "wide"):
            click.clear()
        give(frame, answer, one_line=True)
        time.sleep(2)
    answer = _status(frame)
    give(frame, answer)
    return EX_DRIFT if check and not answer.data["in_sync"] else 0


def _status(frame: Frame) -> Answer:
    from reconciler.cli.look import last_seen, look
    from reconciler.quick.look import checked as quick_look
    from reconciler.wiring import SystemClock, make_rules, make_world

    settings = settings_of(frame)
    world = make_world(settings, SystemClock(), Silent())
    pause = world.signals.paused()
    last = next(iter(world.ledger.runs(1)), None)
    if last is None:
        lines = [f"{settings.host}: no pass has run yet", "  next: reconciler plan, then reconciler converge"]
        data = {"host": settings.host, "in_sync": False, "paused": asdict(pause) if pause else None, "last_run": None}
        return Answer(data, lines, [settings.host])
    running = world.signals.stamp()
    try:
        seen = look(world, make_rules(settings), last_seen(world))
    except Transient:
        raise
    except ReconcilerError as error:  # a bad commit must not hide what runs
        return _unreadable(settings.host, running, pause, last, error)
    plan = seen.picture.plan
    held = seen.target.held
    sync = _sync(plan, bool(held), bool(seen.picture.drifted), running, pause)
    health, sick = _health(plan)
    checked = max(last.ended or last.started, quick_look(settings))
    lines = _row(settings.host, plan.revision, running, sync, health, checked, _note(pause, held, last, sick))
    if frame.wide or sync == "drift":
        lines += [f"  {step.slot}: {step.action} ({'; '.join(step.reasons)})" for step in plan.steps]
        lines += [f"  working tree: {path} differs" for path in seen.picture.drifted]
    if frame.wide:
        lines += [f"  {done.slot}: {_state(done.container)}" for done in plan.satisfied]
    data = {
        "host": settings.host,
        "desired": plan.revision,
        "running": running,
        "sync": sync,
        "health": health,
        "in_sync": sync == "synced" and health == "ok",
        "paused": asdict(pause) if pause else None,
        "held": held,
        "last_run": asdict(last),
        "checked": checked,
        "drift": [str(step.slot) for step in plan.steps],
        "working_tree": list(seen.picture.drifted),
        "unhealthy": sick,
    }
    return Answer(data, lines, [settings.host], seen.warnings)


def _unreadable(host: str, running: str, pause: Pause | None, last: Run, error: ReconcilerError) -> Answer:
    """What can be said when the manifests of the latest revision, or the branch itself, are no good."""
    sync, checked = "paused" if pause else "unknown", last.ended or last.started
    data = {
        "host": host,
        "desired": last.revision,
        "running": running,
        "sync": sync,
        "health": "unknown",
        "in_sync": False,
        "paused": asdict(pause) if pause else None,
        "held": error.what,
        "last_run": asdict(last),
        "checked": checked,
        "drift": [],
        "working_tree": [],
        "unhealthy": [],
    }
    lines = _row(host, last.revision, running, sync, "unknown", checked, _note(pause, str(error), last, []))
    return Answer(data, lines, [host], (str(error),))


def _row(host: str, desired: str, running: str, sync: str, health: str, checked: float, note: str) -> list[str]:
    row = [host, desired[:7] or "-", running[:7] or "-", sync, health, ago(checked), note]
    return table([["HOST", "DESIRED", "RUNNING", "SYNC", "HEALTH", "CHECKED", "NOTE"], row])


def _state(container: Container) -> str:
    return container.state if container.health == "none" else f"{container.state}, {container.health}"


def _sync(plan: Plan, held: bool, drifted: bool, running: str, pause: Pause | None) -> str:
    if pause:
        return "paused"
    if held:
        return "held"
    if running != plan.revision:
        return "behind"
    return "synced" if plan.empty and not drifted else "drift"


def _health(plan: Plan) -> tuple[str, list[str]]:
    containers = [(s.slot, s.container) for s in plan.satisfied if not s.job]
    containers += [(s.slot, s.current) for s in plan.steps if s.current]
    sick = [str(slot) for slot, c in containers if c.state != "running" or c.health == "unhealthy"]
    starting = any(c.health == "starting" for _, c in containers)
    return ("sick" if sick else "starting" if starting else "ok"), sick


def _note(pause: Pause | None, held: str, last: Run, sick: list[str]) -> str:
    if pause:
        left = f", {span(pause.left)} left" if pause.left else ""
        return f'"{pause.reason or "no reason given"}" {pause.holder}{left}'.strip()
    if held:
        return held
    if last.outcome not in ("succeeded", "unchanged", ""):
        return f"last pass: {last.outcome}: {last.reason}"
    return f"sick: {', '.join(sick)}" if sick else ""

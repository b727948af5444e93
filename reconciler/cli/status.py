"""status, history: how things are, and how they came to be."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click

from reconciler.cli.frame import Answer, Frame, give, global_options, table
from reconciler.cli.progress import Silent
from reconciler.cli.scope import UnknownRun
from reconciler.model.plan import Plan
from reconciler.model.report import Pause, Run

EX_DRIFT = 2


@click.command()
@click.option("--check", is_flag=True, help="Exit 2 when something is not as git wants it.")
@click.option("-w", "--watch", is_flag=True, help="Look again every two seconds, until interrupted.")
@global_options
@click.pass_obj
def status(frame: Frame, check: bool, watch: bool) -> int:
    """Desired and running revision, sync and health of this host. Asks the engine, not the remote."""
    while watch:
        answer = _status(frame)
        click.clear()
        give(frame, answer)
        time.sleep(2)
    answer = _status(frame)
    give(frame, answer)
    return EX_DRIFT if check and not answer.data["in_sync"] else 0


def _status(frame: Frame) -> Answer:
    from reconciler.cli.look import look
    from reconciler.settings import load_settings
    from reconciler.wiring import SystemClock, make_rules, make_world

    settings = load_settings(frame.config or None)
    world = make_world(settings, SystemClock(), Silent())
    rules = make_rules(settings)
    pause = world.signals.paused()
    last = next(iter(world.ledger.runs(1)), None)
    if last is None:
        lines = [f"{settings.host}: no pass has run yet", "  next: reconciler plan, then reconciler converge"]
        return Answer({"host": settings.host, "in_sync": False, "last_run": None}, lines, [settings.host])
    seen = look(world, rules, fetch=False)
    plan = seen.picture.plan
    running = world.signals.stamp()
    sync = _sync(plan, seen.target.held, bool(seen.picture.drifted), running, pause)
    health, sick = _health(plan)
    note = _note(pause, seen.target.reason if seen.target.held else "", last, sick)
    row = [settings.host, plan.revision[:7], running[:7] or "-", sync, health, _ago(last.ended or last.started), note]
    lines = table([["HOST", "DESIRED", "RUNNING", "SYNC", "HEALTH", "CHECKED", "NOTE"], row])
    if frame.wide or sync == "drift":
        lines += [f"  {step.slot}: {step.action} ({'; '.join(step.reasons)})" for step in plan.steps]
    if frame.wide:
        lines += [f"  {s.slot}: {s.container.state} {s.container.health}".removesuffix(" none") for s in plan.satisfied]
    data = {
        "host": settings.host,
        "desired": plan.revision,
        "running": running,
        "sync": sync,
        "health": health,
        "in_sync": sync == "synced" and health == "ok",
        "paused": asdict(pause) if pause else None,
        "held": seen.target.reason if seen.target.held else "",
        "last_run": asdict(last),
        "drift": [str(step.slot) for step in plan.steps],
        "unhealthy": sick,
    }
    return Answer(data, lines, [settings.host], [w for w in seen.warnings if "without a fetch" not in w])


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
        left = f", {_span(pause.left)} left" if pause.left else ""
        return f'"{pause.reason or "no reason given"}" {pause.holder}{left}'.strip()
    if held:
        return held
    if last.outcome not in ("succeeded", "unchanged", ""):
        return f"last pass: {last.outcome}: {last.reason}"
    return f"sick: {', '.join(sick)}" if sick else ""


@click.group(invoke_without_command=True)
@click.option("-n", "--limit", default=20, show_default=True, help="How many passes.")
@click.option("--stack", default="", help="Only passes with a step of this stack.")
@global_options
@click.pass_context
def history(ctx: click.Context, limit: int, stack: str) -> int:
    """What passes did, the newest first; `history show ID` has every step of one."""
    if ctx.invoked_subcommand:
        return 0
    frame: Frame = ctx.obj
    runs = _ledger(frame).runs(limit, stack=stack)
    rows = [["ID", "WHEN", "COMMAND", "ACTOR", "REVISION", "OUTCOME", "TOOK", "REASON"]]
    rows += [
        [
            run.id,
            _ago(run.started),
            run.command,
            run.actor,
            run.revision[:7] or "-",
            run.outcome or "running",
            _took(run),
            run.reason,
        ]
        for run in runs
    ]
    data = {"runs": [asdict(run) for run in runs]}
    return give(frame, Answer(data, table(rows) if runs else ["no pass has run yet"], [run.id for run in runs]))


@history.command()
@click.argument("run_id", metavar="ID")
@global_options
@click.pass_obj
def show(frame: Frame, run_id: str) -> int:
    """One pass with its steps and their reasons."""
    try:
        run, steps = _ledger(frame).run(run_id)
    except KeyError:
        raise UnknownRun(
            "E-RUN", f"there is no pass {run_id!r}", why="history does not have it", next="reconciler history"
        ) from None
    lines = [
        f"{run.id}  {run.command} by {run.actor}: {run.outcome or 'running'} ({run.reason or 'no reason'})",
        f"  revision {run.revision or '-'}, verified before it {run.base or '-'}, took {_took(run)}",
        *(f"  {s.stack}/{s.service}  {s.action}: {s.result}  ({'; '.join(s.reasons)})" for s in steps),
        *(f"  {line}" for line in run.detail.splitlines()),
    ]
    return give(frame, Answer({"run": asdict(run), "steps": [asdict(step) for step in steps]}, lines, [run.id]))


def _ledger(frame: Frame) -> Any:
    from reconciler.adapters.ledger import SqliteLedger
    from reconciler.settings import load_settings

    return SqliteLedger(f"{load_settings(frame.config or None).state.directory}/ledger.db")


def _took(run: Run) -> str:
    return "-" if run.ended is None else f"{run.ended - run.started:.1f}s"


def _ago(then: float) -> str:
    return f"{_span(max(0.0, time.time() - then))} ago"


def _span(seconds: float) -> str:
    """The largest fitting unit, as people say it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"

"""status: how things are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options, settings_of, table
from reconciler.cli.paused import pause_words, paused_stacks, stack_words
from reconciler.cli.progress import Silent
from reconciler.cli.times import ago, span
from reconciler.core.counting import count
from reconciler.core.wording import packages_of, verb
from reconciler.errors import ReconcilerError, Terminal, Transient
from reconciler.model.observed import Container
from reconciler.model.plan import Action, Plan
from reconciler.model.report import Pause, Run

if TYPE_CHECKING:
    from reconciler.adapters.ledger.view import LedgerView
    from reconciler.convergence.world import World
    from reconciler.model.sets import PackageDrift
    from reconciler.model.settings import Settings

EX_DRIFT = 2
OLD_PAUSE = 3600.0
"""Seconds after which a pause may be one that was forgotten."""


@click.command(cls=Helpful, short_help="Show what runs, and whether it is what git wants.")
@click.option(
    "--check",
    is_flag=True,
    help="Exit 2 for drift, 1 when no pass has ended well for long.",
)
@click.option("-w", "--watch", is_flag=True, help="Look again every two seconds, until interrupted.")
@global_options
@click.pass_obj
def status(frame: Frame, check: bool, watch: bool) -> int:
    """Desired and running revision, sync and health of this host.

    Asks the engine, not the remote: DESIRED is what the latest pass went for, RUNNING what was verified last. SYNC:
    synced; drift (something is not as git wants it; the next pass heals it); behind (DESIRED is not all there yet);
    held (the head of the branch is held back); paused (the host, or a stack while the others are synced); unknown (the
    manifests cannot be read, or what packages there are).
    """
    while watch:
        answer = _status(frame)
        if frame.output in ("table", "wide"):
            click.clear()
        give(frame, answer, one_line=True)
        time.sleep(2)
    answer = _status(frame)
    stale = _stale(frame, answer) if check else None
    if stale:
        answer = replace(answer, ok=False, error=stale, exit_code=stale.exit_code)
    give(frame, answer)
    return stale.exit_code if stale else EX_DRIFT if check and not answer.data["in_sync"] else 0


def _stale(frame: Frame, answer: Answer) -> ReconcilerError | None:
    """Silence is a failure: no pass has ended well for too long.

    While a person holds the host it is meant; a host on which none has run yet is one that is being set up.
    """
    limit, last = settings_of(frame).heartbeat.stale_after, answer.data["last_run"]
    if not limit or last is None or answer.data["paused"]:
        return None
    well = answer.data["last_success"] or last["started"]
    if time.time() - well < limit:
        return None
    return Terminal(
        "E-STALE",
        f"no pass has ended well for {span(time.time() - well)}",
        why=f"one is expected at least every {span(limit)} (heartbeat.stale_after)",
        next="reconciler doctor; and look at what starts passes: systemctl status reconciler.timer",
    )


def _status(frame: Frame) -> Answer:
    from reconciler.wiring import view_ledger

    settings = settings_of(frame)
    with closing(view_ledger(settings)) as view:
        return _seen(frame, settings, view)


def _seen(frame: Frame, settings: Settings, view: LedgerView) -> Answer:
    from reconciler.cli.look import last_seen, look
    from reconciler.quick.look import checked as quick_look
    from reconciler.wiring import make_heartbeat, make_rules, make_world
    from reconciler.wiring.clock import SystemClock

    noted = (view.note,) if view.note else ()
    world = make_world(settings, SystemClock(), Silent(), view=view)
    pause, stacks = world.signals.paused(), paused_stacks(settings.state.directory, world.signals)
    last = next(iter(world.ledger.runs(1)), None)
    if last is None:
        stamp = world.signals.stamp()
        known = f"no pass is recorded; {stamp[:7]} was verified last" if stamp else "no pass has run yet"
        lines = [f"{settings.host}: {known}", "  next: reconciler plan, then reconciler converge"]
        data = {"host": settings.host, "in_sync": False, "last_run": None, **_pauses(pause, stacks)}
        data |= _signs(settings)
        return Answer(data, lines, [settings.host], noted)
    running = world.signals.stamp()
    try:
        seen = look(world, make_rules(settings), _head(settings, world, last) or last_seen(world))
    except Transient:
        raise
    except ReconcilerError as error:  # a bad commit must not hide what runs
        told = _unreadable(settings.host, running, pause, stacks, last, error)
        return replace(
            told, data={**told.data, **_signs(settings)}, warnings=(*noted, *told.warnings, *_nags(settings, pause))
        )
    plan, whole = seen.picture.plan, seen.picture.whole
    held = (
        seen.target.held or make_heartbeat(settings).read().held
    )  # the head itself may be newer than what is looked at
    sync = _sync(plan, bool(held), bool(seen.picture.drifted), running, pause, seen.packages)
    sync = "paused" if stacks and sync == "synced" else sync
    health, sick = _health(whole)  # what is paused can be sick, too
    checked = max(last.ended or last.started, quick_look(settings))
    note = _note(pause, stacks, held, last, sick, seen.packages)
    lines = _row(settings.host, plan.revision, running, sync, health, checked, note)
    if frame.wide or sync == "drift":
        lines += [f"  {step.slot}: {verb(step.action)} ({'; '.join(step.reasons)})" for step in plan.steps]
        lines += [f"  working tree: {path} differs" for path in seen.picture.drifted]
    if seen.packages and (frame.wide or not seen.packages.in_sync):
        from reconciler.core.packages.wording import package_counts, package_lines

        lines += [*package_lines(seen.packages), f"  {package_counts(seen.packages)}"]
    if frame.wide:
        lines += [*_waiting(whole, plan), *(f"  {done.slot}: {_state(done.container)}" for done in whole.satisfied)]
    data = {
        "host": settings.host,
        "desired": plan.revision,
        "running": running,
        "sync": sync,
        "health": health,
        "in_sync": sync == "synced" and health == "ok",
        **_pauses(pause, stacks),
        "held": held,
        "last_run": asdict(last),
        "checked": checked,
        "drift": [str(step.slot) for step in whole.steps],
        "working_tree": list(seen.picture.drifted),
        "unhealthy": sick,
        "packages": packages_of(seen.packages),
        **_signs(settings),
    }
    return Answer(data, lines, [settings.host], (*noted, *seen.warnings, *_nags(settings, pause)))


def _head(settings: Settings, world: World, last: Run) -> str:
    """After a rollback the head of the branch as it was fetched last, of which no pass has told yet; "" otherwise."""
    if last.command != "rollback" or last.outcome not in ("succeeded", "unchanged"):
        return ""
    from reconciler.git.objects import newest_fetched

    head = newest_fetched(Path(settings.state.directory) / "repository.git")
    return head if head and world.repository.has(head) else ""


def _pauses(pause: Pause | None, stacks: Mapping[str, Pause]) -> dict[str, Any]:
    """What is paused: the host, and stacks by name."""
    return {
        "paused": asdict(pause) if pause else None,
        "paused_stacks": {name: asdict(each) for name, each in stacks.items()},
    }


def _waiting(whole: Plan, plan: Plan) -> Iterator[str]:
    """What is not as git wants it, and waits for the end of a pause."""
    now = {step.slot for step in plan.steps}
    for step in whole.steps:
        if step.slot not in now:
            there = _state(step.current) if step.current else "not there"
            yield f"  {step.slot}: {there}; after the pause: {verb(step.action)} ({'; '.join(step.reasons)})"


def _signs(settings: Settings) -> dict[str, Any]:
    """When a pass ended well the last time, and how notices fare."""
    from reconciler.core.heartbeat import success
    from reconciler.quick.look import checked as quick_look
    from reconciler.wiring import make_heartbeat, make_outbox

    box = make_outbox(settings).load()
    stopped = {name: {"why": each.why, "at": each.at} for name, each in box.stopped.items()}
    return {
        "last_success": success(make_heartbeat(settings).read(), quick_look(settings)),
        "notices": {"waiting": len(box.waiting), "stopped": stopped},
    }


def _nags(settings: Settings, pause: Pause | None) -> Iterator[str]:
    """What people forget: a pause that nobody ended, and notices that nobody gets."""
    from reconciler.cli.telling import since
    from reconciler.wiring import make_heartbeat, make_outbox

    now = time.time()
    began = since(pause, now, make_heartbeat(settings).read().paused)
    if pause and now - began > OLD_PAUSE:
        yield f"paused for {span(now - began)} already; when that is over: reconciler resume {settings.host}"
    box = make_outbox(settings).load()
    for name, stopped in box.stopped.items():
        yield f"no notices to {name} for {span(now - stopped.at)}: {stopped.why}; mend it, then: reconciler notify test"
    if box.waiting and not box.stopped:
        yield f"{count(len(box.waiting), 'notice waits', 'notices wait')} to be delivered"


def _unreadable(
    host: str, running: str, pause: Pause | None, stacks: Mapping[str, Pause], last: Run, error: ReconcilerError
) -> Answer:
    """What can be said when the manifests of the latest revision, or the branch itself, are no good."""
    sync, checked = "paused" if pause else "unknown", last.ended or last.started
    data = {
        "host": host,
        "desired": last.revision,
        "running": running,
        "sync": sync,
        "health": "unknown",
        "in_sync": False,
        **_pauses(pause, stacks),
        "held": error.what,
        "last_run": asdict(last),
        "checked": checked,
        "drift": [],
        "working_tree": [],
        "unhealthy": [],
        "packages": None,
    }
    lines = _row(host, last.revision, running, sync, "unknown", checked, _note(pause, stacks, str(error), last, []))
    return Answer(data, lines, [host], (str(error),))


def _row(host: str, desired: str, running: str, sync: str, health: str, checked: float, note: str) -> list[str]:
    row = [host, desired[:7] or "-", running[:7] or "-", sync, health, ago(checked), note]
    return table([["HOST", "DESIRED", "RUNNING", "SYNC", "HEALTH", "CHECKED", "NOTE"], row])


def _state(container: Container) -> str:
    return container.state if container.health == "none" else f"{container.state}, {container.health}"


def _sync(
    plan: Plan, held: bool, drifted: bool, running: str, pause: Pause | None, packages: PackageDrift | None
) -> str:
    if pause:
        return "paused"
    if held:
        return "held"
    if running != plan.revision:
        return "behind"
    if not plan.empty or drifted or (packages and packages.lacks):
        return "drift"
    return "unknown" if packages and packages.unknown else "synced"


def _health(plan: Plan) -> tuple[str, list[str]]:
    containers = [(s.slot, s.container) for s in plan.satisfied if not s.job]
    containers += [(s.slot, s.current) for s in plan.steps if s.current]
    sick = [str(slot) for slot, c in containers if c.state != "running" or c.health == "unhealthy"]
    if plan.revision == plan.base:  # what is new is no illness
        sick += [str(s.slot) for s in plan.steps if s.action is Action.CREATE]
    starting = any(c.health == "starting" for _, c in containers)
    return ("sick" if sick else "starting" if starting else "ok"), sick


def _note(
    pause: Pause | None,
    stacks: Mapping[str, Pause],
    held: str,
    last: Run,
    sick: list[str],
    packages: PackageDrift | None = None,
) -> str:
    if pause:
        return pause_words(pause)
    return "; ".join(filter(None, (_trouble(held, last, sick, packages), stack_words(stacks))))


def _trouble(held: str, last: Run, sick: list[str], packages: PackageDrift | None) -> str:
    if held:
        return held
    if last.outcome not in ("succeeded", "unchanged", ""):
        return f"last pass: {last.outcome}: {last.reason}"
    if sick:
        return f"sick: {', '.join(sick)}"
    if packages is None or packages.in_sync:
        return ""
    return (
        f"packages: {packages.unknown}"
        if packages.unknown
        else count(len(packages.lacks), "package lacks", "packages lack")
    )

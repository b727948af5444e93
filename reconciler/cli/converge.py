"""plan, diff, converge: what would be done, why, and doing it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from reconciler.cli.frame import Answer, Frame, give, global_options
from reconciler.cli.progress import showing
from reconciler.errors import Busy, Refused
from reconciler.model.plan import Action, Plan
from reconciler.ports import Progress

EX_CHANGES = 2


@click.command()
@click.argument("target", required=False, default="")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there is something to do.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write the plan, for converge --plan.")
@global_options
@click.pass_obj
def plan(frame: Frame, target: str, detailed_exitcode: bool, out: str | None) -> int:
    """Show what a pass would do, and why. Changes nothing."""
    look = _Look(frame, target)
    data = look.data()
    lines = look.lines()
    if out:
        Path(out).write_text(json.dumps({"digest": digest(look.plan), **data}, indent=2) + "\n")
        lines.append(f"Apply exactly this: reconciler converge --plan {out}")
    changes = not look.plan.empty or bool(look.drifted)
    code = EX_CHANGES if detailed_exitcode and changes else 0
    names = [str(step.slot) for step in look.plan.steps]
    return give(frame, Answer(data, lines, names, look.warnings, code))


@click.command()
@click.argument("target")
@click.option("--exit-code", is_flag=True, help="Exit 1 when there is a difference.")
@global_options
@click.pass_obj
def diff(frame: Frame, target: str, exit_code: bool) -> int:
    """Show every difference between git and what runs, field by field and file by file."""
    look = _Look(frame, target)
    lines: list[str] = []
    for step in look.plan.steps:
        lines.append(f"{step.slot}  ({step.action})")
        lines += [f"  {reason}" for reason in step.reasons]
    lines += [f"working tree: {path} differs" for path in look.drifted]
    lines += look.changed_files()
    data = look.data() | {"working_tree": list(look.drifted), "files": look.changes_data()}
    differs = not look.plan.empty or bool(look.drifted)
    shown = lines or ["no difference"]
    return give(
        frame, Answer(data, shown, [str(s.slot) for s in look.plan.steps], look.warnings, int(exit_code and differs))
    )


@click.command()
@click.argument("target", required=False, default="")
@click.option(
    "--plan", "plan_file", type=click.Path(exists=True, dir_okay=False), help="Do exactly this plan, or nothing."
)
@click.option("--dry-run", is_flag=True, help="The same as plan.")
@click.option("--yes", is_flag=True, help="Do not ask, not even on a terminal.")
@global_options
@click.pass_context
def converge(ctx: click.Context, target: str, plan_file: str | None, dry_run: bool, yes: bool) -> int:
    """One pass: fetch, plan, prepare, apply, verify; on failure, what ran before serves again."""
    frame: Frame = ctx.obj
    if dry_run:
        return int(ctx.invoke(plan, target=target))
    from reconciler.adapters.lock import Holder, PassLock
    from reconciler.convergence.converge import Pass, Request
    from reconciler.core.wording import result_data, result_lines
    from reconciler.model.result import Result
    from reconciler.settings import load_settings
    from reconciler.wiring import SystemClock, make_rules, make_world, new_run, stopping_politely

    settings = load_settings(frame.config or None)
    confirm = _Confirm(frame, yes, plan_file)
    clock = SystemClock()
    actor = _actor()
    progress: Progress
    with showing(quiet=frame.quiet, verbose=frame.verbose, color=frame.color) as progress, stopping_politely(clock):
        rules = make_rules(settings, target)

        def one_pass() -> Result:
            request = Request(new_run(), "converge", actor, confirm)
            return Pass(make_world(settings, clock, progress), rules, request).run()

        lock = PassLock(settings.state.directory)
        holder = Holder(os.getpid(), clock.now(), f"converge, asked by {actor}")
        result = lock.take_turns(lambda: holder, one_pass)
    answer = Answer(
        result_data(result),
        result_lines(result),
        [str(step.slot) for step in result.plan.steps] if result.plan else [],
        result.warnings,
        result.exit_code,
        ok=result.exit_code == 0,
        error=result.error,
    )
    return give(frame, answer)


@dataclass(frozen=True, slots=True)
class _Confirm:
    """The yes to a plan: asked only of a person at a terminal, and only when something is recreated or removed."""

    frame: Frame
    yes: bool
    plan_file: str | None

    def __call__(self, plan: Plan) -> bool:
        if self.plan_file:
            return self._is_the_same(plan)
        risky = plan.count(Action.REPLACE) + plan.count(Action.REMOVE)
        if self.yes or not risky or not sys.stdin.isatty():
            return True
        if not self.frame.input:
            return False
        from reconciler.core.wording import plan_lines

        for line in plan_lines(plan):
            click.echo(line, err=True)
        return click.confirm("Go ahead?", err=True)

    def _is_the_same(self, plan: Plan) -> bool:
        assert self.plan_file is not None
        try:
            saved = json.loads(Path(self.plan_file).read_text()).get("digest")
        except (ValueError, AttributeError):
            saved = None
        if saved != digest(plan):
            raise Refused(
                "E-PLAN-STALE",
                f"{self.plan_file} is not what would be done now",
                why="git or the host changed since it was written",
                next=f"look again: reconciler plan --out {self.plan_file}",
            )
        return True


def digest(plan: Plan) -> str:
    """What makes two plans the same: revision, steps and the containers they touch."""
    from reconciler.core.wording import plan_data

    return hashlib.sha256(json.dumps(plan_data(plan), sort_keys=True).encode()).hexdigest()


class _Look:
    """One look at git and the host, without changing either."""

    def __init__(self, frame: Frame, target: str) -> None:
        from reconciler.adapters.lock import Holder, PassLock
        from reconciler.cli.look import look
        from reconciler.settings import load_settings
        from reconciler.wiring import SystemClock, make_rules, make_world

        settings = load_settings(frame.config or None)
        clock = SystemClock()
        with showing(quiet=frame.quiet or frame.machine, verbose=frame.verbose, color=frame.color) as progress:
            world = make_world(settings, clock, progress)
            lock = PassLock(settings.state.directory)
            try:
                lock.acquire(Holder(os.getpid(), clock.now(), "plan"))
                seen = look(world, make_rules(settings, target), fetch=True)
            except Busy:
                seen = look(world, make_rules(settings, target), fetch=False)
            finally:
                lock.release()
        self._seen, self._world = seen, world
        self.plan: Plan = seen.picture.plan
        self.drifted = seen.picture.drifted
        self.warnings = seen.warnings

    def lines(self) -> list[str]:
        from reconciler.core.wording import plan_lines

        lines = plan_lines(self.plan, self._seen.target.reason if self._seen.target.held else "")
        if self.drifted:
            shown = ", ".join(self.drifted[:5]) + (" ..." if len(self.drifted) > 5 else "")
            lines.insert(-1, f"  ~ working tree  {len(self.drifted)} files to write: {shown}")
        return lines

    def data(self) -> dict[str, Any]:
        from reconciler.core.wording import plan_data

        return plan_data(self.plan) | {"held": self._seen.target.held, "target_reason": self._seen.target.reason}

    def changed_files(self) -> list[str]:
        return [f"git: {c.path}  +{c.insertions} -{c.deletions} ({c.status})" for c in self._changes()]

    def changes_data(self) -> list[dict[str, Any]]:
        return [{"path": c.path, "status": c.status, "+": c.insertions, "-": c.deletions} for c in self._changes()]

    def _changes(self) -> Any:
        return self._world.repository.changes(self.plan.base, self.plan.revision) if self.plan.base else ()


def _actor() -> str:
    """Who asks: the init system's own word, or the person behind sudo."""
    if "INVOCATION_ID" in os.environ and not sys.stdin.isatty():
        return "timer"
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"

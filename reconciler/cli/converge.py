"""plan, diff, converge: what would be done, why, and doing it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from reconciler.cli.actor import actor
from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options, settings_of
from reconciler.cli.progress import showing, standing_aside
from reconciler.cli.results import answer_of
from reconciler.cli.target import target_argument
from reconciler.core.counting import count
from reconciler.core.gate.wording import gate_data, gate_lines
from reconciler.core.wording import changes_data, changes_lines, packages_of, plan_data, plan_lines, verb
from reconciler.errors import Refused, Terminal
from reconciler.model.plan import Action, Plan
from reconciler.model.result import Result
from reconciler.ports import Progress

EX_CHANGES = 2


@click.command(cls=Helpful, short_help="Show what a pass would do, and why.")
@target_argument(required=False)
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there is something to do.")
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Write the plan, for converge --plan.")
@global_options
@click.pass_obj
def plan(frame: Frame, target: str, detailed_exitcode: bool, out: str | None) -> int:
    """Show what a pass would do, and why: for the whole host, or for HOST/STACK or HOST/STACK/SERVICE.

    The branch is fetched; nothing that runs and no file of the working tree is changed.
    """
    look = _Look(frame, target)
    data = look.data()
    lines = look.lines()
    if out:
        _save(Path(out), {"digest": digest(look.plan), "target": target, **data})
        lines.append(f"Apply exactly this: reconciler converge --plan {out}")
    code = EX_CHANGES if detailed_exitcode and not look.settled else 0
    names = [str(step.slot) for step in look.plan.steps]
    return give(frame, Answer(data, lines, names, look.warnings, code))


@click.command(cls=Helpful, short_help="Show every difference, field by field and file by file.")
@target_argument()
@click.option("--exit-code", is_flag=True, help="Exit 1 when there is a difference.")
@global_options
@click.pass_obj
def diff(frame: Frame, target: str, exit_code: bool) -> int:
    """Show every difference between git and what runs, field by field and file by file.

    TARGET is HOST, HOST/STACK or HOST/STACK/SERVICE. Changes nothing.
    """
    look = _Look(frame, target)
    lines: list[str] = []
    for step in look.plan.steps:
        lines.append(f"{step.slot}  ({verb(step.action)})")
        lines += [f"  {reason}" for reason in step.reasons]
    lines += [f"working tree: {path} differs" for path in look.drifted]
    lines += look.package_lines()
    lines += look.changed_files()
    data = look.data() | {"files": look.changes_data()}
    code = int(exit_code and not look.in_sync)
    names = [str(step.slot) for step in look.plan.steps]
    return give(frame, Answer(data, lines or ["no difference"], names, look.warnings, code))


@click.command(cls=Helpful, short_help="Make what runs equal to what git says: one pass.")
@target_argument(required=False)
@click.option(
    "--plan", "plan_file", type=click.Path(exists=True, dir_okay=False), help="Do exactly this plan, or nothing."
)
@click.option("--dry-run", is_flag=True, help="The same as plan.")
@click.option("--yes", is_flag=True, help="Do not ask, not even on a terminal.")
@click.option("--full", is_flag=True, expose_value=False, help="A full look, also when nothing seems to have changed.")
@global_options
@click.pass_context
def converge(ctx: click.Context, target: str, plan_file: str | None, dry_run: bool, yes: bool) -> int:
    """One pass: fetch, plan, prepare, apply, verify; when that fails, what ran before serves again.

    On a terminal it asks before it removes or recreates something. With --json, progress comes as one JSON object
    a line, and the last line is the answer.
    """
    frame: Frame = ctx.obj
    if dry_run:
        if plan_file:
            raise click.UsageError("--dry-run and --plan exclude each other", ctx)
        return int(ctx.invoke(plan, target=target))
    saved = _saved(plan_file) if plan_file else None
    if saved and target:
        raise click.UsageError("a plan has its own target; name the one or the other", ctx)
    result = _one_pass(frame, saved.target if saved else target, _Confirm(frame, yes, saved))
    return give(frame, answer_of(frame, result), one_line=True)


def _one_pass(frame: Frame, target: str, confirm: Callable[[Progress, Plan], bool]) -> Result:
    from reconciler.cli.passes import full_pass, take_turns
    from reconciler.convergence.world import Request
    from reconciler.wiring import new_run
    from reconciler.wiring.clock import SystemClock, stopping_politely

    settings, clock = settings_of(frame), SystemClock()
    with showing(frame, streams=True) as progress, stopping_politely(clock):
        asked_by, yes = actor(), partial(confirm, progress)

        def one_pass() -> Result:
            return full_pass(settings, clock, progress, Request(new_run(), "converge", asked_by, yes), target)

        return take_turns(settings, clock, asked_by, one_pass)


@dataclass(frozen=True, slots=True)
class _Saved:
    """A plan that `plan --out` wrote: who it is for, and what makes it the same."""

    file: str
    target: str
    digest: str


def _save(file: Path, plan: dict[str, Any]) -> None:
    try:
        file.write_text(json.dumps(plan, indent=2) + "\n")
    except OSError as error:
        raise Terminal(
            "E-PLAN-FILE", f"cannot write {file}", why=error.strerror or str(error), next="name another file with --out"
        ) from error


def _saved(file: str) -> _Saved:
    try:
        content = json.loads(Path(file).read_bytes())
        return _Saved(file, str(content["target"]), str(content["digest"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Terminal(
            "E-PLAN-FILE",
            f"{file} is not a plan",
            why="it was not written by `reconciler plan --out`, or it was changed since",
            next=f"reconciler plan --out {file}",
        ) from error


@dataclass(frozen=True, slots=True)
class _Confirm:
    """The yes to a plan: asked only of a person at a terminal, and only when something is recreated or removed."""

    frame: Frame
    yes: bool
    saved: _Saved | None

    def __call__(self, progress: Progress, plan: Plan) -> bool:
        if self.saved:
            return _is_the_same(self.saved, plan)
        risky = plan.count(Action.REPLACE) + plan.count(Action.REMOVE)
        if self.yes or not risky or not (sys.stdin and sys.stdin.isatty()):
            return True
        if not self.frame.input:
            return False
        with standing_aside(progress):
            for line in plan_lines(plan):
                click.echo(line, err=True)
            return click.confirm("Go ahead?", err=True)


def _is_the_same(saved: _Saved, plan: Plan) -> bool:
    if saved.digest != digest(plan):
        raise Refused(
            "E-PLAN-STALE",
            f"{saved.file} is not what would be done now",
            why="git or the host changed since it was written",
            next=f"look again: reconciler plan --out {saved.file}",
        )
    return True


def digest(plan: Plan) -> str:
    """What makes two plans the same: revision, steps and the containers they touch."""
    return hashlib.sha256(json.dumps(plan_data(plan), sort_keys=True).encode()).hexdigest()


class _Look:
    """One look at git and the host, without changing either."""

    def __init__(self, frame: Frame, target: str) -> None:
        from reconciler.cli.look import fetched, last_seen, look
        from reconciler.wiring import make_rules, make_world
        from reconciler.wiring.clock import SystemClock

        settings, clock = settings_of(frame), SystemClock()
        with showing(frame) as progress:
            self._world = make_world(settings, clock, progress)
            warnings: tuple[str, ...] = ()
            head = fetched(self._world, settings)
            if not head:
                head = last_seen(self._world)
                warnings = ("a pass is running; this is as of the revision it goes for, without a fetch",)
            self._seen = look(self._world, make_rules(settings, target), head)
        self.plan: Plan = self._seen.picture.plan
        self.drifted = self._seen.picture.drifted
        self.changes = self._seen.picture.changes
        self.warnings = warnings + self._seen.warnings

    @property
    def settled(self) -> bool:
        """Whether it is known that a pass would have nothing to do."""
        packages = self._seen.packages
        handed = packages is None or not (packages.unknown or any(lack.standing == "open" for lack in packages.lacks))
        return self.plan.empty and not self.drifted and handed

    @property
    def in_sync(self) -> bool:
        """Whether it is known that nothing differs from what git wants."""
        packages = self._seen.packages
        return self.plan.empty and not self.drifted and (packages is None or packages.in_sync)

    def lines(self) -> list[str]:
        lines = plan_lines(self.plan, self._seen.target.held, in_sync=self.in_sync)
        if (gate := self._seen.target.gate) and gate.evidence:
            lines[1:1] = [f"  {line}" for line in gate_lines(gate)]
        if self.drifted:
            shown = ", ".join(self.drifted[:5]) + (" ..." if len(self.drifted) > 5 else "")
            lines.insert(-1, f"  ~ working tree  {count(len(self.drifted), 'file')} to write: {shown}")
        if held := self._seen.picture.held:
            stays = count(len(held), "file is left as it is", "files are left as they are")
            lines.insert(-1, f"  ! {stays}: mounted by what this pass leaves alone")
        for migration in self._seen.migrations:
            lines.insert(-1, f"  > migrate {migration}")
        if self.changes:
            lines[1:1] = changes_lines(self.changes)
        if packages := self._seen.packages:
            from reconciler.core.packages.wording import package_counts, package_lines

            lines[-1:-1] = package_lines(packages)
            lines.append(package_counts(packages))
        return lines

    def package_lines(self) -> list[str]:
        """All that there is to say about package sets."""
        if (packages := self._seen.packages) is None:
            return []
        from reconciler.core.packages.wording import package_lines, superseded_lines

        return [line.strip() for line in (*package_lines(packages, most=sys.maxsize), *superseded_lines(packages))]

    def data(self) -> dict[str, Any]:
        target = self._seen.target
        return plan_data(self.plan) | {
            "held": bool(target.held),
            "target_reason": target.reason,
            "gate": gate_data(target.gate) if target.gate else None,
            "working_tree": list(self.drifted),
            "left": list(self._seen.picture.held),
            "changes": changes_data(self.changes),
            "migrations": list(self._seen.migrations),
            "packages": packages_of(self._seen.packages),
        }

    def changed_files(self) -> list[str]:
        return [f"git: {c.path}  +{c.insertions} -{c.deletions} ({c.status})" for c in self._changes()]

    def changes_data(self) -> list[dict[str, Any]]:
        return [{"path": c.path, "status": c.status, "+": c.insertions, "-": c.deletions} for c in self._changes()]

    def _changes(self) -> Any:
        return self._world.repository.changes(self.plan.base, self.plan.revision) if self.plan.base else ()

"""history: how things came to be."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from reconciler.cli.frame import (
    Answer,
    Frame,
    HelpfulGroup,
    give,
    global_options,
    settings_of,
    table,
    terminal_width,
)
from reconciler.cli.streams import WARNING, say, tell
from reconciler.cli.target import complete_target, known_targets, target_argument
from reconciler.cli.times import ago
from reconciler.core.wording import verb
from reconciler.errors import ReconcilerError
from reconciler.model.report import Run, StepRecord
from reconciler.model.schema import SCHEMA

if TYPE_CHECKING:
    from reconciler.adapters.ledger.view import LedgerView

_LIST = "(list)"
_SHOWN = 15


class UnknownRun(ReconcilerError):
    """The history has no such pass (EX_USAGE of sysexits.h)."""

    exit_code = 64


class _TargetOrCommand(HelpfulGroup):
    """`history show ID` is a command; any other word is a target, or the id of a pass."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            return _LIST, self.commands[_LIST], args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        named = [CompletionItem(target) for target in complete_target(ctx, None, incomplete)]
        return [*super().shell_complete(ctx, incomplete), *named]


_limit = click.option("-n", "--limit", default=None, type=click.IntRange(min=1), help="How many passes.  [default: 20]")


@click.group(
    cls=_TargetOrCommand,
    invoke_without_command=True,
    subcommand_metavar="[TARGET | [show] ID]",
    short_help="What passes did, the newest first.",
)
@_limit
@global_options
@click.pass_context
def history(ctx: click.Context, limit: int | None) -> int:
    """What passes did, the newest first: all, or those that touched HOST/STACK or HOST/STACK/SERVICE.

    `history ID`, in full `history show ID`, has every step of one.
    """
    return 0 if ctx.invoked_subcommand else _list(ctx.obj, "", limit)


@history.command(_LIST, hidden=True)
@target_argument()
@_limit
@global_options
@click.pass_context
def list_some(ctx: click.Context, target: str, limit: int | None) -> int:
    """What passes did to one stack or service."""
    ctx.obj.command = "history"
    if "/" not in target:
        with suppress(UnknownRun):
            return _show(ctx.obj, target)
    above = ctx.parent.params.get("limit") if ctx.parent else None
    return _list(ctx.obj, target, limit or above)


def _list(frame: Frame, target: str, limit: int | None) -> int:
    host, _, rest = target.partition("/")
    stack, _, service = rest.partition("/")
    ledger = _ledger(frame)
    runs = ledger.runs(limit or 20, host=host, stack=stack, service=service)
    if target and not runs and target not in known_targets(settings_of(frame), target):
        from reconciler.core.scope import UnknownTarget

        raise UnknownTarget(
            "E-TARGET",
            f"there is no {target}, and no pass of it",
            why="neither history nor the manifests that were fetched last know it",
            next="reconciler history shows all passes, reconciler history show ID one of them",
        )
    rows = [["ID", "WHEN", "COMMAND", "ACTOR", "REVISION", "OUTCOME", "TOOK", "REASON"], *map(_row, runs)]
    nothing = f"no pass of {target} is known" if target else "no pass has run yet"
    data = {"runs": [asdict(run) for run in runs]}
    lines = table(rows, 0 if frame.wide else terminal_width()) if runs else [nothing]
    return give(frame, Answer(data, lines, [run.id for run in runs], _noted(ledger)))


def _row(run: Run) -> list[str]:
    revision, outcome = run.revision[:7] or "-", run.outcome or "running"
    reason = " ".join(run.reason.split())
    return [run.id, ago(run.started), run.command, run.actor, revision, outcome, _took(run), reason]


@history.command(short_help="One pass with its steps and their reasons.")
@click.argument("run_id", metavar="ID")
@global_options
@click.pass_obj
def show(frame: Frame, run_id: str) -> int:
    """One pass with its steps and their reasons. The ID stands in the first column of `reconciler history`."""
    return _show(frame, run_id)


def _show(frame: Frame, run_id: str) -> int:
    ledger = _ledger(frame)
    try:
        run, steps = ledger.run(run_id)
    except KeyError:
        raise UnknownRun(
            "E-RUN", f"there is no pass {run_id!r}", why="history does not have it", next="reconciler history"
        ) from None
    lines = [
        f"{run.id}  {run.command} by {run.actor}: {run.outcome or 'running'}{f' ({run.reason})' if run.reason else ''}",
        f"  revision {run.revision or '-'}, verified before it {run.base or '-'}, took {_took(run)}",
        *(line for step in steps for line in _step(step)),
        *(f"  {line}" for line in run.detail.splitlines()),
    ]
    data = {"run": asdict(run), "steps": [asdict(step) for step in steps]}
    return give(frame, Answer(data, lines, [run.id], _noted(ledger)))


@history.command(short_help="Everything, one pass a line, for other programs.")
@_limit
@global_options
@click.pass_obj
def export(frame: Frame, limit: int | None) -> int:
    """Every pass with its steps as one JSON object a line, the oldest first; -n N: the latest N."""
    ledger = _ledger(frame)
    for note in _noted(ledger):
        tell(f"warning: {note}", WARNING)
    for run in reversed(ledger.runs(limit or -1)):
        say(
            json.dumps(
                {"schema": SCHEMA, "run": asdict(run), "steps": [asdict(step) for step in ledger.run(run.id)[1]]}
            )
        )
    return 0


def _step(step: StepRecord) -> list[str]:
    """With the end of what it wrote, when that was kept."""
    name = f"{step.stack}/{step.service}".strip("/")
    about = f"{name}  " if name else ""
    line = f"  {about}{verb(step.action)}: {step.result}  ({'; '.join(step.reasons)})"
    return [line, *(f"    | {each}" for each in step.detail.splitlines()[-_SHOWN:])]


def _ledger(frame: Frame) -> LedgerView:
    from reconciler.adapters.ledger.view import LedgerView

    return LedgerView(f"{settings_of(frame).state.directory}/ledger.db")


def _noted(ledger: LedgerView) -> tuple[str, ...]:
    return (ledger.note,) if ledger.note else ()


def _took(run: Run) -> str:
    return "-" if run.ended is None else f"{run.ended - run.started:.1f}s"

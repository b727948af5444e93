"""What every command shares: global options, the form of an answer, and the words of an error."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from reconciler.errors import ReconcilerError

SCHEMA = "reconciler/v1"
FORMATS = ("table", "wide", "json", "yaml", "name")

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Frame:
    """The global options of one call, wherever on the line they were given."""

    command: str = ""
    output: str = "table"
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    input: bool = True
    config: str = ""
    timeout: float | None = None

    @property
    def machine(self) -> bool:
        """Whether a program reads the answer."""
        return self.output in ("json", "yaml")

    @property
    def wide(self) -> bool:
        return self.output == "wide"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command says: `data` for programs, `lines` for people, `names` for `-o name`."""

    data: Mapping[str, Any]
    lines: Sequence[str] = ()
    names: Sequence[str] = ()
    warnings: Sequence[str] = ()
    exit_code: int = 0
    ok: bool = True
    error: ReconcilerError | None = field(default=None)


def global_options(command: F) -> F:
    """Options that may stand before or after the name of the command."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="Answer as one JSON document (the same as -o json)."),
        click.option("-o", "--output", type=click.Choice(FORMATS), help="The form of the answer."),
        click.option("-q", "--quiet", is_flag=True, help="No progress, only results."),
        click.option("-v", "--verbose", is_flag=True, help="Every line of pulls and builds."),
        click.option("--no-color", is_flag=True, help="No colour (NO_COLOR does the same)."),
        click.option("--no-input", is_flag=True, help="Never ask; a question counts as no."),
        click.option("--config", metavar="FILE", help="The host's own file [/etc/reconciler/reconciler.toml]."),
        click.option(
            "--timeout", type=float, metavar="SECONDS", help="Give up on a remote or an engine after this long."
        ),
    )

    @functools.wraps(command)
    @click.pass_context
    def framed(ctx: click.Context, /, *args: Any, **given: Any) -> Any:
        frame = ctx.ensure_object(Frame)
        _take(frame, given)
        if ctx.parent is not None:
            frame.command = ctx.command_path.partition(" ")[2]
        return ctx.invoke(command, *args, **given)

    wrapped: Any = framed
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def _take(frame: Frame, given: dict[str, Any]) -> None:
    """Move the global options out of a command's own."""
    as_json, output = given.pop("as_json"), given.pop("output")
    frame.output = "json" if as_json else output or frame.output
    frame.quiet |= given.pop("quiet")
    frame.verbose |= given.pop("verbose")
    frame.color &= not given.pop("no_color")
    frame.input &= not given.pop("no_input")
    frame.config = given.pop("config") or frame.config
    frame.timeout = given.pop("timeout") or frame.timeout


def give(frame: Frame, answer: Answer) -> int:
    """Write an answer to standard output in the form that was asked for; its exit code."""
    if frame.machine:
        envelope = {
            "schema": SCHEMA,
            "command": frame.command,
            "ok": answer.ok,
            "data": answer.data,
            "warnings": list(answer.warnings),
            "error": as_data(answer.error) if answer.error else None,
        }
        click.echo(_text(frame, envelope))
    elif frame.output == "name":
        for name in answer.names:
            click.echo(name)
    else:
        for warning in answer.warnings:
            click.echo(f"warning: {warning}", err=True)
        for line in answer.lines:
            click.echo(line)
        if answer.error:
            for line in in_words(answer.error):
                click.echo(line, err=True)
    return answer.exit_code


def fail(frame: Frame, error: ReconcilerError) -> int:
    """Say an error in the form that was asked for; its exit code."""
    if frame.machine:
        give(frame, Answer({}, exit_code=error.exit_code, ok=False, error=error))
    else:
        for line in in_words(error):
            click.echo(line, err=True)
    return error.exit_code


def in_words(error: ReconcilerError) -> list[str]:
    """What happened, why, what to do next, and what still runs."""
    lines = [str(error)]
    for title, text in (("why", error.why), ("next", error.next), ("unchanged", error.unchanged)):
        first, *rest = text.splitlines() or [""]
        if first:
            lines.append(f"  {title:<10} {first}")
            lines += [f"  {'':<10} {line}" for line in rest]
    return lines


def as_data(error: ReconcilerError) -> dict[str, Any]:
    place = {"file": error.at.file, "line": error.at.line, "column": error.at.column} if error.at else None
    return {
        "code": error.code,
        "what": error.what,
        "why": error.why,
        "next": error.next,
        "unchanged": error.unchanged,
        "at": place,
    }


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns, aligned to the left; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _text(frame: Frame, envelope: Mapping[str, Any]) -> str:
    if frame.output == "json":
        return json.dumps(envelope, indent=2 if sys.stdout.isatty() else None)
    import yaml

    return str(yaml.safe_dump(dict(envelope), sort_keys=False, allow_unicode=True)).rstrip()

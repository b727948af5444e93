"""What every command shares: global options, the form of an answer, and the words of an error."""

from __future__ import annotations

import functools
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.cli.streams import ERROR, WARNING, say, tell
from reconciler.errors import ReconcilerError
from reconciler.model.schema import SCHEMA

if TYPE_CHECKING:
    from reconciler.model.settings import Settings

_LEAST = 20
"""Characters of the last column of a table that are shown on any terminal."""

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


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    """Seconds as a number, or text such as 500ms, 90s, 5m, 4h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from reconciler.settings import seconds_of

        seconds = value if isinstance(value, float) else seconds_of(str(value))
        if not seconds:
            self.fail(f"{value!r} is no duration; write 90s, 5m or 1h.", param, ctx)
        return float(seconds)


DURATION = _Duration()

_GLOBAL = (
    click.Option(["--json", "as_json"], is_flag=True, help="Answer in JSON (as -o json)."),
    click.Option(
        ["-o", "--output"], type=click.Choice(FORMATS), metavar="FORM", help=f"The form: {', '.join(FORMATS)}."
    ),
    click.Option(["-q", "--quiet"], is_flag=True, help="No progress, only results."),
    click.Option(["-v", "--verbose"], is_flag=True, help="Every line of pulls and builds."),
    click.Option(["--no-color"], is_flag=True, help="No colour (NO_COLOR does the same)."),
    click.Option(["--no-input"], is_flag=True, help="Never ask; a question counts as no."),
    click.Option(["--config"], metavar="FILE", help="The host's own file, instead of /etc/reconciler/reconciler.toml."),
    click.Option(
        ["--timeout"], type=DURATION, metavar="TIME", help="Give up on the remote or the engine after this long."
    ),
)


def shared_options() -> tuple[click.Option, ...]:
    """The options that every command has."""
    return _GLOBAL


class Helpful(click.Command):
    """Help that tells a command's own options from those that all commands have."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shared = {option.name for option in _GLOBAL}
        own = [p for p in self.get_params(ctx) if isinstance(p, click.Option) and p.name not in shared]
        for title, params in (("Options", own), ("Options of every command", _GLOBAL)):
            if rows := [row for row in (param.get_help_record(ctx) for param in params) if row]:
                with formatter.section(title):
                    formatter.write_dl(rows)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class HelpfulGroup(Helpful, click.Group):
    """A command of commands, with the same help."""

    command_class = Helpful


def global_options(command: F) -> F:
    """Options that may stand before or after the name of the command."""

    @functools.wraps(command)
    @click.pass_context
    def framed(ctx: click.Context, /, *args: Any, **given: Any) -> Any:
        frame = ctx.ensure_object(Frame)
        _take(frame, given)
        if ctx.parent is not None:
            frame.command = name_of(ctx)
        return ctx.invoke(command, *args, **given)

    wrapped: Any = framed
    wrapped.__click_params__ = [*_GLOBAL[::-1], *getattr(framed, "__click_params__", [])]
    return wrapped  # type: ignore[no-any-return]


def name_of(ctx: click.Context) -> str:
    """`history show` of `reconciler history show`; "" for the program itself."""
    names: list[str] = []
    here: click.Context | None = ctx
    while here is not None and here.parent is not None:
        names.insert(0, here.info_name or "")
        here = here.parent
    return " ".join(names)


def settings_of(frame: Frame) -> Settings:
    """The host's own file; `--timeout` stands for its deadlines."""
    from reconciler.model.settings import Seconds
    from reconciler.settings import load_settings

    settings = load_settings(frame.config or None)
    if frame.timeout is None:
        return settings
    deadline = Seconds(frame.timeout)
    return replace(
        settings,
        repository=replace(settings.repository, deadline=deadline),
        docker=replace(settings.docker, deadline=deadline),
    )


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


def give(frame: Frame, answer: Answer, *, one_line: bool = False) -> int:
    """Write an answer to standard output in the form that was asked for; its exit code."""
    if frame.machine:
        say(_text(frame, _envelope(frame, answer), one_line=one_line))
        return answer.exit_code
    for warning in answer.warnings:
        tell(f"warning: {warning}", WARNING)
    for line in answer.names if frame.output == "name" else answer.lines:
        say(line)
    if answer.error:
        _tell_error(answer.error)
    return answer.exit_code


def fail(frame: Frame, error: ReconcilerError) -> int:
    """Say an error in the form that was asked for; its exit code."""
    if frame.machine:
        answer = Answer({}, exit_code=error.exit_code, ok=False, error=error)
        return give(frame, answer, one_line=frame.command == "converge")
    _tell_error(error)
    return error.exit_code


def _tell_error(error: ReconcilerError) -> None:
    for line in in_words(error):
        tell(line, ERROR)


def _envelope(frame: Frame, answer: Answer) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": frame.command,
        "ok": answer.ok,
        "data": answer.data,
        "warnings": list(answer.warnings),
        "error": as_data(answer.error) if answer.error else None,
    }


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


def table(rows: Sequence[Sequence[str]], width: int = 0) -> list[str]:
    """Columns, aligned to the left; the first row is the heading. The last one is cut to `width`, unless that is 0."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    room = max(_LEAST, width - sum(widths[:-1]) - 2 * (len(widths) - 1)) if width else 0
    cut = [(*row[:-1], shorten(row[-1], room)) for row in rows] if room else rows
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cut]


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


def terminal_width() -> int:
    """Columns of the terminal that reads the answer; 0 when none does."""
    return shutil.get_terminal_size().columns if sys.stdout and sys.stdout.isatty() else 0


def _text(frame: Frame, envelope: Mapping[str, Any], *, one_line: bool) -> str:
    if frame.output == "json":
        return json.dumps(envelope, indent=2 if sys.stdout and sys.stdout.isatty() and not one_line else None)
    import yaml

    return str(yaml.safe_dump(dict(envelope), sort_keys=False, allow_unicode=True)).rstrip()

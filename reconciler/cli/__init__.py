"""The command line: arguments in, words and exit codes out. Commands are imported when they are called."""

from __future__ import annotations

import importlib
import os
import sys
import threading

import click

from reconciler.cli import streams
from reconciler.cli.frame import Frame, HelpfulGroup, fail, global_options, name_of, shared_options
from reconciler.errors import ReconcilerError

EX_FAILED, EX_USAGE, EX_INTERRUPTED = 1, 64, 130

_COMMANDS = {
    "init": "init.command",
    "validate": "manifests",
    "schema": "manifests",
    "plan": "converge",
    "diff": "converge",
    "converge": "converge",
    "deploy": "deploy",
    "rollback": "deploy",
    "accept": "deploy",
    "watch": "watch",
    "notify": "notify",
    "status": "status",
    "history": "history",
    "pause": "signals",
    "resume": "signals",
    "sentinels": "signals",
    "doctor": "doctor",
    "logs": "logs",
    "restart": "by_hand",
    "migrate": "by_hand",
    "shell": "shell",
    "submit": "swarm.submit",
    "queue": "swarm.queue",
    "drones": "swarm.drones",
    "builds": "swarm.builds",
    "serve": "swarm.serve",
    "drone": "swarm.drone",
    "completion": "completion",
    "version": "version",
}


class Usage(ReconcilerError):
    """The command line itself is wrong (EX_USAGE of sysexits.h)."""

    exit_code = EX_USAGE


class Unexpected(ReconcilerError):
    """A mistake of ours."""


class _Lazy(HelpfulGroup):
    """Knows the names of all commands, and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"reconciler.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        unknown = bool(args) and args[0] not in _COMMANDS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:  # which is how a shell asks for completions
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, 1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


_EPILOG = """\b
Exit codes: 0 ok, 1 failed, 2 changes or drift (where asked for), 3 paused, 4 failed and
put back, 64 usage, 69 unreachable, 75 another pass runs, 78 bad configuration, 130 interrupted.
A TARGET is HOST, HOST/STACK or HOST/STACK/SERVICE."""


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.option("--version", is_flag=True, expose_value=False, help="Print the version, as the command does.")
@global_options
def cli() -> None:
    """GitOps for plain Docker hosts: what git says is what runs."""


def main(args: list[str] | None = None) -> None:
    """The entry point; always ends by SystemExit with one of the exit codes of docs/cli.md."""
    streams.ready()
    given = sys.argv[1:] if args is None else args
    code = _run(Frame(), given)
    if not streams.finish() and code == 0:
        code = EX_FAILED
    if code == EX_INTERRUPTED and threading.active_count() > 1:
        os._exit(code)  # a pull or a build that was given up on would hold the interpreter until it ends
    sys.exit(code)


def _run(frame: Frame, args: list[str]) -> int:
    try:
        return _outcome(frame, args)
    except streams.Unwritable as error:
        streams.tell(f"cannot write the answer: {error.__cause__}", streams.ERROR)
        return EX_FAILED


def _outcome(frame: Frame, args: list[str]) -> int:
    try:
        code = cli.main(_with_version(args), prog_name="reconciler", standalone_mode=False, obj=frame)
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        return _misused(frame, error, args)
    except (click.Abort, KeyboardInterrupt):
        streams.tell("interrupted", streams.ERROR)
        return EX_INTERRUPTED
    except ReconcilerError as error:
        return fail(frame, error)
    except streams.Unwritable:
        raise
    except Exception as error:  # noqa: BLE001  the last resort: a person gets words, a program its envelope
        return _broken(frame, error)


_WITH_VALUE = frozenset(name for option in shared_options() if not option.is_flag for name in option.opts)


def _with_version(args: list[str]) -> list[str]:
    """`--version` where a command would stand is the command of that name: so it answers in every form."""
    rest = iter(enumerate(args))
    for place, word in rest:
        if word == "--version":
            return [*args[:place], "version", *args[place + 1 :]]
        if not word.startswith("-"):
            break
        if word in _WITH_VALUE:
            next(rest, None)
    return args


def _misused(frame: Frame, error: click.UsageError, args: list[str]) -> int:
    if not _for_a_program(frame, args):
        for line in _shown(error):
            streams.tell(line, streams.ERROR)
        return EX_USAGE
    frame.output = frame.output if frame.machine else "json"
    frame.command = name_of(error.ctx) if error.ctx else ""
    help_line = f"{error.ctx.command_path} --help" if error.ctx else "reconciler --help"
    return fail(frame, Usage("E-USAGE", error.format_message(), why="the command line is wrong", next=help_line))


def _shown(error: click.UsageError) -> list[str]:
    """The words of click, with our priorities."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message().splitlines()
    usage = [error.ctx.get_usage(), f"Try '{error.ctx.command_path} --help'.", ""] if error.ctx else []
    return [*usage, f"Error: {error.format_message()}"]


def _for_a_program(frame: Frame, args: list[str]) -> bool:
    """Whether JSON was asked for, also in the part of the line that was not read any more."""
    words = f" {' '.join(args)} "
    return frame.machine or any(
        f" {form} " in words for form in ("--json", "-ojson", "-o json", "--output json", "--output=json")
    )


def _broken(frame: Frame, error: Exception) -> int:
    import traceback

    for line in "".join(traceback.format_exception(error)).splitlines():
        streams.tell(line, streams.ERROR)
    ours = Unexpected(
        "E-INTERNAL",
        f"a mistake in reconciler: {type(error).__name__}: {error}",
        why="something happened that nobody thought of; the lines above say where",
        next="report it with those lines; the next pass repairs what this one may have left",
    )
    return fail(frame, ours)

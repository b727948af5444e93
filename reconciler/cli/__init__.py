"""The command line: arguments in, words and exit codes out. Commands are imported when they are called."""

from __future__ import annotations

import importlib
import sys

import click

from reconciler.cli.frame import Frame, fail, global_options
from reconciler.errors import ReconcilerError

EX_USAGE, EX_INTERRUPTED = 64, 130

_COMMANDS = {
    "validate": "manifests",
    "schema": "manifests",
    "plan": "converge",
    "diff": "converge",
    "converge": "converge",
    "status": "status",
    "history": "status",
    "pause": "signals",
    "resume": "signals",
    "sentinels": "signals",
    "version": "version",
}


class _Lazy(click.Group):
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
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if near := get_close_matches(args[0], _COMMANDS, 1):
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None
            raise


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@global_options
def cli() -> None:
    """GitOps for plain Docker hosts: what git says is what runs."""


def main(args: list[str] | None = None) -> None:
    """The entry point; always ends by SystemExit with one of the exit codes of docs/cli.md."""
    frame = Frame()
    try:
        code = cli.main(args, prog_name="reconciler", standalone_mode=False, obj=frame)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(EX_USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(EX_INTERRUPTED)
    except ReconcilerError as error:
        sys.exit(fail(frame, error))

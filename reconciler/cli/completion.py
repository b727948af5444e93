"""completion: the script that lets a shell complete commands, options and targets."""

from __future__ import annotations

import click

from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options

VARIABLE = "_RECONCILER_COMPLETE"
"""Set by the script when it asks; click's own protocol."""


@click.command(cls=Helpful, short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@global_options
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print a script for bash, zsh or fish. Into ~/.bashrc: eval "$(reconciler completion bash)"."""
    from click.shell_completion import get_completion_class

    frame: Frame = ctx.obj
    made = get_completion_class(shell)
    assert made is not None
    script = made(ctx.find_root().command, {}, "reconciler", VARIABLE).source()
    return give(frame, Answer({"shell": shell, "script": script}, script.splitlines()))

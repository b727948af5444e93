"""shell: work inside of a container."""

from __future__ import annotations

import click

from reconciler.cli.frame import Frame, Helpful, global_options, settings_of
from reconciler.cli.target import target_argument
from reconciler.errors import ReconcilerError

EITHER_SHELL = ("sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi")


class NotRunning(ReconcilerError):
    """There is a container, and nothing can be started in it."""


@click.command(
    cls=Helpful,
    short_help="Work inside of a container.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@target_argument()
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("-n", "--number", default=1, show_default=True, help="Which replica of the service.")
@global_options
@click.pass_obj
def shell(frame: Frame, target: str, command: tuple[str, ...], number: int) -> int:
    """Run COMMAND in the container of HOST/STACK/SERVICE; without one bash, or sh where there is no bash.

    With a terminal it is as if one sat in front of the container; without, its input and output are handed through.
    The exit code is that of the command. Options go before TARGET; what follows it belongs to COMMAND.
    """
    from reconciler.cli.terminal import attach
    from reconciler.wiring import make_console, our_containers

    if frame.machine:
        raise click.UsageError("a shell has no JSON; leave --json out")
    if target.count("/") != 2:
        raise click.UsageError(f"{target!r} is no HOST/STACK/SERVICE")
    settings = settings_of(frame)
    found = [c for c in our_containers(settings, target) if c.number == number]
    if not found or not found[0].running:
        raise NotRunning(
            "E-NOT-RUNNING",
            f"{target} does not run" if number == 1 else f"replica {number} of {target} does not run",
            why=f"its container is {found[0].state}" if found else "there is no such container",
            next=f"reconciler logs {target}; reconciler converge starts what should run",
        )
    return attach(make_console(settings), found[0].id, command or EITHER_SHELL)

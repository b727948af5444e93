"""watch: the resident way, for containers and for machines without systemd."""

from __future__ import annotations

import click

from reconciler.cli.frame import Frame, Helpful, global_options, settings_of


@click.command(cls=Helpful, short_help="Stay, and make a pass whenever something asks for one.")
@global_options
@click.pass_obj
def watch(frame: Frame) -> int:
    """Stay, and make a pass at once, every `watch.every`, and whenever something asks for one.

    A trigger, a push to a repository on this machine, a pause that is ended, a block that is cleared and a change of
    reconciler.toml ask. One line for each pass that did something; with --json one JSON object a line.
    """
    from reconciler.cli.resident import Resident
    from reconciler.wiring.clock import SystemClock, stopping_politely

    settings, clock = settings_of(frame), SystemClock()
    with stopping_politely(clock):
        Resident(frame, settings, clock).run()
    return 0

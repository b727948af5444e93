"""drone: builds packages for the orchestrator, one at a time."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import click

from reconciler.cli.frame import Frame, Helpful, global_options
from reconciler.cli.streams import say, tell
from reconciler.cli.swarm.common import swarm_settings_of
from reconciler.model.schema import SCHEMA


@click.command(cls=Helpful, short_help="Build packages for the orchestrator, with this machine's Portage.")
@global_options
@click.pass_obj
def drone(frame: Frame) -> int:
    """Build packages for the orchestrator with this machine's Portage, one after the other, until SIGTERM or Ctrl-C.

    Asked to stop, it takes nothing new on and ends what it builds, for `drone.drain` at most; then, or when it is asked
    once more, it hands that back. What it builds is installed here: a drone is a machine for nothing else.
    """
    from reconciler.wiring.drone import make_drone

    settings = swarm_settings_of(frame)
    told = _told(frame)
    with ExitStack() as closing:
        made = make_drone(settings, told, closing)
        with _asking(made.stopping.ask):
            told(f"building for {settings.drone.profile}")
            made.run()
        told("stopped")
    return 0


def _told(frame: Frame) -> Callable[[str], None]:
    def line(text: str) -> None:
        if frame.machine:
            say(json.dumps({"schema": SCHEMA, "at": round(time.time(), 3), "event": "line", "text": text}))
        elif not frame.quiet:
            tell(text)

    return line


@contextmanager
def _asking(ask: Callable[[], None]) -> Iterator[None]:
    """SIGTERM, SIGINT and a lost terminal ask it to stop."""

    def asked(_signal: int, _frame: object) -> None:
        ask()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

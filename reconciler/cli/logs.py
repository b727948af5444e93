"""logs: what containers write."""

from __future__ import annotations

import heapq
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options, settings_of
from reconciler.cli.streams import say, show_error
from reconciler.cli.target import target_argument
from reconciler.core.lines import Line, lines
from reconciler.errors import ReconcilerError
from reconciler.model.observed import Container
from reconciler.model.schema import SCHEMA

if TYPE_CHECKING:
    from reconciler.adapters.docker.console import DockerConsole


@click.command(cls=Helpful, short_help="Show what containers write.")
@target_argument()
@click.option("-f", "--follow", is_flag=True, help="Go on until the containers end, or Ctrl-C.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="The last lines of each container only.")
@click.option("--since", metavar="TIME", help="Only what is younger: 10m, 2h, or 2026-11-21T12:00:00Z.")
@global_options
@click.pass_obj
def logs(frame: Frame, target: str, follow: bool, tail: int | None, since: str | None) -> int:
    """Show what the containers of HOST, HOST/STACK or HOST/STACK/SERVICE write.

    Lines of several containers begin with their service, and are sorted by time unless they are followed. What a
    container writes to standard error goes there.
    """
    from reconciler.wiring import make_console, our_containers

    after = _moment(since) if since else 0.0
    settings = settings_of(frame)
    containers, console = our_containers(settings, target), make_console(settings)
    shown = _shown(frame, containers)
    if follow:
        _follow(console, containers, tail, after, shown)
    else:
        _merged(console, containers, tail, after, shown)
    if frame.machine:
        return give(frame, Answer({"containers": [str(c.slot) for c in containers]}), one_line=True)
    return 0


_LOOK = 1.0
"""Seconds of waiting at a time: a Ctrl-C that comes just before it begins is heard when it ends."""


def _merged(
    console: DockerConsole,
    containers: Sequence[Container],
    tail: int | None,
    since: float,
    shown: Callable[[Container, Line], None],
) -> None:
    """All that there is, in the order of time."""

    def of(container: Container) -> Iterator[tuple[str, int, Container, Line]]:
        place = containers.index(container)
        for line in lines(console.output(container.id, tail=tail, since=since, follow=False)):
            yield line.at, place, container, line

    for _, _, container, line in heapq.merge(*map(of, containers), key=lambda each: each[:2]):
        shown(container, line)


def _follow(
    console: DockerConsole,
    containers: Sequence[Container],
    tail: int | None,
    since: float,
    shown: Callable[[Container, Line], None],
) -> None:
    """As it comes, from each in a thread of its own. They are daemons: Ctrl-C waits for none of them."""
    come: queue.SimpleQueue[tuple[Container, Line | ReconcilerError | None]] = queue.SimpleQueue()

    def read(container: Container) -> None:
        try:
            for line in lines(console.output(container.id, tail=tail, since=since, follow=True)):
                come.put((container, line))
            come.put((container, None))
        except ReconcilerError as error:
            come.put((container, error))

    for container in containers:
        threading.Thread(target=read, args=(container,), daemon=True).start()
    open_ones = len(containers)
    while open_ones:
        try:
            container, line = come.get(timeout=_LOOK)
        except queue.Empty:
            continue
        if isinstance(line, ReconcilerError):
            raise line
        if line is None:
            open_ones -= 1
        else:
            shown(container, line)


def _shown(frame: Frame, containers: Sequence[Container]) -> Callable[[Container, Line], None]:
    """How a line is written: as JSON, bare, or behind the name of its service."""
    stacks = {container.stack for container in containers}
    names = {c.id: str(c.slot) if len(stacks) > 1 else str(c.slot).partition("/")[2] for c in containers}
    width = max(map(len, names.values()))

    def as_json(container: Container, line: Line) -> None:
        slot = container.slot
        place = {"stack": slot.stack, "service": slot.service, "number": slot.number}
        told = {"event": "line", **place, "stream": line.stream, "text": line.text}
        say(json.dumps({"schema": SCHEMA, "at": line.at, **told}))

    def in_words(container: Container, line: Line) -> None:
        name = f"{names[container.id]:<{width}} | " if len(containers) > 1 else ""
        (say if line.stream == "stdout" else show_error)(f"{name}{line.text}")

    return as_json if frame.machine else in_words


def _moment(text: str) -> float:
    """Seconds since the epoch, of a duration that lies behind us or of a date."""
    from sentinels.format import seconds_of, wall_of

    if seconds := seconds_of(text):
        return time.time() - seconds
    moment = wall_of(text)
    if moment is None:
        raise click.UsageError(f"{text!r} is no time; write 10m, 2h or 2026-11-21T12:00:00Z")
    return moment

"""serve: the resident side, over HTTP."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import click

from reconciler.cli.frame import Frame, Helpful, global_options
from reconciler.cli.streams import NOTICE, say, tell
from reconciler.cli.swarm.common import swarm_settings_of, token_of
from reconciler.model.schema import SCHEMA

ROLES = ("orchestrator",)
LATER = ("gateway", "center")


def _roles(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for role in given:
        if role in LATER:
            raise click.BadParameter(f"{role!r} is not there yet; this version has: {', '.join(ROLES)}.")
        if role not in ROLES:
            raise click.BadParameter(f"{role!r} is no role; this version has: {', '.join(ROLES)}.")
    return tuple(dict.fromkeys(given))


@click.command(cls=Helpful, short_help="Serve the build queue and the binhost over HTTP.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    default=("orchestrator",),
    metavar="ROLE",
    callback=_roles,
    help="What to serve: orchestrator, the only one there is yet.  [default: orchestrator]",
)
@click.option("--listen", metavar="HOST:PORT", help="Instead of serve.listen; port 0: any that is free.")
@global_options
@click.pass_obj
def serve(frame: Frame, roles: tuple[str, ...], listen: str | None) -> int:
    """Serve the build queue, its API and the binhost until SIGTERM or Ctrl-C.

    It needs neither a repository nor Docker. Listening on more than loopback needs a token (serve.token).
    """
    from reconciler.wiring.serve import serve_orchestrator

    assert roles == ROLES  # the only one that there is
    settings = swarm_settings_of(frame, **({"serve.listen": listen} if listen else {}))
    serve_orchestrator(settings, token_of(settings, settings.serve.token), _told(frame), _listening(frame))
    return 0


def _told(frame: Frame) -> Callable[[str, int], None]:
    def line(text: str, priority: int) -> None:
        if frame.machine:
            _event("line", text=text, priority=priority)
        elif not frame.quiet or priority < NOTICE:
            tell(text, priority)

    return line


def _listening(frame: Frame) -> Callable[[str], None]:
    def told(address: str) -> None:
        _ready()
        if frame.machine:
            _event("listening", address=address)
        else:
            tell(f"listening on {address}; its documentation: {address}/docs", NOTICE)

    return told


def _ready() -> None:
    """Where systemd waits for it, say so (sd_notify(3)): who is started after us finds us listening."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            systemd.sendall(b"READY=1")


def _event(event: str, **data: object) -> None:
    say(json.dumps({"schema": SCHEMA, "at": round(time.time(), 3), "event": event, **data}))

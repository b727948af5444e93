"""queue: what the build swarm has to do, and in which order."""

from __future__ import annotations

import click

from reconciler.cli.frame import Answer, Frame, HelpfulGroup, give, global_options, table
from reconciler.cli.swarm.common import Data, about, complete_pending, complete_request, off_by, orchestrator_of
from reconciler.cli.times import ago


@click.group(cls=HelpfulGroup, short_help="What is to be built; watch it, cancel or bump it.")
@global_options
def queue() -> None:
    """What the build swarm has to do."""


@queue.command("list", short_help="What has not ended, in the order in which it will be built.")
@global_options
@click.pass_obj
def list_all(frame: Frame) -> int:
    """What drones hold, then what waits, in the order in which it will be built; LEFT has its error in parentheses.

    Below it the requests that wait for it: `queue watch`, `cancel` and `bump` take their ids, too.
    """
    told = orchestrator_of(frame).get("queue")
    entries = told["entries"]
    rows = [_row(entry, wide=frame.wide) for entry in entries]
    head = ["ID", "PACKAGE", "STATE", "DRONE", "TRY", "LEFT", "WAITS FOR"] + (["PROFILE", "QUEUED"] * frame.wide)
    builds = [*table([head, *rows]), ""] if rows else []
    lines = [*builds, *_requests(told["requests"]), in_short(told)]
    return give(frame, Answer(told, lines, [entry["build"]["id"] for entry in entries]))


def _requests(waiting: list[Data]) -> list[str]:
    """Who waits for the builds above; nothing where nobody does."""
    if not waiting:
        return []
    head = ["REQUEST", "STATE", "FROM", "BY", "PROFILE", "BUILDS", "ASKED"]
    return [*table([head, *(_request(each) for each in waiting)]), ""]


def _request(each: Data) -> list[str]:
    builds = str(len(each["builds"]))
    return [each["id"], each["state"], each["origin"], each["actor"], each["profile"], builds, ago(each["at"])]


def _row(entry: Data, *, wide: bool) -> list[str]:
    build = entry["build"]
    more = [build["profile"], ago(build["queued"])] if wide else []
    tried = str(build["attempt"] or "-")
    shown = [build["id"], build["title"], build["state"], build["drone"] or "-", tried]
    return [*shown, about(entry["left"]) or "-", entry["why"] or build["reason"], *more]


def in_short(told: Data) -> str:
    """The whole queue in a line."""
    if not told["entries"]:
        return "nothing is queued"
    states = ", ".join(f"{count} {state}" for state, count in told["states"].items() if count)
    drain = about(told["drain"])
    if not drain:
        return f"{states}; nobody can say how long it takes"
    return f"{states}; all of it has ended in {drain}; {off_by(told['error'])}"


@queue.command(short_help="Follow it: a live tree on a terminal, else a line for each change.")
@click.argument("request", required=False, shell_complete=complete_request)
@global_options
@click.pass_obj
def watch(frame: Frame, request: str | None) -> int:
    """Follow what the drones do: as a live tree on a terminal, else what there is, and then a line for each change.

    With the id of a REQUEST, which `submit` tells and `queue list` shows, until that has ended: exit 0 when all of it
    was built, 1 when not. Else until Ctrl-C.
    """
    from reconciler.cli.swarm.queue_watch import watch as follow

    return follow(frame, orchestrator_of(frame), request or "")


@queue.command(short_help="Take back a request, or a build.")
@click.argument("id", shell_complete=complete_pending)
@global_options
@click.pass_obj
def cancel(frame: Frame, id: str) -> int:
    """Take back a request or a build. What another request wants as well goes on."""
    told = orchestrator_of(frame).delete("queue", id)
    return give(frame, _changed(told, "cancelled", "nothing had to end: others want it, too"))


@queue.command(short_help="Build a request, or a build, before everything else.")
@click.argument("id", shell_complete=complete_pending)
@global_options
@click.pass_obj
def bump(frame: Frame, id: str) -> int:
    """Build a request or a build before everything else, with what it needs."""
    told = orchestrator_of(frame).post("queue", id, "bump")
    return give(frame, _changed(told, "goes first", "nothing of it waits any more"))


def _changed(told: Data, done: str, nothing: str) -> Answer:
    return Answer(told, [f"{build}: {done}" for build in told["builds"]] or [nothing], told["builds"])

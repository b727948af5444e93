"""builds: what was built, how that went, and what it wrote."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, get_args

import click

from reconciler.cli.frame import Answer, Frame, HelpfulGroup, give, global_options, table
from reconciler.cli.streams import say
from reconciler.cli.swarm.common import Data, complete_build, complete_drone, orchestrator_of
from reconciler.cli.times import ago, span
from reconciler.model.swarm import ENDED, BuildState

if TYPE_CHECKING:
    from reconciler.adapters.swarm.orchestrator_http import OrchestratorHttp

FOLLOW = 1.0
"""Seconds between two questions while nothing new is written."""
_PAGE = 100


@click.group(cls=HelpfulGroup, short_help="What was built, and how; follow a log.")
@global_options
def builds() -> None:
    """What the build swarm builds and has built."""


@builds.command("list", short_help="The latest first.")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(min=1, max=10_000), help="How many.")
@click.option("--state", "states", multiple=True, type=click.Choice(get_args(BuildState)), help="In this state only.")
@click.option("--drone", metavar="NAME", help="By this drone only.", shell_complete=complete_drone)
@click.option("--package", metavar="NAME", help="Of this package only: category/name.")
@click.option("--profile", metavar="NAME", help="For this profile only.")
@global_options
@click.pass_obj
def list_some(
    frame: Frame, limit: int, states: tuple[str, ...], drone: str | None, package: str | None, profile: str | None
) -> int:
    """What was built, is, and will be: what changed last comes first."""
    asked = {"state": list(states), "drone": drone, "package": package, "profile": profile}
    told = _pages(orchestrator_of(frame), limit, asked)
    found = told["builds"]
    head = ["ID", "PACKAGE", "STATE", "DRONE", "TRY", "TOOK", "WHEN"]
    head += ["PROFILE", "STORED", "REASON"] if frame.wide else ["REASON"]
    rows = [_row(build, wide=frame.wide) for build in found]
    nothing = ["no such build" if any(asked.values()) else "nothing was built yet"]
    lines = table([head, *rows]) if rows else nothing
    return give(frame, Answer(told, lines, [build["id"] for build in found]))


def _pages(asked: OrchestratorHttp, limit: int, query: dict[str, Any]) -> dict[str, Any]:
    """As many pages as it takes."""
    found: list[Data] = []
    page = asked.get("builds", limit=min(limit, _PAGE), **query)
    while True:
        found += page["builds"]
        if not page["next"] or len(found) >= limit:
            return {"builds": found[:limit], "total": page["total"]}
        page = asked.get("builds", limit=min(limit - len(found), _PAGE), after=page["next"], **query)


def _row(build: Data, *, wide: bool) -> list[str]:
    took = span(build["seconds"]) if build["seconds"] is not None else "-"
    shown = [build["id"], build["title"], _state(build), build["drone"] or "-", str(build["attempt"] or "-"), took]
    reason = " ".join(build["reason"].split())
    return [*shown, ago(build["since"]), *([build["profile"], build["stored"] or "-"] if wide else []), reason]


@builds.command(short_help="One build with its tries, and the end of its log.")
@click.argument("id", shell_complete=complete_build)
@click.option("-f", "--follow", is_flag=True, help="Its log from the beginning, until the build ends or Ctrl-C.")
@global_options
@click.pass_obj
def show(frame: Frame, id: str, follow: bool) -> int:
    """One build: its tries with their reasons, what it needs and what needs it, and the end of its log.

    --follow writes the whole log as it comes, and exits 0 when it was built, 1 when not.
    """
    asked = orchestrator_of(frame)
    if follow:
        return _follow(frame, asked, id)
    told = asked.get("builds", id)
    return give(frame, Answer(told, _told(told), [told["build"]["id"]]))


def _told(told: Data) -> list[str]:
    build = told["build"]
    return [
        f"{build['id']}  {build['title']}: {_state(build)} {ago(build['since'])}{_because(build)}",
        f"  profile {build['profile'] or 'any'}, stored as {build['stored'] or '-'}",
        *(f"  {name} {', '.join(told[key])}" for key, name in _AROUND.items() if told[key]),
        *(_attempt(each) for each in told["attempts"]),
        *(f"  | {line}" for line in told["log"].splitlines()[-20:]),
    ]


def _state(build: Data) -> str:
    """A question that went well has an answer, whatever that says of the package."""
    return "answered" if build["kind"] == "resolve" and build["state"] == "succeeded" else str(build["state"])


def _because(build: Data) -> str:
    """What went well needs no reason."""
    return f" ({build['reason']})" if build["reason"] else ""


_AROUND = {"needs": "needs", "needed_by": "needed by", "requests": "asked for by"}


def _attempt(each: Data) -> str:
    took = span(each["seconds"]) if each["seconds"] is not None else f"since {ago(each['leased'])}"
    expected = f", {span(each['expected'])} were expected" if each["expected"] else ""
    end = f": {each['result'] or 'goes on'}" + (f" ({' '.join(each['reason'].split())})" if each["reason"] else "")
    return f"  try {each['attempt']} on {each['drone']}, {took}{expected}{end}"


def _follow(frame: Frame, asked: OrchestratorHttp, id: str) -> int:
    """One try after the other, from the first; a build that is queued again goes on with its next one."""
    shown, tried = _Shown(frame), 0
    while True:
        told = asked.get("builds", id)
        if tried < len(told["attempts"]):
            _follow_try(asked, id, told["attempts"][tried]["attempt"], shown)
            tried += 1
        elif told["build"]["state"] in ENDED:
            break
        else:
            time.sleep(FOLLOW)
    build = told["build"]
    code = 0 if build["state"] == "succeeded" else 1
    if frame.machine:
        return give(frame, Answer({"build": build}), one_line=True) or code
    say(f"{build['title']}: {_state(build)}{_because(build)}")
    return code


def _follow_try(asked: OrchestratorHttp, id: str, attempt: int, shown: _Shown) -> None:
    after, ended = 0, False
    while not ended:
        piece = asked.get("builds", id, "log", after=after, attempt=attempt)
        shown.write(piece)
        after, ended = piece["next"], piece["ended"]
        if not piece["text"] and not ended:
            time.sleep(FOLLOW)
    shown.end()


class _Shown:
    """Whole lines, as they become whole."""

    def __init__(self, frame: Frame) -> None:
        self._machine, self._rest, self._attempt = frame.machine, "", 0

    def write(self, piece: Data) -> None:
        self._attempt = piece["attempt"]
        *lines, self._rest = (self._rest + piece["text"]).split("\n")
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """A last line without an end of its own."""
        if self._rest:
            self._line(self._rest)
        self._rest = ""

    def _line(self, line: str) -> None:
        import json

        from reconciler.model.schema import SCHEMA

        say(
            json.dumps({"schema": SCHEMA, "event": "line", "attempt": self._attempt, "text": line})
            if self._machine
            else line
        )

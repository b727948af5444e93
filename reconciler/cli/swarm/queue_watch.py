"""queue watch: the work of the drones, drawn over and over on a terminal, told change by change elsewhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.cli.frame import Answer, Frame, give
from reconciler.cli.streams import say
from reconciler.cli.swarm.common import Data, about
from reconciler.cli.swarm.drones import state_of
from reconciler.cli.swarm.queue import in_short
from reconciler.cli.times import span
from reconciler.model.schema import SCHEMA

if TYPE_CHECKING:
    from reconciler.adapters.swarm.orchestrator_http import Happened, OrchestratorHttp

EVERY = 2.0
"""Seconds between two looks on a terminal."""
_SHOWN = 12
"""Builds that wait, in the tree."""
_TOLD = 50
"""Builds in the lines that a watch begins with."""


def watch(frame: Frame, asked: OrchestratorHttp, request: str) -> int:
    """Until the request has ended; without one until Ctrl-C."""
    if request:
        _insist(asked, request)
    dumb = os.environ.get("TERM") in ("dumb", "") or frame.machine or frame.output == "name"
    if sys.stdout is None or dumb or not sys.stdout.isatty():
        return _in_lines(frame, asked, request)
    return _as_a_tree(frame, asked, request)


# ---- a terminal


def _as_a_tree(frame: Frame, asked: OrchestratorHttp, request: str) -> int:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(no_color=True if not frame.color or "NO_COLOR" in os.environ else None)
    signs = _UNICODE if (console.encoding or "").startswith("utf") else _ASCII
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not (over := _over(asked, request)):
            lines = tree(asked.get("queue"), asked.get("drones"), time.time(), signs)
            live.update(Text("\n".join(lines)[: 1 << 16]), refresh=True)
            time.sleep(EVERY)
    return _ended(frame, over)


_UNICODE = ("├─ ", "└─ ", "│  ", "   ")
_ASCII = ("|- ", "`- ", "|  ", "   ")
Signs = tuple[str, str, str, str]


def tree(queue: Data, drones: Sequence[Data], now: float, signs: Signs = _UNICODE) -> list[str]:
    """Drones with what they hold, then what waits for one."""
    left = {entry["build"]["id"]: entry for entry in queue["entries"]}
    held = {build["id"] for drone in drones for build in drone["holds"]}
    branches = [(_drone(drone), [_held(build, drone, left, now) for build in drone["holds"]]) for drone in drones]
    waiting = [entry for entry in queue["entries"] if entry["build"]["id"] not in held]
    if waiting:
        shown = [f"{entry['build']['title']}  {entry['why'] or entry['build']['reason']}" for entry in waiting[:_SHOWN]]
        more = [f"and {len(waiting) - _SHOWN} more"] if len(waiting) > _SHOWN else []
        branches.append((f"waiting: {len(waiting)}", [*shown, *more]))
    return [in_short(queue), *_drawn(branches, signs)]


def _drone(drone: Data) -> str:
    return f"{drone['name']}  {state_of(drone)}  {drone['cores']} cores  load {drone['load']:.1f}"


def _held(build: Data, drone: Data, left: dict[str, Data], now: float) -> str:
    estimate = about(left[build["id"]]["left"]) if build["id"] in left else ""
    ends = f"  ends in {estimate}" if estimate else ""
    if build["state"] == "leased":
        return f"{build['title']}  next{ends}"
    phase = f"  {drone['phase']}" if build["id"] == drone["build"] and drone["phase"] else ""
    return f"{build['title']}  {build['state']} for {span(max(0.0, now - build['since']))}{phase}{ends}"


def _drawn(branches: list[tuple[str, list[str]]], signs: Signs) -> Iterator[str]:
    fork, corner, line, gap = signs
    for number, (name, leaves) in enumerate(branches, 1):
        last = number == len(branches)
        yield f"{corner if last else fork}{name}"
        for place, leaf in enumerate(leaves, 1):
            yield f"{gap if last else line}{corner if place == len(leaves) else fork}{leaf}"


# ---- a pipe, a file, a program


def _in_lines(frame: Frame, asked: OrchestratorHttp, request: str) -> int:
    """The stream first, then what is there already, so that nothing falls in between; its end is an event, too."""
    begun = False
    for event in asked.events():
        if not begun and not _over(asked, request):
            _tell_state(frame, asked, request)
        begun = True
        if event:
            _tell(frame, event)
        asks = event is None or (event.kind == "build_complete" and event.data.get("request") == request)
        if asks and (over := _over(asked, request)):
            return _ended(frame, over)
    return 0


def _tell_state(frame: Frame, asked: OrchestratorHttp, request: str) -> None:
    """What a request is at, or all there is: who reads a pipe may wait long for the first change."""
    told = asked.get("requests", request) if request else {**asked.get("queue"), "drones": asked.get("drones")}
    if frame.machine:
        say(json.dumps({"schema": SCHEMA, "event": "request_state" if request else "queue_state", **told}))
        return
    at = time.strftime("%H:%M:%S", time.localtime(told.get("at", time.time())))
    for line in _state_of_request(told) if request else _state_of_all(told):
        say(f"{at}  {line}")


def _state_of_request(told: Data) -> Iterator[str]:
    yield f"request {told['request']['id']}: {told['request']['state']}"
    yield from _bounded([_changed(build["title"], build) for build in told["builds"]])


def _state_of_all(told: Data) -> Iterator[str]:
    yield in_short(told)
    for drone in told["drones"]:
        yield f"{drone['name']}: {state_of(drone)}"
    reasons = [{**entry["build"], "reason": entry["why"] or entry["build"]["reason"]} for entry in told["entries"]]
    yield from _bounded([_changed(build["title"], build) for build in reasons])


def _bounded(lines: Sequence[str]) -> Iterator[str]:
    """As many as one event tells; `queue list` has all of them."""
    yield from lines[:_TOLD]
    if len(lines) > _TOLD:
        yield f"and {len(lines) - _TOLD} more"


def _tell(frame: Frame, event: Happened) -> None:
    if frame.machine:
        say(json.dumps({"schema": SCHEMA, "event": event.kind, "seq": event.seq, **event.data}))
        return
    at = time.strftime("%H:%M:%S", time.localtime(event.data.get("at", time.time())))
    for line in in_words(event):
        say(f"{at}  {line}")


def in_words(event: Happened) -> Iterator[str]:
    """A line for each thing that changed."""
    data = event.data
    if event.kind == "queue_update":
        for build in data.get("builds", ()):
            yield _changed(build.get("package") or build.get("build", ""), build)
        if more := data.get("more"):
            yield f"and {more} more"
    elif event.kind == "build_complete":
        counts = [f"{data[state]} {state}" for state in _ENDS if data.get(state)]
        yield f"request {data.get('request', '')}: {', '.join([str(data.get('state', '')), *counts])}"
    elif event.kind == "build_progress":
        subject = data.get("package") or data.get("build", "")
        yield f"{subject}: {data.get('phase') or 'begun'} on {data.get('drone', '')}"
    else:
        yield _changed(str(data.get("drone", event.kind)), {**data, "drone": ""})


_ENDS = ("succeeded", "failed", "held", "cancelled")


def _changed(subject: str, data: Data) -> str:
    where = f" on {data['drone']}" if data.get("drone") else ""
    reason = f" ({data['reason']})" if data.get("reason") else ""
    return f"{subject}: {data.get('state', '')}{where}{reason}"


# ---- a request


def _insist(asked: OrchestratorHttp, request: str) -> None:
    """Whether there is such a one. Who gives the id of a build, which the lists show first, is told its request."""
    from reconciler.adapters.swarm.orchestrator_http import NotThere

    try:
        asked.get("requests", request)
    except NotThere as error:
        try:
            build = asked.get("builds", request)
        except NotThere:
            raise error from None
        watches = "; or ".join(f"reconciler queue watch {id}" for id in build["requests"])
        log = f"its log: reconciler builds show {request} --follow"
        raise NotThere(
            error.code,
            f"{request} is a build, and no request",
            why="a request is what somebody handed in; it may have many builds, and a build many requests",
            next="; ".join(part for part in (watches, log) if part),
        ) from error


def _over(asked: OrchestratorHttp, request: str) -> dict[str, Any]:
    """The request with its builds once it has ended; else nothing."""
    if not request:
        return {}
    told: dict[str, Any] = asked.get("requests", request)
    return told if told["request"]["ended"] is not None else {}


def _ended(frame: Frame, told: dict[str, Any]) -> int:
    request = told["request"]
    states = [build["state"] for build in told["builds"] if build["kind"] == "package"]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    well = request["state"] == "complete" and set(states) <= {"succeeded"}
    alone = "" if told["refused"] or states else request["reason"]
    reason = f" ({' '.join(alone.split())})" if alone else ""
    lines = [f"request {request['id']}: {request['state']}{reason}{f': {counts}' if counts else ''}"]
    lines += [f"  x {each['what']}  {' '.join(each['reason'].split())}" for each in told["refused"]]
    lines += [f"  {b['title']}: {b['state']} ({b['reason']})" for b in told["builds"] if b["state"] != "succeeded"]
    code = give(frame, Answer(told, lines, [request["id"]]), one_line=True)
    return code if well else 1

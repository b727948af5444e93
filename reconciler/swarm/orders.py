"""What people order: a build or a request is cancelled or goes first, a drone is drained or leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.errors import Refused
from reconciler.model.queue import Attempt, Known
from reconciler.model.swarm import Build, Request
from reconciler.swarm import events, lifecycle
from reconciler.swarm.draft import Draft

Cancelled = tuple[tuple[str, ...], tuple[Attempt, ...]]
"""Ids of builds, and the tries that are over with them."""


def cancel_request(draft: Draft, request: Request, reason: str) -> Cancelled:
    """Its builds that nobody else wants; what is uploaded already is stored all the same."""
    own = [
        build
        for build in draft.live(request.builds)
        if all(each.id == request.id for each in draft.board.wanted_by(build.id)) and lifecycle.may(build, "cancelled")
    ]
    draft.put_request(replace(request, state="cancelled", reason=reason, ended=draft.now))
    return _cancel(draft, own, reason)


def cancel_build(draft: Draft, build: Build, reason: str) -> Cancelled:
    if not lifecycle.may(build, "cancelled"):
        raise ended(build.id, f"it is {build.state}")
    return _cancel(draft, [build], reason)


def _cancel(draft: Draft, builds: Sequence[Build], reason: str) -> Cancelled:
    leases = {lease.build: lease for build in builds if (lease := draft.lease(build.lead, build.attempt)) is not None}
    for build in builds:
        draft.move(lifecycle.cancelled(build, draft.now, reason))
    for lease in leases.values():
        draft.lose(lease, "cancelled", reason)
    return tuple(build.id for build in builds), tuple(leases.values())


def bump(draft: Draft, builds: Sequence[Build]) -> tuple[str, ...]:
    """Those that wait go before all others, and so does what a question that is being asked will bring."""
    most = max((build.bump for build in draft.all_live()), default=0)
    waiting = [build for build in builds if build.state == "queued" or build.kind == "resolve"]
    for build in waiting:
        draft.move(replace(build, bump=most + 1))
    return tuple(build.id for build in waiting)


def set_drained(draft: Draft, name: str, drained: bool, reason: str) -> None:
    """KeyError for a drone that nobody knows."""
    known = replace(_known(draft, name), drained=drained)
    draft.put_drone(known)
    draft.say(events.drone_status(draft.now, known, reason))


def restart(draft: Draft, name: str, reason: str) -> tuple[Attempt, ...]:
    """All that it has is taken from it; it ends what it was at, and begins anew. KeyError as above."""
    known = _known(draft, name)
    held = draft.board.held_by(name)
    for lease in held:
        draft.lose(lease, "returned", reason)
    draft.say(events.drone_status(draft.now, known, reason))
    return held


def leave(draft: Draft, name: str, reason: str) -> None:
    """It is forgotten, and what it had goes elsewhere. KeyError for a drone that nobody knows."""
    known = _known(draft, name)
    for lease in draft.board.held_by(name):
        draft.lose(lease, "lost", reason)
    draft.forget_drone(name)
    draft.say(events.drone_status(draft.now, replace(known, state="offline"), reason))


def join(draft: Draft, name: str, reason: str) -> None:
    """It is expected."""
    if draft.drone(name) is None:
        known = Known(name, since=draft.now)
        draft.put_drone(known)
        draft.say(events.drone_status(draft.now, known, reason))


def ended(id: str, why: str) -> Refused:
    return Refused("E-SWARM-ENDED", f"{id} cannot be changed any more", why=why, next="submit it again if it is wanted")


def _known(draft: Draft, name: str) -> Known:
    if (known := draft.drone(name)) is None:
        raise KeyError(name)
    return known

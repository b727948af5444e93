"""Who is there, what they are at, and what was lost with those who are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.model.queue import Attempt, Known
from reconciler.model.swarm import Beat
from reconciler.swarm import events, lifecycle, presence, retry
from reconciler.swarm.draft import Draft
from reconciler.swarm.rules import Rules
from reconciler.swarm.words import span

_GRACE = 600.0
"""Seconds that a drone has to end a build whose time is over."""


def watch(draft: Draft, beats: Sequence[Beat], rules: Rules, *, away: bool) -> tuple[Attempt, ...]:
    """Take in beats and silence; the tries that are over because of them. `away`: nobody has looked for a while."""
    lost: list[Attempt] = []
    spoke: set[str] = set()
    for beat in beats:
        known = draft.drone(beat.drone) or Known(beat.drone, since=draft.now)
        after = presence.heard(known, beat, draft.now)
        if after is known:
            continue
        spoke.add(beat.drone)
        draft.put_drone(after)
        if presence.restarted(known, beat):
            lost += _lose(draft, beat.drone, f"{beat.drone} was restarted")
        _progress(draft, known, beat)
    for name in sorted({*draft.board.drones, *spoke}):
        lost += _look(draft, name, rules.heartbeat, spoke=name in spoke, away=away)
    return tuple(lost)


def _progress(draft: Draft, before: Known, beat: Beat) -> None:
    """What a drone says that it builds has begun, if it is its to build."""
    lease = draft.lease(beat.build, beat.attempt)
    if lease is None or lease.drone != beat.drone:
        return
    if lease.begun is None:
        lease = replace(lease, begun=draft.now)
        draft.put_lease(lease)
        for build in draft.members(lease):
            if build.state == "leased":
                draft.move(lifecycle.begun(build, draft.now))
    said = before.beat and (before.beat.build, before.beat.attempt, before.beat.package, before.beat.phase)
    if said != (beat.build, beat.attempt, beat.package, beat.phase):
        draft.say(events.build_progress(draft.now, lease, beat))


def _look(draft: Draft, name: str, heartbeat: float, *, spoke: bool, away: bool) -> tuple[Attempt, ...]:
    known = draft.drone(name)
    if known is None:
        return ()
    if away and not spoke:
        known = presence.forgiven(known, draft.now)
    held = _held(draft, name)
    building = any(lease.begun is not None for lease in held)
    after = presence.seen(known, draft.now, heartbeat, spoke=spoke, building=building)
    if after != draft.drone(name):
        draft.put_drone(after)
    gone = after.beat is not None and after.beat.gone
    silent = f"{name} has ended" if gone else f"no word from {name} for {draft.now - after.heard:.0f} s"
    if _told_anew(draft, after):
        unable = after.beat.unable if after.beat is not None else ""
        draft.say(events.drone_status(draft.now, after, silent if after.state in ("degraded", "offline") else unable))
    if after.state == "offline":
        return _lose(draft, name, silent)
    if after.drained:
        waiting = [lease for lease in held if lease.begun is None]
        for lease in waiting:
            draft.lose(lease, "returned", f"{name} is drained")
        return tuple(waiting)
    return ()


def _told_anew(draft: Draft, after: Known) -> bool:
    before = draft.board.drones.get(after.name)
    draining = (before.beat.draining if before and before.beat else False, after.beat.draining if after.beat else False)
    return before is None or before.state != after.state or draining[0] != draining[1]


def _lose(draft: Draft, drone: str, reason: str) -> tuple[Attempt, ...]:
    held = _held(draft, drone)
    for lease in held:
        draft.lose(lease, "lost", reason)
    return held


class Overdue:
    """A drone ends what takes too long; one that does not even do that has hung, whatever its beats say.

    Time counts as somebody looked on: a clock that was set, or an orchestrator that was away, ends no build.
    """

    def __init__(self) -> None:
        self._begun: dict[tuple[str, int], float] = {}

    def fail(self, draft: Draft, rules: Rules, *, away: bool) -> tuple[Attempt, ...]:
        """The tries that have failed for it."""
        running = {(lease.build, lease.attempt): lease for lease in draft.leases() if lease.begun is not None}
        since = {} if away else self._begun
        self._begun = {key: since.get(key, draft.now) for key in running}
        late = tuple(lease for key, lease in running.items() if draft.now - self._begun[key] > rules.timeout + _GRACE)
        for lease in late:
            why = f"its drone did not end it after {span(rules.timeout)}"
            for build in draft.members(lease):
                if build.state in lifecycle.LEASED:
                    draft.move(retry.after_failure(build, draft.now, why, rules.limits.retries))
            draft.end_lease(lease, "failed", why)
        return late


def _held(draft: Draft, drone: str) -> tuple[Attempt, ...]:
    """What it owes an outcome for, as it will be."""
    return tuple(lease for lease in draft.leases() if lease.drone == drone)

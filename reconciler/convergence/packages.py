"""Package sets: what the binhost lacks of them is handed to the build swarm, when all else of a pass is done.

Nothing here touches what runs, and nothing of it makes a pass fail: an orchestrator that is away is told, and asked
again by the next pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from reconciler.core.packages.compare import compared, profiles_of
from reconciler.core.packages.handing import covering, origin_of, stood, submission
from reconciler.core.packages.wording import handed_line
from reconciler.errors import ReconcilerError, Unreachable
from reconciler.model.queue import Answer, RequestView, Stored
from reconciler.model.sets import PackageDrift, Packages, PackageSet, SetDrift, Submission
from reconciler.model.swarm import Request
from reconciler.ports import BuildSwarm, Clock

PATIENCE = 15.0
"""Seconds for all questions of a pass together; each has a deadline of its own."""


@dataclass(frozen=True, slots=True)
class Handed:
    """The drift after it was handed over; `lines` say what was, for the history."""

    drift: PackageDrift
    lines: tuple[str, ...] = ()
    count: int = 0


class Asking(Protocol):
    """What looking at sets asks."""

    @property
    def swarm(self) -> BuildSwarm | None: ...
    @property
    def clock(self) -> Clock: ...


def looking(world: Asking, wanted: Packages) -> PackageSets | None:
    """Who compares and hands over; None when this host knows no orchestrator."""
    return PackageSets(world.swarm, world.clock, wanted) if world.swarm else None


def unasked(wanted: Packages) -> PackageDrift | None:
    """What is said where nobody is asked; None on a host whose fleet has others for it."""
    if wanted.elsewhere:
        return None
    names = ", ".join(each.name for each in wanted.sets)
    told = f"nobody builds {names}: no orchestrator is configured on this host; write swarm.url into reconciler.toml"
    return PackageDrift(unasked=f"{told}{f' (the fleet names {wanted.orchestrator})' if wanted.orchestrator else ''}")


class PackageSets:
    """For one look."""

    def __init__(self, swarm: BuildSwarm, clock: Clock, wanted: Packages) -> None:
        self._swarm, self._clock, self._wanted = swarm, clock, wanted
        self._requests: dict[str, Sequence[Request]] = {}
        self._synced: dict[str, float] = {}
        self._until = clock.now() + PATIENCE

    def look(self) -> PackageDrift:
        """Never raises a ReconcilerError: what could not be asked is `unknown`. Changes nothing."""
        found: list[SetDrift] = []
        error: ReconcilerError | None = None
        for profile, sets in profiles_of(self._wanted):
            try:
                found += self._profile(profile, sets)
            except ReconcilerError as trouble:
                error = error or trouble
                if isinstance(trouble, Unreachable):  # each question more would wait as long
                    break
        return _troubled(PackageDrift(tuple(found)), error)

    def hand_over(self, drift: PackageDrift, actor: str) -> Handed:
        """What lacks and is nobody's work yet. Never raises a ReconcilerError."""
        after: list[SetDrift] = []
        lines: list[str] = []
        error: ReconcilerError | None = None
        count = 0
        for each in drift.sets:
            asked = self._asked(each, actor) if each.standing("open") and error is None else None
            try:
                answer = self._in_time().submit(asked) if asked else None
            except ReconcilerError as trouble:
                answer, error = None, trouble
            after.append(self._answered(each, answer) if answer else each)
            if answer:
                lines.append(handed_line(each, answer))
                count += len(each.standing("open"))
        return Handed(_troubled(replace(drift, sets=tuple(after)), error), tuple(lines), count)

    def _asked(self, each: SetDrift, actor: str) -> Submission | None:
        found = next(one for one in self._wanted.sets if one.name == each.name)
        known = self._requests.get(each.name, ())
        return submission(found, each.standing("open"), known, actor, self._synced.get(each.profile, 0.0))

    def _answered(self, each: SetDrift, answer: Answer) -> SetDrift:
        """As the answer has it; how its builds fare, the next look tells."""
        found = next(one for one in self._wanted.sets if one.name == each.name)
        view = RequestView(answer.request, decisions=answer.decisions)
        return stood(found, each, (answer.request,), {answer.request.id: view}, ())

    # ---- the questions

    def _profile(self, profile: str, sets: Sequence[PackageSet]) -> tuple[SetDrift, ...]:
        """The index is read anew after the requests: what they call built is in it, or it is gone."""
        drift = compared(sets, self._stored(profile))
        if not any(each.lacks for each in drift):
            return drift
        synced = self._synced[profile] = self._in_time().synced(profile)
        views = self._views(sets, drift, synced)
        stored = self._stored(profile)
        paths = {each.path for each in stored}
        after = zip(sets, compared(sets, stored), strict=True)
        return tuple(
            stood(found, each, self._requests.get(found.name, ()), views, paths, synced) for found, each in after
        )

    def _stored(self, profile: str) -> Sequence[Stored]:
        return self._in_time().stored(self._wanted.binhost, profile)

    def _in_time(self) -> BuildSwarm:
        """Slow answers, one after the other, must not hold up a pass for long either."""
        if self._clock.now() <= self._until:
            return self._swarm
        raise Unreachable(
            "E-ORCHESTRATOR-SLOW",
            f"the orchestrator at {self._swarm.address} takes too long",
            why=f"its answers to one pass took more than {PATIENCE:.0f} s together",
            next="look at its load; the next pass asks again",
        )

    def _views(self, sets: Sequence[PackageSet], drift: Sequence[SetDrift], synced: float) -> dict[str, RequestView]:
        views: dict[str, RequestView] = {}
        for found, each in zip(sets, drift, strict=True):
            if each.lacks:
                requests = self._requests[found.name] = self._in_time().requests(origin_of(found))
                for request in covering(found, each.lacks, requests, synced).values():
                    if request.id not in views:
                        views[request.id] = self._in_time().request(request.id)
        return views


def _troubled(drift: PackageDrift, error: ReconcilerError | None) -> PackageDrift:
    if error is None:
        return drift
    why = f"{error.what}: {error.why}" if error.why else error.what
    return replace(drift, unknown=why, advice=error.next)

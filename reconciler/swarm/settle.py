"""What comes back from drones: outcomes end tries, and what was uploaded becomes part of the binhost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reconciler.errors import Terminal, Transient
from reconciler.model.queue import Attempt, Took
from reconciler.model.swarm import Artifact, Build, Outcome
from reconciler.ports.swarm import Binhost
from reconciler.swarm import lifecycle, retry
from reconciler.swarm.draft import Draft

Answered = Callable[[Draft, Build, str], None]
"""What to do with the text that a question to Portage brought."""


@dataclass(frozen=True, slots=True)
class Settled:
    """`discard`: leases whose uploads, if there are any, are nothing any more."""

    discard: tuple[tuple[str, int], ...] = ()
    stale: int = 0


def settle(draft: Draft, outcomes: Sequence[Outcome], answered: Answered, retries: int) -> Settled:
    """Questions last: what they bring is seen beside all that has ended."""
    discard: list[tuple[str, int]] = []
    stale = 0
    for outcome in sorted(outcomes, key=lambda each: bool(each.text)):
        lease = draft.lease(outcome.build, outcome.attempt)
        members = _owed(draft, lease, outcome.drone) if lease is not None else ()
        if lease is None or not members:
            stale += 1
            if lease is None:  # otherwise it is the same once more, and its upload waits to be stored
                discard.append((outcome.build, outcome.attempt))
            continue
        if outcome.result == "succeeded":
            _succeeded(draft, lease, members, outcome, answered, retries)
        else:
            _failed(draft, lease, members, outcome, retries)
            discard.append((outcome.build, outcome.attempt))
    return Settled(tuple(discard), stale)


def _owed(draft: Draft, lease: Attempt, drone: str) -> tuple[Build, ...]:
    """The builds for which this drone owes an outcome: the fence."""
    if lease.drone != drone:
        return ()
    return tuple(build for build in draft.members(lease) if build.state in lifecycle.LEASED)


def _succeeded(
    draft: Draft, lease: Attempt, members: Sequence[Build], outcome: Outcome, answered: Answered, retries: int
) -> None:
    if members[0].kind == "resolve":
        draft.end_lease(lease, "succeeded", "", outcome.seconds, outcome.log)
        draft.move(lifecycle.answered(members[0], draft.now, outcome.seconds))
        answered(draft, members[0], outcome.text)
        return
    uploads = [build for build in members if artifact_of(build, outcome.artifacts)]
    for build in members:
        if build in uploads:
            draft.move(lifecycle.uploaded(build, draft.now, outcome.seconds))
        else:
            draft.move(retry.after_failure(build, draft.now, "the drone uploaded no package of it", retries))
    if not uploads:
        draft.end_lease(lease, "failed", "the drone uploaded no package", outcome.seconds, outcome.log)
        return
    draft.put_lease(
        replace(
            lease,
            begun=lease.begun or draft.now - outcome.seconds,
            result="succeeded",
            seconds=outcome.seconds,
            log=retry.tail(outcome.log),
            artifacts=outcome.artifacts,
        )
    )
    if len(lease.members) == 1:
        _remember(draft, lease, members[0], outcome.seconds)


def _failed(draft: Draft, lease: Attempt, members: Sequence[Build], outcome: Outcome, retries: int) -> None:
    if outcome.result == "returned":
        lease = replace(lease, begun=lease.begun or draft.now - outcome.seconds)  # who gives it back had begun
        draft.lose(lease, "returned", f"{lease.drone} gave it back: {outcome.reason or 'it ends'}")
        return
    reason = outcome.reason or "no reason was given"
    for build in members:
        draft.move(retry.after_failure(build, draft.now, reason, retries))
    draft.end_lease(lease, "failed", reason, outcome.seconds, outcome.log)


def _remember(draft: Draft, lease: Attempt, build: Build, seconds: float) -> None:
    known = draft.drone(lease.drone)
    if build.package is not None and known is not None and known.beat is not None:
        beat = known.beat
        draft.took(Took(build.package.cp, beat.drone, beat.cores, seconds, draft.now, lease.expected, beat.speed))


def artifact_of(build: Build, artifacts: Sequence[Artifact]) -> Artifact | None:
    for artifact in artifacts:
        if build.package is not None and artifact.entry.get("CPV") == build.package.cpv:
            return artifact
    return None


def store(draft: Draft, binhost: Binhost, retries: int) -> tuple[int, Transient | None]:
    """Publish whatever is uploaded; how many packages, and why the rest of them has to wait."""
    count = 0
    for lease in list(draft.board.leases.values()):
        uploads = [build for build in draft.members(lease) if build.state == "uploaded"]
        if not uploads:
            continue
        asked_for = [artifact for build in uploads if (artifact := artifact_of(build, lease.artifacts))]
        along_the_way = [artifact for artifact in lease.artifacts if artifact not in asked_for]
        try:
            paths = binhost.publish(uploads[0].profile, lease.build, lease.attempt, [*asked_for, *along_the_way])
        except Transient as error:
            return count, error
        except Terminal as error:
            why = f"what it uploaded could not be stored: {error.what}{f' ({error.why})' if error.why else ''}"
            for build in uploads:
                draft.move(retry.after_failure(build, draft.now, why, retries))
            draft.end_lease(lease, "failed", why, lease.seconds, lease.log)
            continue
        for build, path in zip(uploads, paths, strict=False):  # what came along the way is behind them
            draft.move(lifecycle.stored(build, draft.now, path))
            count += 1
        draft.put_lease(replace(lease, ended=draft.now))
    return count, None

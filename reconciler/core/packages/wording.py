"""Package sets in words; the same in plan, status, result and history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.model.queue import Answer
from reconciler.model.sets import Lack, PackageDrift, SetDrift

_SIGNS = {"missing": "+", "outdated": "±", "building": ">", "failed": "!"}
_SHOWN = 20


def package_lines(drift: PackageDrift, most: int = _SHOWN) -> Iterator[str]:
    """One for each lack, at most so many of a set; then what could not be seen, and why."""
    for each in drift.sets:
        yield from (
            f"  {_SIGNS[lack.state]} package {lack.atom}  {_state(lack)}  ({each.name})" for lack in each.lacks[:most]
        )
        if len(each.lacks) > most:
            yield f"    and {len(each.lacks) - most} more of {each.name}"
    yield from trouble_lines(drift)


def trouble_lines(drift: PackageDrift) -> Iterator[str]:
    if drift.unknown:
        yield f"  ! packages: not all is known: {drift.unknown}{f' (next: {drift.advice})' if drift.advice else ''}"
    if drift.unasked:
        yield f"  ! packages: {drift.unasked}"


def superseded_lines(drift: PackageDrift) -> Iterator[str]:
    """What the binhost has and no set needs any more."""
    for each in drift.sets:
        yield from (f"  - package {old.package}  superseded by {old.by}  ({each.name})" for old in each.superseded)


def package_counts(drift: PackageDrift) -> str:
    """`Packages: 1 missing, 2 building, 14 as wanted.`, or what keeps that from being known."""
    counts: dict[str, int] = {}
    for lack in drift.lacks:
        counts[lack.state] = counts.get(lack.state, 0) + 1
    parts = [f"{counts[state]} {state}" for state in _SIGNS if state in counts]
    if drift.sets:
        parts.append(f"{sum(each.present for each in drift.sets)} as wanted")
    if drift.unknown or drift.unasked:
        parts.append("the rest is not known" if parts else "not known")
    return f"Packages: {', '.join(parts)}."


def package_note(drift: PackageDrift, handed: int) -> str:
    """What a pass says of them behind its own reason; "" when there is nothing to say."""
    parts = [f"{handed} handed over"] if handed else []
    building = sum(lack.standing == "building" for lack in drift.lacks) - handed
    parts += [f"{building} building"] if building > 0 else []
    failed = sum(lack.standing == "failed" for lack in drift.lacks)
    parts += [f"{failed} failed"] if failed else []
    parts += ["not all is known"] if drift.unknown else []
    return f"packages: {', '.join(parts)}" if parts else ""


def handed_line(each: SetDrift, answer: Answer) -> str:
    """`workstation: 2 handed over as request r7: app-misc/foo (missing: ...)`."""
    known = ", which was there already" if answer.repeated else ""
    lacks = each.standing("open")
    told = "; ".join(f"{lack.atom} ({lack.kind}: {lack.reason})" for lack in lacks[:_SHOWN])
    more = f"; and {len(lacks) - _SHOWN} more" if len(lacks) > _SHOWN else ""
    return f"{each.name}: {len(lacks)} handed over as request {answer.request.id}{known}: {told}{more}"


def package_data(drift: PackageDrift) -> dict[str, Any]:
    return {
        "in_sync": drift.in_sync,
        "unknown": drift.unknown,
        "advice": drift.advice,
        "unasked": drift.unasked,
        "sets": [
            {
                "name": each.name,
                "profile": each.profile,
                "present": each.present,
                "lacks": [_lack(lack) for lack in each.lacks],
                "superseded": [{"package": old.package, "path": old.path, "by": old.by} for old in each.superseded],
            }
            for each in drift.sets
        ],
    }


def _state(lack: Lack) -> str:
    """`missing: the binhost does not have it`, `building: queued; the binhost does not have it`."""
    if lack.standing == "open":
        return f"{lack.kind}: {lack.reason}{f' ({lack.why})' if lack.why else ''}"
    return f"{lack.standing}: {lack.why} ({lack.reason}; request {lack.request})"


def _lack(lack: Lack) -> dict[str, Any]:
    return {
        "atom": str(lack.atom),
        "state": lack.state,
        "lack": lack.kind,
        "reason": lack.reason,
        "found": lack.found,
        "why": lack.why,
        "request": lack.request,
    }

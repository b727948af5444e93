"""What may become of a build, as a table. It only moves forward: another try is the next attempt, not a step back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from reconciler.model.swarm import ENDED, Build, BuildState

Happening = Literal["leased", "begun", "uploaded", "stored", "answered", "again", "failed", "cancelled", "held"]

TABLE: Mapping[tuple[BuildState, Happening], BuildState] = {
    ("queued", "leased"): "leased",
    ("queued", "cancelled"): "cancelled",
    ("queued", "held"): "held",
    ("leased", "begun"): "building",
    ("leased", "uploaded"): "uploaded",  # it was over before its drone's next beat
    ("leased", "answered"): "succeeded",
    ("leased", "again"): "queued",
    ("leased", "failed"): "failed",
    ("leased", "cancelled"): "cancelled",
    ("building", "uploaded"): "uploaded",
    ("building", "answered"): "succeeded",
    ("building", "again"): "queued",
    ("building", "failed"): "failed",
    ("building", "cancelled"): "cancelled",
    ("uploaded", "stored"): "succeeded",
    ("uploaded", "again"): "queued",  # what was uploaded turned out to be no package
    ("uploaded", "failed"): "failed",
}
"""An uploaded build is not cancelled: it may be in the binhost already."""

LEASED: tuple[BuildState, ...] = ("leased", "building")
"""A drone has it, and what comes from that drone under this attempt counts."""

_RANK: Mapping[BuildState, int] = {
    "queued": 0,
    "leased": 1,
    "building": 2,
    "uploaded": 3,
    **dict.fromkeys(ENDED, 4),
}


def may(build: Build, happening: Happening) -> bool:
    return (build.state, happening) in TABLE


def progress(build: Build) -> tuple[bool, int, int]:
    """Grows with every transition: whether it is over, the attempt that is to come or goes on, and how far that is."""
    return build.ended, build.attempt + (build.state == "queued"), _RANK[build.state]


def leased(build: Build, drone: str, attempt: int, now: float, *, lead: str = "", reason: str = "") -> Build:
    """`attempt` greater than all before; `lead`: of its cycle, itself when it has none."""
    if attempt <= build.attempt:
        raise ValueError(f"{build.id}: attempt {attempt} is no new one after {build.attempt}")
    return replace(_to(build, "leased", now, reason), drone=drone, attempt=attempt, lead=lead or build.id)


def begun(build: Build, now: float) -> Build:
    return _to(build, "begun", now, build.reason)


def uploaded(build: Build, now: float, seconds: float) -> Build:
    return replace(_to(build, "uploaded", now, "uploaded, and not yet stored"), seconds=seconds)


def stored(build: Build, now: float, path: str) -> Build:
    return replace(_to(build, "stored", now, ""), stored=path)


def answered(build: Build, now: float, seconds: float) -> Build:
    """A question to Portage has its answer; there is nothing to store."""
    return replace(_to(build, "answered", now, ""), seconds=seconds)


def again(build: Build, now: float, reason: str, failed_on: str = "") -> Build:
    """The lease is over, and the build waits for the next one; `failed_on`: the drone on which it failed."""
    failures = (*build.failures, failed_on) if failed_on else build.failures
    return replace(_to(build, "again", now, reason), drone="", failures=failures, seconds=None)


def failed(build: Build, now: float, reason: str, failed_on: str = "") -> Build:
    failures = (*build.failures, failed_on) if failed_on else build.failures
    return replace(_to(build, "failed", now, reason), failures=failures)


def cancelled(build: Build, now: float, reason: str) -> Build:
    return _to(build, "cancelled", now, reason)


def held(build: Build, now: float, reason: str) -> Build:
    return _to(build, "held", now, reason)


def _to(build: Build, happening: Happening, now: float, reason: str) -> Build:
    """ValueError for what cannot happen in this state."""
    if (state := TABLE.get((build.state, happening))) is None:
        raise ValueError(f"{build.id} is {build.state}: it cannot be {happening}")
    return replace(build, state=state, since=now, reason=reason)

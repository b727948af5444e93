"""Samples of a container -> is it good, not yet, or bad, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from reconciler.core.counting import count
from reconciler.model.observed import Container

# The engine's own defaults (docs.docker.com/reference/dockerfile/#healthcheck), in seconds.
_INTERVAL = _TIMEOUT = 30.0
_RETRIES = 3
_NANO = 1e9


class State(Enum):
    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Verdict:
    state: State
    reason: str = ""


GOOD = Verdict(State.GOOD)


def started(container: Container | None, *, job: bool) -> Verdict:
    """Whether a container is up: running and, if it has a health check, healthy; a job: ended with 0."""
    if container is None:
        return Verdict(State.BAD, "it is gone")
    if container.state == "exited":
        if job and container.exit_code == 0:
            return GOOD
        hint = "" if container.exit_code or job else "; if it is a job, say `x-reconciler: {job: true}`"
        return Verdict(State.BAD, f"it exited with code {container.exit_code}{hint}")
    if job:
        return Verdict(State.WAITING, "the job runs")
    if container.state != "running":
        return Verdict(State.WAITING, f"it is {container.state}")
    if container.health == "unhealthy":
        return Verdict(State.BAD, "its health check fails")
    if container.health == "starting":
        return Verdict(State.WAITING, "its health check has not passed yet")
    return GOOD


def stable(samples: Sequence[Container | None], *, job: bool) -> Verdict:
    """Whether the last three samples are all good and show the same start and restart count."""
    now = started(samples[-1] if samples else None, job=job)
    if now.state is not State.GOOD:
        return now
    seen = [(s.started_at, s.restart_count) for s in samples if s]
    if not job and len(set(seen)) > 1:
        return Verdict(
            State.BAD, f"it restarted {count(max(restarts for _, restarts in seen) or 1, 'time')} while it was watched"
        )
    if len(samples) < 3:
        return Verdict(State.WAITING, "watched for too short a time")
    return GOOD


def patience(container: Container, at_least: float) -> float:
    """Seconds until a health check must have passed: start_period + (retries + 1) x (interval + timeout)."""
    check: Mapping[str, Any] = container.definition.get("Healthcheck") or {}
    if not check.get("Test"):
        return at_least
    interval = (check.get("Interval") or 0) / _NANO or _INTERVAL
    timeout = (check.get("Timeout") or 0) / _NANO or _TIMEOUT
    start_period = (check.get("StartPeriod") or 0) / _NANO
    retries = check.get("Retries") or _RETRIES
    return float(max(at_least, start_period + (retries + 1) * (interval + timeout)))

"""What follows when a try came to nothing: another one, or the end.

A package that fails is tried twice more: on another drone first, and the last time on the sweeper where there is one
(`placing/eligible.py` sees to both, by `Build.failures`). A drone that was lost, or gave the build back, says nothing
about the package; only when that happens again and again, the package is taken for what takes the drones down.
"""

from __future__ import annotations

from reconciler.model.swarm import Build
from reconciler.swarm import lifecycle

RETRIES = 2
WITHOUT_VERDICT = 10
"""Tries of a build that were begun, and ended without a word about the package, after which it is given up."""

LOG = 16 * 1024
"""Characters that are kept of a log."""


def after_failure(build: Build, now: float, why: str, retries: int = RETRIES) -> Build:
    """The try on `build.drone` failed."""
    if len(build.failures) < retries:
        reason = f"failed on {build.drone}: {why}; {_tries(retries - len(build.failures))} left"
        return lifecycle.again(build, now, reason, failed_on=build.drone)
    where = ", ".join((*build.failures, build.drone))
    return lifecycle.failed(build, now, f"failed {len(build.failures) + 1} times ({where}): {why}", build.drone)


def after_loss(build: Build, now: float, why: str, tries: int) -> Build:
    """The try ended without a verdict: `why` says what became of it; `tries`: how many were begun and ended so."""
    if tries < WITHOUT_VERDICT:
        return lifecycle.again(build, now, why)
    return lifecycle.failed(build, now, f"{WITHOUT_VERDICT} tries ended without a verdict; of the last one: {why}")


def hold(build: Build, now: float, first: Build) -> Build:
    """It needs `first`, which will not be there."""
    what = first.package or "the question"
    return lifecycle.held(build, now, f"needs {what}, which is {first.state}: {first.reason}")


def tail(log: str, limit: int = LOG) -> str:
    """The last whole lines within the limit."""
    if len(log) <= limit:
        return log
    cut = log[-limit:]
    _, newline, lines = cut.partition("\n")
    return lines if newline else cut


def _tries(count: int) -> str:
    return "one try is" if count == 1 else f"{count} tries are"

"""A heartbeat as Prometheus reads it: the text format of its exposition formats, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconciler import __version__
from reconciler.model.heartbeat import Beat
from reconciler.model.result import Result

_UNDONE = ("paused", "held", "failed", "halted", "interrupted")


def after(
    before: Beat, result: Result, now: float, *, revision: str, paused: float, blocked: int, waiting: int
) -> Beat:
    """The beat of a pass that just ended. `revision`: the one verified last; `paused`: since when, 0 for not."""
    well = result.exit_code == 0
    return replace(
        before,
        host=result.host,
        at=now,
        success=now if well else before.success,
        seconds=result.seconds,
        outcome=result.outcome,
        exit_code=result.exit_code,
        code="" if well else result.error.code if result.error else before.code,
        failed=now if result.error else before.failed,
        paused=paused,
        blocked=blocked,
        held=result.held,
        revision=revision,
        drift=len(result.plan.steps) if result.plan and result.outcome in _UNDONE else 0,
        waiting=waiting,
    )


def after_a_quick_look(before: Beat, now: float, seconds: float) -> Beat:
    """Nothing has changed since the full look that `before` is of, and that is a success."""
    return replace(before, at=now, success=now, seconds=seconds, outcome="unchanged", exit_code=0, code="", drift=0)


def success(beat: Beat, looked: float) -> float:
    """When a pass ended well the last time; `looked`: the latest quick look."""
    return max(beat.success, looked)


def metrics(beat: Beat) -> str:
    """Every metric with its help and type, in a stable order."""
    lines: list[str] = []
    for short, labels, value, text in _gauges(beat):
        name = f"reconciler_{short}"
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name}{_labels(labels)} {value:.15g}"]
    return "\n".join([*lines, ""])


Gauge = tuple[str, dict[str, str], float, str]


def _gauges(beat: Beat) -> Iterator[Gauge]:
    yield "build_info", {"version": __version__, "host": beat.host}, 1, "The version that made the latest pass."
    yield "last_pass_timestamp_seconds", {}, beat.at, "When the latest pass ended, quick looks included."
    yield "last_success_timestamp_seconds", {}, beat.success, "When a pass ended with exit code 0 the last time."
    yield "last_error_timestamp_seconds", {}, beat.failed, "When a pass ended with an error the last time."
    yield "last_busy_timestamp_seconds", {}, beat.busy, "When a pass found another one at work the last time."
    yield "last_pass_duration_seconds", {}, beat.seconds, "How long the latest pass took."
    yield "last_pass_exit_code", {}, beat.exit_code, "Its exit code."
    yield "last_pass_outcome_info", {"outcome": beat.outcome}, 1, "How it ended."
    if beat.code:
        yield "last_error_info", {"code": beat.code}, 1, "The error that nothing has gone well since."
    yield "paused_since_timestamp_seconds", {}, beat.paused, "Since when this host is paused; 0: it is not."
    yield "blocked_revisions", {}, beat.blocked, "Commits and images that are not deployed again."
    yield "held", {}, bool(beat.held), "1 while the head of the branch is not followed."
    yield "drift_steps", {}, beat.drift, "Steps that the latest pass saw and did not do."
    yield "notices_waiting", {}, beat.waiting, "Notices that could not be delivered yet."
    if beat.revision:
        yield "deployed_revision_info", {"revision": beat.revision}, 1, "The revision that was verified last."


def _labels(labels: dict[str, str]) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels.items()]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""What a host says of itself: values after each end of a pass, and a text that Prometheus reads."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from reconciler.core.heartbeat import after, after_a_quick_look, metrics, success
from reconciler.model.heartbeat import Beat
from reconciler.model.plan import Action
from reconciler.model.result import Result
from tests.support.notices import NEW, failure, nothing, plan
from tests.support.notices import success as good

NOW = 1_700_000_000.0


def beat(before: Beat, result: Result, paused: float = 0.0) -> Beat:
    return after(before, result, NOW, revision=NEW, paused=paused, blocked=2, waiting=3)


def test_a_success_forgets_the_error_and_a_failure_keeps_the_success() -> None:
    failed = beat(Beat(success=5.0), failure())
    assert (failed.success, failed.code, failed.failed, failed.exit_code) == (5.0, "E-VERIFY-UNHEALTHY", NOW, 4)
    well = beat(failed, good())
    assert (well.success, well.code, well.failed, well.exit_code) == (NOW, "", NOW, 0)
    assert (well.blocked, well.waiting, well.revision, well.host) == (2, 3, NEW, "caroline")


def test_a_paused_pass_is_no_success_and_shows_the_drift_that_it_left() -> None:
    paused = replace(nothing(), outcome="paused", exit_code=3, plan=plan(Action.CREATE, Action.REMOVE))
    told = beat(Beat(success=5.0), paused, 9.0)

    assert (told.success, told.drift, told.paused) == (5.0, 2, 9.0)


def test_a_quick_look_is_a_success() -> None:
    told = after_a_quick_look(beat(Beat(), good()), NOW + 900, 0.05)

    assert (told.at, told.success, told.outcome, told.seconds) == (NOW + 900, NOW + 900, "unchanged", 0.05)
    assert success(beat(Beat(), good()), NOW + 900) == NOW + 900


@pytest.mark.parametrize(
    "told",
    [
        Beat(),
        beat(Beat(), failure()),
        beat(Beat(), good()),
        replace(beat(Beat(), good()), host='a"b\\c\nd', seconds=1e-9, at=1e300),
    ],
)
def test_prometheus_has_nothing_to_complain_of(told: Beat) -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics(told), capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

"""Samples of a container -> good, waiting or bad, and how long that may take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.verdict import State, patience, stable, started
from reconciler.model.observed import Container

UP = Container("id", "app-web-1", "running", started_at="t0")


@pytest.mark.parametrize(
    ("changes", "job", "state", "reason"),
    [
        ({}, False, State.GOOD, ""),
        ({"health": "healthy"}, False, State.GOOD, ""),
        ({"health": "starting"}, False, State.WAITING, "health check has not passed"),
        ({"health": "unhealthy"}, False, State.BAD, "health check fails"),
        ({"state": "created"}, False, State.WAITING, "it is created"),
        ({"state": "restarting"}, False, State.WAITING, "it is restarting"),
        ({"state": "exited", "exit_code": 1}, False, State.BAD, "code 1"),
        ({"state": "exited", "exit_code": 0}, False, State.BAD, "x-reconciler: {job: true}"),
        ({}, True, State.WAITING, "the job runs"),
        ({"state": "exited", "exit_code": 0}, True, State.GOOD, ""),
        ({"state": "exited", "exit_code": 2}, True, State.BAD, "code 2"),
    ],
)
def test_whether_it_is_up(changes: dict[str, Any], job: bool, state: State, reason: str) -> None:
    verdict = started(replace(UP, **changes), job=job)

    assert verdict.state is state
    assert reason in verdict.reason


def test_a_container_that_is_gone_is_bad() -> None:
    assert started(None, job=False).reason == "it is gone"
    assert stable([], job=False).state is State.BAD
    assert stable([UP, UP, None], job=False).state is State.BAD


@pytest.mark.parametrize(
    ("samples", "state", "reason"),
    [
        ([UP], State.WAITING, "too short"),
        ([UP, UP], State.WAITING, "too short"),
        ([UP, UP, UP], State.GOOD, ""),
        ([UP, replace(UP, started_at="t1"), replace(UP, started_at="t1")], State.BAD, "restarted 1 time"),
        ([UP, UP, replace(UP, restart_count=3)], State.BAD, "restarted 3 times"),
        ([UP, UP, replace(UP, health="unhealthy")], State.BAD, "health check"),
        ([UP, UP, replace(UP, state="exited", exit_code=9)], State.BAD, "code 9"),
    ],
)
def test_three_good_samples_of_the_same_start(samples: list[Container], state: State, reason: str) -> None:
    verdict = stable(samples, job=False)

    assert verdict.state is state
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("check", "seconds"),
    [
        (None, 30),
        ({"Interval": 10**9}, 30),
        ({"Test": ["CMD", "x"]}, 240),
        ({"Test": ["CMD", "x"], "Interval": 10**9, "Timeout": 2 * 10**9, "Retries": 1}, 30),
        ({"Test": ["CMD", "x"], "Interval": 10**10, "Timeout": 10**10, "Retries": 2, "StartPeriod": 5 * 10**9}, 65),
    ],
)
def test_a_health_check_has_its_own_time_and_never_less_than_the_hosts(
    check: dict[str, Any] | None, seconds: float
) -> None:
    assert patience(replace(UP, definition={"Healthcheck": check}), 30) == seconds

"""How often a package is tried, and what its dependants are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.build import Drone, Job
from reconciler.model.swarm import Build
from reconciler.swarm import lifecycle, retry
from reconciler.swarm.placing.eligible import eligible
from tests.support.orchestrated import package

BUILD = Build("b1", "package", package("app-misc/foo-1"), "amd64", "queued", 1.0, 1.0)


def on(build: Build, drone: str) -> Build:
    return lifecycle.begun(lifecycle.leased(build, drone, build.attempt + 1, 2.0), 3.0)


def test_a_package_that_fails_is_tried_twice_more_and_then_given_up() -> None:
    first = retry.after_failure(on(BUILD, "tau"), 9.0, "no space left")
    assert (first.state, first.failures, first.drone) == ("queued", ("tau",), "")
    assert first.reason == "failed on tau: no space left; 2 tries are left"
    second = retry.after_failure(on(first, "izar"), 9.0, "no space left")
    assert second.reason == "failed on izar: no space left; one try is left"
    third = retry.after_failure(on(second, "vega"), 9.0, "no space left")
    assert (third.state, third.failures) == ("failed", ("tau", "izar", "vega"))
    assert third.reason == "failed 3 times (tau, izar, vega): no space left"


def test_the_tries_go_to_another_drone_first_and_the_last_to_the_sweeper() -> None:
    fleet = [Drone("tau", 8), Drone("izar", 8), Drone("vega", 8, sweeper=True)]

    def takers(build: Build) -> list[str]:
        return [drone.name for drone in eligible(Job(build.id, 1.0, failed_on=build.failures), fleet).drones]

    first = retry.after_failure(on(BUILD, "tau"), 9.0, "it failed")
    second = retry.after_failure(on(first, "izar"), 9.0, "it failed")
    assert (takers(BUILD), takers(first), takers(second)) == (["tau", "izar"], ["izar"], ["vega"])


def test_a_lost_drone_is_no_failure() -> None:
    build = BUILD
    for tries in range(1, retry.WITHOUT_VERDICT):
        build = retry.after_loss(on(build, "tau"), 9.0, "no word from tau for 60 s", tries)
        assert (build.state, build.failures) == ("queued", ())
    for drone, state in (("tau", "queued"), ("izar", "queued"), ("vega", "failed")):
        build = retry.after_failure(on(build, drone), 9.0, "it failed")
        assert build.state == state


def test_what_takes_every_drone_down_is_given_up_some_day() -> None:
    build = BUILD
    for tries in range(1, retry.WITHOUT_VERDICT + 1):
        build = retry.after_loss(on(build, "tau"), 9.0, "no word from tau for 60 s", tries)
    assert build.state == "failed" and build.failures == ()
    assert build.reason == "10 tries ended without a verdict; of the last one: no word from tau for 60 s"


def test_what_needs_a_failed_package_is_held_with_the_reason() -> None:
    failed = replace(BUILD, state="failed", reason="failed 3 times (a, b, c): no space left")
    waiting = replace(BUILD, id="b2", package=package("app-misc/bar-1"))
    held = retry.hold(waiting, 9.0, failed)
    assert (held.state, held.since) == ("held", 9.0)
    assert held.reason == "needs app-misc/foo-1, which is failed: failed 3 times (a, b, c): no space left"


@pytest.mark.parametrize(
    ("log", "limit", "kept"),
    [
        ("", 10, ""),
        ("short\n", 10, "short\n"),
        ("first line\nlast\n", 10, "last\n"),
        ("one line without an end", 6, "an end"),
    ],
)
def test_of_a_log_the_last_whole_lines_are_kept(log: str, limit: int, kept: str) -> None:
    assert retry.tail(log, limit) == kept

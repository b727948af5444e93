"""What happens at a bad moment: two things in one tick, a commit that fails, an estimate that was far off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.build import Limits
from reconciler.swarm.rules import Rules
from tests.support.orchestrated import PROFILE, Swarm

APP, LIB = "app-misc/app-1", "dev-libs/lib-2"
TREE = f"""
These are the packages that would be merged, in reverse order:

[ebuild  N     ] {APP}::gentoo
[ebuild  N     ]  {LIB}::gentoo
"""


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[Swarm]:
    made = Swarm(tmp_path, Rules(timeout=100.0, limits=Limits(retries=0)))
    for name in ("izar", "tau"):
        made.drone(name)
    made.tick()
    yield made
    made.close()


def go_on(swarm: Swarm, seconds: float) -> None:
    """Everybody beats and nobody ends anything."""
    for _ in range(int(seconds / 10)):
        swarm.beat()
        swarm.tick(10)


def test_an_answer_that_needs_what_fails_with_the_same_tick_is_taken_and_what_needs_it_held(swarm: Swarm) -> None:
    swarm.submit({LIB: []}, "k1")
    swarm.tick()
    swarm.take()
    go_on(swarm, 700)
    answer = swarm.orchestrator.submit("app-misc/app", key="k2", actor="ana", profile=PROFILE, now=swarm.now)
    swarm.tick(1)
    [name] = [name for name, offer in swarm.take().items() if offer.kind == "resolve"]
    swarm.drones[name].finish(text=TREE)
    swarm.beat()
    swarm.tick(10)
    assert swarm.orchestrator.status(swarm.now).trouble == ()
    assert swarm.states() == {LIB: "failed", APP: "held"}
    request = swarm.orchestrator.request(answer.request.id).request
    assert (request.state, request.reason) == ("complete", "1 failed, 1 held")

"""What happens at a bad moment: two things in one tick, a commit that fails, an estimate that was far off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reconciler.errors import Transient
from reconciler.model.build import Limits
from reconciler.model.queue import Changes, Stored, Took
from reconciler.model.swarm import Build, Offer, Request
from reconciler.swarm import desk
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


def no_room(changes: Changes, fence: int = 0) -> None:
    raise Transient("E-SWARM-FULL", "the swarm's store has no room to write", next="free space")


def no_index(profile: str) -> Sequence[Stored]:
    raise Transient("E-BINHOST-IO", "the binhost cannot read its index", next="check the disk")


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


def test_the_word_of_a_drone_outlives_a_commit_that_failed(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    swarm.submit({LIB: []}, "k1")
    swarm.tick()
    [name] = swarm.take()
    go_on(swarm, 60)
    for _ in range(6):
        swarm.tick(5)
    swarm.beat()
    with monkeypatch.context() as full:
        full.setattr(swarm.store, "commit", no_room)
        with pytest.raises(Transient):
            swarm.tick(5)
    for _ in range(6):
        swarm.tick(5)
    swarm.beat()
    swarm.tick(5)
    assert (swarm.build_of(LIB).attempt, swarm.build_of(LIB).drone) == (1, name)


def test_what_a_revoked_drone_said_while_nothing_could_be_committed_brings_it_not_back(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm.beat()
    with monkeypatch.context() as full:
        full.setattr(swarm.store, "commit", no_room)
        with pytest.raises(Transient):
            swarm.tick()
    swarm.orchestrator.revoke("tau", "ana", swarm.now)
    swarm.tick()
    assert [each.drone.name for each in swarm.orchestrator.drones()] == ["izar"]


def test_what_waits_behind_a_build_that_takes_far_too_long_goes_elsewhere(tmp_path: Path) -> None:
    swarm = Swarm(tmp_path)
    slow, fast = swarm.drone("slow", cores=4), swarm.drone("fast", cores=16)
    swarm.tick()
    swarm.submit({LIB: []}, "k1")
    swarm.tick()
    assert fast.take() is not None
    go_on(swarm, 20)
    swarm.submit({APP: []}, "k2")
    go_on(swarm, 20)
    assert swarm.build_of(APP).drone == "fast", "it is nearly done with the other one"
    go_on(swarm, 120)
    assert (swarm.build_of(APP).drone, swarm.build_of(LIB).drone) == ("slow", "fast")
    assert not fast.link.working(Offer(swarm.build_of(APP).id, 1, "package", (), PROFILE))
    go_on(swarm, 300)
    assert swarm.build_of(APP).attempt == 2
    assert slow.take() is not None
    swarm.work()
    swarm.close()


@pytest.mark.parametrize("asked", [False, True])
def test_a_request_that_is_bumped_while_a_drone_is_asked_goes_first_afterwards(swarm: Swarm, asked: bool) -> None:
    swarm.submit({"app-misc/other-1": []}, "k1")
    answer = swarm.orchestrator.submit("app-misc/app", key="k2", actor="ana", profile=PROFILE, now=swarm.now)
    for drone in swarm.drones.values():
        swarm.orchestrator.drain(drone.name, "ana", swarm.now)
    swarm.orchestrator.undrain("tau", "ana", swarm.now)
    if asked:
        swarm.tick()
        assert {offer.kind for offer in swarm.take().values()} == {"resolve"}
    assert swarm.orchestrator.bump(answer.request.id, "ana", swarm.now) == (f"{answer.request.id}-0",)
    if not asked:
        swarm.tick()
        assert {offer.kind for offer in swarm.take().values()} == {"resolve"}
    swarm.drones["tau"].finish(text=TREE)
    swarm.tick()
    bumps = {str(b.package): b.bump for b in swarm.orchestrator.builds().builds if b.kind == "package"}
    assert bumps == {APP: 2, LIB: 2, "app-misc/other-1": 0}


def test_an_answer_waits_for_the_binhost_and_nothing_else_does(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    swarm.submit({LIB: []}, "k1")
    swarm.tick()
    [name] = swarm.take()
    swarm.orchestrator.submit("app-misc/app", key="k2", actor="ana", profile=PROFILE, now=swarm.now)
    swarm.tick()
    [other] = [each for each in swarm.take() if each != name]
    swarm.drones[other].finish(text=TREE)
    with monkeypatch.context() as away:
        away.setattr(swarm.binhost, "index", no_index)
        for _ in range(8):
            swarm.beat(other)
            swarm.tick(10)
        assert swarm.build_of(LIB).drone == other and swarm.orchestrator.drone(name).drone.state == "offline"
        assert any(trouble.startswith("questions: ") for trouble in swarm.orchestrator.status(swarm.now).trouble)
    swarm.tick()
    assert set(swarm.states()) == {LIB, APP} and swarm.orchestrator.status(swarm.now).trouble == ()


def test_notices_that_do_not_get_out_are_not_all_tried_with_every_tick(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def away(request: Request, builds: Sequence[Build]) -> None:
        tried.append(request.id)
        raise Transient("E-INBOX", "a pass cannot be asked for", next="let this user write the inbox")

    with monkeypatch.context() as closed:
        closed.setattr(swarm.orchestrator._ticking, "_ended", away)
        requests = [swarm.submit({LIB: []}, f"k{number}") for number in range(5)]
        for request in requests:
            swarm.orchestrator.cancel(request.id, "ana", swarm.now)
        swarm.tick()
        assert tried == [requests[0].id]
    swarm.tick()
    assert [request.id for request, _ in swarm.ended] == [request.id for request in requests]


@pytest.mark.parametrize(("grown", "reads"), [(desk.GROWN, 0), (2, 3)])
def test_what_builds_took_is_read_anew_only_after_it_has_grown(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch, grown: int, reads: int
) -> None:
    monkeypatch.setattr(desk, "GROWN", grown)
    swarm.submit({LIB: []}, "k0")
    swarm.work()
    took, read = swarm.store.took, list[int]()

    def reading() -> Sequence[Took]:
        read.append(1)
        return took()

    monkeypatch.setattr(swarm.store, "took", reading)
    for number in range(6):
        swarm.submit({f"app-misc/p{number}-1": []}, f"k{number + 1}")
        swarm.work()
        go_on(swarm, 300)
    assert len(read) == reads
    assert swarm.orchestrator.queue(swarm.now).error.count == 7


def restart_drones(swarm: Swarm, boot: str) -> None:
    for drone in swarm.drones.values():
        drone.boot, drone.holding = boot, None
    swarm.beat()
    swarm.tick(10)


def test_what_was_never_begun_is_not_given_up_however_often_its_drones_were_lost(swarm: Swarm) -> None:
    swarm.submit({LIB: []}, "k1")
    for number in range(20):
        restart_drones(swarm, f"queued-{number}")
    assert (swarm.build_of(LIB).state, swarm.build_of(LIB).attempt) == ("leased", 20)


def test_what_takes_its_drone_down_ten_times_is_given_up_also_after_it_has_lain_in_queues(swarm: Swarm) -> None:
    swarm.submit({LIB: []}, "k1")
    for number in range(12):
        restart_drones(swarm, f"queued-{number}")
    for number in range(10):
        assert swarm.build_of(LIB).state == "leased"
        swarm.take()
        swarm.tick()
        restart_drones(swarm, f"begun-{number}")
    assert swarm.build_of(LIB).reason.startswith("10 tries ended without a verdict")
    assert swarm.build_of(LIB).attempt > 20

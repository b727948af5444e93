"""Drones that come, go silent and come back late, and orchestrators that are killed, cut off or two at once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from reconciler.adapters.swarm.engine_embedded import EmbeddedLink
from reconciler.errors import Terminal, Transient
from reconciler.model.swarm import Offer
from reconciler.swarm.rules import Rules
from tests.support.orchestrated import PROFILE, Swarm, upload

APP, LIB = "app-misc/app-1", "dev-libs/lib-2"


@pytest.fixture(params=[30.0, 1.0], ids=["30s", "1s"])
def heartbeat(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
def pair(tmp_path: Path, heartbeat: float) -> Iterator[Swarm]:
    """With two drones."""
    swarm = Swarm(tmp_path, Rules(heartbeat=heartbeat))
    swarm.drone("tau")
    swarm.drone("izar")
    swarm.tick(0.0)
    yield swarm
    swarm.close()


def building(pair: Swarm) -> tuple[str, str, Offer]:
    """Who builds, who does not, and what."""
    pair.submit({APP: []})
    pair.tick(0.0)
    [(name, offer)] = pair.take().items()
    pair.tick(0.0)
    return name, "izar" if name == "tau" else "tau", offer


def pass_time(pair: Swarm, beats: float, *names: str) -> None:
    """So many heartbeats, with ticks, in which only the named drones are heard."""
    step = pair.rules.every
    for number in range(round(beats * pair.rules.heartbeat / step)):
        if number % 8 == 0:
            for name in names:
                pair.beat(name)
        pair.tick(step)


def test_what_a_lost_drone_had_runs_elsewhere_within_three_heartbeats(pair: Swarm) -> None:
    """At 30 s: within 90 s of its last word."""
    name, other, offer = building(pair)
    last_word = pair.now
    while pair.drones[other].holding is None:
        pass_time(pair, 1 / 8, other)
        pair.drones[other].take()
        assert pair.now - last_word <= 3 * pair.rules.heartbeat
    taken = pair.drones[other].holding
    assert taken is not None and (taken.build, taken.attempt) == (offer.build, 2)
    assert pair.now - last_word >= 2 * pair.rules.heartbeat, "and not before it counts as gone"
    assert pair.build_of(APP).failures == (), "that is no failure"
    view = pair.orchestrator.build(offer.build)
    assert view.attempts[0].result == "lost" and view.attempts[0].reason.startswith(f"no word from {name} for ")
    assert pair.orchestrator.drone(name).drone.state == "offline"


def test_a_silent_drone_gets_nothing_new_before_it_is_gone(pair: Swarm) -> None:
    pair.orchestrator.drain("izar", "ana", pair.now)
    pass_time(pair, 1.6)
    assert pair.orchestrator.drone("tau").drone.state == "degraded"
    pair.submit({APP: []})
    pair.tick(0.0)
    assert pair.build_of(APP).state == "queued"
    (entry,) = pair.orchestrator.queue(pair.now).entries
    assert "degraded" in entry.why
    pair.beat("tau")
    pair.tick(0.0)
    assert pair.build_of(APP).drone == "tau"


def test_a_drone_that_comes_back_late_finds_its_lease_gone(pair: Swarm) -> None:
    name, other, offer = building(pair)
    late = pair.drones[name]
    pass_time(pair, 2.5, other)
    assert not late.link.working(offer)
    assert not pair.orchestrator.holds(name, offer.build, 1), "its upload is refused"
    upload(pair.binhost.receive, offer, name)  # what it had sent by then
    assert pair.binhost.staged() == [(offer.build, 1)]
    late.finish()
    late.beat(pair.now)
    ticked = pair.tick(0.0)
    assert ticked.stale == 1 and pair.binhost.staged() == []
    assert pair.orchestrator.drone(name).drone.state == "ready"
    pair.drones[other].take()
    pair.drones[other].finish()
    pair.tick(0.0)
    assert pair.build_of(APP).state == "succeeded" and pair.build_of(APP).drone == other
    assert len(pair.binhost.index(PROFILE)) == 1


def test_an_outcome_in_the_last_moment_counts(pair: Swarm) -> None:
    name, other, _ = building(pair)
    pass_time(pair, 1.9, other)
    pair.drones[name].finish()
    pass_time(pair, 0.5, other)
    assert pair.build_of(APP).state == "succeeded" and pair.build_of(APP).attempt == 1


def test_what_a_restarted_drone_had_is_given_out_anew_at_once(pair: Swarm) -> None:
    name, _, offer = building(pair)
    drone = pair.drones[name]
    drone.boot, drone.holding = "boot-2", None
    drone.beat(pair.now)
    pair.tick(0.0)
    build = pair.build_of(APP)
    assert (build.state, build.attempt, build.failures) == ("leased", 2, ())
    assert not drone.link.working(offer)
    assert pair.orchestrator.build(build.id).attempts[0].reason == f"{name} was restarted"
    pair.work()
    assert pair.build_of(APP).state == "succeeded"


def test_what_an_old_attempt_brings_is_stale_on_the_same_drone_too(pair: Swarm) -> None:
    """It began anew, got the build once more, and tells of the first time only now."""
    pair.orchestrator.drain("izar", "ana", pair.now)
    pair.tick(0.0)
    name, _, first = building(pair)
    drone = pair.drones[name]
    drone.boot, drone.holding = "boot-2", None
    drone.beat(pair.now)
    pair.tick(0.0)
    second = drone.link.next(0)
    assert second is not None and second.attempt == 2
    drone.holding = first
    drone.finish("failed", "of the first time")
    assert pair.tick(0.0).stale == 1
    build = pair.build_of(APP)
    assert (build.state, build.attempt, build.failures) == ("leased", 2, ())
    assert drone.link.working(second)


def test_a_drone_that_drains_itself_gets_nothing_new(pair: Swarm) -> None:
    for drone in pair.drones.values():
        drone.draining = True
    pair.beat()
    pair.submit({APP: []})
    pair.tick(0.0)
    assert pair.build_of(APP).state == "queued"


def test_a_drone_that_says_that_it_can_build_nothing_gets_nothing_and_everybody_hears_why(pair: Swarm) -> None:
    tau = pair.drones["tau"]
    tau.draining, tau.unable = True, "the disk is full"
    pair.beat()
    pair.tick(0.0)
    told = [each.data for each in pair.orchestrator.events(0) if each.kind == "drone_status"][-1]
    assert {key: told[key] for key in ("drone", "draining", "reason")} == {
        "drone": "tau", "draining": True, "reason": "the disk is full",
    }  # fmt: skip
    pair.submit({APP: [], LIB: []})
    pair.tick(0.0)
    assert pair.engine.outstanding("tau") == frozenset() and pair.engine.outstanding("izar")


def test_a_drone_that_says_goodbye_is_gone_at_once_and_what_lay_ready_for_it_goes_elsewhere(pair: Swarm) -> None:
    pair.submit({APP: []})
    pair.tick(0.0)
    ready = pair.build_of(APP)
    assert ready.state == "leased"
    drone = pair.drones[ready.drone]
    drone.draining = drone.gone = True
    drone.beat(pair.now)
    pair.tick(0.0)

    view = pair.orchestrator.drone(drone.name)
    again = pair.build_of(APP)
    assert (view.drone.state, view.holds) == ("offline", ())
    assert (again.state, again.attempt, again.failures) == ("leased", 2, ())
    assert again.drone != drone.name
    told = pair.orchestrator.build(again.id).attempts[0]
    assert (told.result, told.reason) == ("lost", f"{drone.name} has ended")


def test_nobody_is_lost_while_the_orchestrator_itself_was_away(pair: Swarm) -> None:
    name, _, offer = building(pair)
    pair.now += 100 * pair.rules.heartbeat
    pair.tick(0.0)
    assert pair.build_of(APP).state == "building" and pair.drones[name].link.working(offer)
    pass_time(pair, 1.9)
    assert pair.build_of(APP).state == "building", "it has a full period to be heard"
    pass_time(pair, 0.2)
    assert pair.build_of(APP).state == "queued"


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_is_set_ends_no_build(pair: Swarm, years: int) -> None:
    name, other, offer = building(pair)
    pair.now += years * 365 * 86400
    for _ in range(20):
        pair.beat()
        pair.tick(pair.rules.every)
    assert (pair.build_of(APP).state, pair.build_of(APP).attempt) == ("building", 1)
    assert pair.drones[name].link.working(offer)
    pass_time(pair, 2.2, other)
    assert pair.build_of(APP).attempt == 2, "and who is lost then is lost"


def test_nobody_is_lost_while_the_engine_did_not_answer(pair: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    _, other, _ = building(pair)

    def away() -> None:
        raise Transient("E-TEST", "it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(pair.engine, "beats", away)
        for _ in range(5):
            with pytest.raises(Transient):
                pair.tick(pair.rules.heartbeat)
        assert pair.orchestrator.status(pair.now).trouble == ("queue: it does not answer",)
    pair.tick(0.0)
    assert pair.orchestrator.status(pair.now).trouble == ()
    assert pair.build_of(APP).state == "building"
    pass_time(pair, 2.1, other)
    assert pair.build_of(APP).attempt == 2


def test_a_build_that_ran_on_is_recognised_and_not_repeated(pair: Swarm) -> None:
    name, _, offer = building(pair)
    pair.restart()
    pair.beat()
    pair.tick()
    build = pair.build_of(APP)
    assert (build.state, build.attempt, build.drone) == ("building", 1, name)
    assert pair.drones[name].link.working(offer)
    pair.drones[name].finish()
    pair.restart()
    pair.tick()
    assert pair.build_of(APP).state == "succeeded" and len(pair.ended) == 1


def test_what_was_finished_while_nobody_was_there_counts(pair: Swarm) -> None:
    name, _, offer = building(pair)
    made = pair.drones[name].upload(offer)
    pair.restart()
    pair.drones[name].finish()
    pair.now += 1000 * pair.rules.heartbeat
    assert made
    pair.tick()
    assert pair.build_of(APP).state == "succeeded" and pair.build_of(APP).attempt == 1


def test_a_drone_that_died_long_ago_is_not_taken_for_alive_after_a_restart(pair: Swarm) -> None:
    pass_time(pair, 3.0, "izar")
    assert pair.orchestrator.drone("tau").drone.state == "offline"
    pair.restart()
    pair.tick()
    assert pair.orchestrator.drone("tau").drone.state == "offline"
    assert pair.orchestrator.drone("izar").drone.state == "ready"


@pytest.mark.parametrize("times", [1, 3])
def test_an_offer_that_did_not_get_out_is_made_by_the_next_tick(
    pair: Swarm, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    pair.submit({APP: []})
    left = [times]

    def failing(really: Callable[..., None]) -> Callable[..., None]:
        def call(*given: object) -> None:
            if left[0]:
                left[0] -= 1
                raise Transient("E-TEST", "it does not answer")
            really(*given)

        return call

    for method in ("offer", "offer_all"):
        monkeypatch.setattr(pair.engine, method, failing(getattr(pair.engine, method)))
    for _ in range(times):
        with pytest.raises(Transient):
            pair.tick(0.1)
        assert pair.build_of(APP).attempt == 1 and pair.take() == {}
    pair.tick(0.1)
    [offered] = pair.take().values()
    assert offered.attempt == 1


def test_what_the_engine_has_lost_is_given_out_anew(pair: Swarm) -> None:
    """Nothing tells so: the comparison finds it."""
    pair.submit({APP: []})
    pair.tick(0.0)
    name = pair.build_of(APP).drone
    pair.engine.withdraw(name)
    for _ in range(62):
        pair.beat()
        pair.tick()
    assert pair.build_of(APP).attempt == 2
    pair.work()
    assert pair.build_of(APP).state == "succeeded" and pair.build_of(APP).failures == ()


def test_what_nobody_stands_behind_is_withdrawn(pair: Swarm) -> None:
    pair.engine.offer("tau", Offer("nobody", 3, "package", ("=a/b-1",), PROFILE))
    upload(pair.binhost.receive, Offer("nobody", 3, "package", ("=a/b-1",), PROFILE), "tau")
    for _ in range(62):
        pair.beat()
        pair.tick()
    assert pair.engine.outstanding("tau") == frozenset() and pair.binhost.staged() == []


def deleted(file: Path) -> None:
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()


def cut_to_nothing(file: Path) -> None:
    os.truncate(file, 0)


def cut_in_the_middle(file: Path) -> None:
    """With nothing in its log that could make up for it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize("damage", [deleted, cut_to_nothing, cut_in_the_middle])
def test_an_engine_that_is_lost_while_it_is_open_costs_the_builds_in_hand_and_nothing_else(
    damage: Callable[[Path], None], pair: Swarm
) -> None:
    pair.submit({APP: [], LIB: []})
    pair.tick(0.0)
    pair.take()
    pair.tick(0.0)
    damage(pair.folder / "engine.db")
    with suppress(Transient):  # it may be this one that finds it damaged
        pair.tick(0.0)
    pair.tick(0.0)
    lost = pair.orchestrator.status(pair.now).trouble
    assert any("the engine had to be begun anew" in each for each in lost) is (damage is not deleted), lost
    for drone in pair.drones.values():
        with suppress(Transient), pytest.raises(Terminal, match="E-ENGINE-CREDENTIAL"):
            drone.link.next(0)
        with pytest.raises(Terminal, match="E-ENGINE-CREDENTIAL"):
            drone.link.next(0)
    for name, drone in pair.drones.items():
        drone.link.close()
        drone.link = EmbeddedLink(pair.folder / "engine.db", pair.orchestrator.enroll(name, "ana", pair.now))
        drone.boot, drone.holding = "boot-2", None
    pair.work()
    assert pair.states() == {APP: "succeeded", LIB: "succeeded"}
    assert pair.build_of(APP).failures == ()


# --- two orchestrators


@pytest.fixture
def second(pair: Swarm) -> Iterator[Swarm]:
    """Another process on the same files."""
    other = Swarm(pair.folder, pair.rules, pair.now, beside=pair, holder="two")
    yield other
    other.close()


def test_one_leads_and_the_other_stands_by(pair: Swarm, second: Swarm) -> None:
    pair.submit({APP: []})
    second.now = pair.now
    assert not second.tick(0.1).leading and not second.orchestrator.status(second.now).leading
    assert pair.build_of(APP).state == "queued"
    assert pair.tick(0.1).offered == 1
    assert second.build_of(APP).state == "leased", "whoever asks sees the same"


def test_one_that_ends_in_order_is_followed_at_once(pair: Swarm, second: Swarm) -> None:
    second.now = pair.now
    pair.tick(0.1)
    assert not second.tick(0.1).leading
    pair.orchestrator.stand_down()
    assert second.tick(0.1).leading and not pair.tick(0.1).leading


def test_what_the_one_that_stands_by_takes_on_is_built(pair: Swarm, second: Swarm) -> None:
    second.submit({APP: []})
    second.orchestrator.drain("tau", "ana", second.now)
    pair.tick(0.1)
    assert pair.build_of(APP).drone == "izar"
    second.orchestrator.cancel(pair.build_of(APP).id, "ana", second.now)
    pair.tick(0.1)
    assert pair.states() == {APP: "cancelled"} and pair.engine.outstanding("izar") == frozenset()
    assert [request.state for request, _ in pair.ended] == ["complete"]


def test_leadership_moves_when_its_holder_hangs_and_the_late_one_changes_nothing(
    pair: Swarm, second: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, _ = building(pair)
    pair.drones[name].finish()
    commit = pair.store.commit
    hung: list[bool] = []

    def hang(changes: object, fence: int = 0) -> None:
        """Amid its tick the first one stops for a minute, and the second one takes over."""
        if not hung:
            hung.append(True)
            second.now = pair.now + 60
            pair.now += 60  # engines of a test share its clock
            assert second.tick(1.0).leading
        commit(changes, fence)  # type: ignore[arg-type]

    monkeypatch.setattr(pair.store, "commit", hang)
    assert not pair.tick(0.0).leading
    monkeypatch.undo()
    assert not pair.tick(0.0).leading
    assert second.build_of(APP).state == "succeeded" and second.build_of(APP).attempt == 1
    assert len(second.ended) == 1 and pair.ended == []
    pair.now = second.now + 31
    assert pair.tick(0.0).leading, "and back, when the second one is gone"


def test_of_two_that_submit_under_one_key_at_once_one_does(
    pair: Swarm, second: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_key = pair.store.by_key
    asked: list[str] = []

    def slow(key: str) -> object:
        """The other one takes it on between our look and our commit."""
        found = by_key(key)
        if not asked:
            asked.append(second.submit({APP: []}).id)
        return found

    monkeypatch.setattr(pair.store, "by_key", slow)
    assert [pair.submit({APP: []}).id] == asked
    assert len(pair.orchestrator.requests()) == 1 and pair.orchestrator.builds().total == 1

"""The loop of a drone, step by step: engine, orchestrator and builder do what a test says, at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread

import pytest

from reconciler.adapters.swarm.drone_memory import TakenFile
from reconciler.errors import Terminal, Transient
from reconciler.model.swarm import Artifact, Beat, Offer, Outcome
from reconciler.ports.swarm import DroneLink
from reconciler.swarm.drone.at_work import AtWork, DroneRules, Stopping, Surroundings
from reconciler.swarm.drone.builder import Builder, Built, Ending, Packed, Watching
from reconciler.swarm.drone.loop import Drone
from reconciler.swarm.drone.memory import Taken
from reconciler.swarm.drone.pulse import Pulse
from reconciler.swarm.drone.uplink import LeaseLost, NotTaken, Uplink
from tests.support.clock import FakeClock

OFFER = Offer("b1", 1, "package", ("=app-misc/foo-1",), "amd64")
AWAY = Transient("E-TEST", "away")


@dataclass
class Link(DroneLink):
    offers: list[Offer]
    outcomes: list[Outcome] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    withdrawn: bool = False
    trouble: list[Exception] = field(default_factory=list)
    idle: Callable[[], object] = bool
    """Called when there is nothing to do."""

    def next(self, timeout: float) -> Offer | None:
        open_ones = [each for each in self.offers if each.lease not in self.done]
        if not open_ones or self.withdrawn:
            self.idle()
            time.sleep(0.01)
            return None
        return open_ones[0]

    @property
    def done(self) -> set[str]:
        return {f"{each.build}:{each.attempt}" for each in self.outcomes}

    def working(self, offer: Offer) -> bool:
        return not self.withdrawn

    def finish(self, offer: Offer, outcome: Outcome) -> None:
        if self.trouble:
            raise self.trouble.pop()
        self.outcomes.append(outcome)

    def beat(self, beat: Beat) -> None:
        self.beats.append(beat)


@dataclass
class Up(Uplink):
    uploads: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    away: list[Exception] = field(default_factory=list)
    logged: bytes = b""

    def binhost(self) -> bool:
        if self.away:
            raise self.away.pop()
        return True

    def upload(self, offer: Offer, packed: Packed, artifact: Artifact, ending: Ending) -> None:
        if self.trouble:
            raise self.trouble.pop()
        self.uploads.append(artifact.path)

    def log(self, offer: Offer, offset: int, data: bytes) -> int:
        self.logged += data
        return offset + len(data)


@dataclass
class Hands(Builder):
    folder: Path
    does: Callable[[Watching, Ending], Built] | None = None
    began: int = 0
    cleaned: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    trouble: str = ""

    def unable(self) -> str:
        return self.trouble

    def build(self, offer: Offer, watching: Watching, ending: Ending, binhost: bool = True) -> Built:
        self.began += 1
        if self.does is not None:
            return self.does(watching, ending)
        if (self.folder / "fail").exists():
            return Built("failed", "as told")
        file = self.folder / "foo-1-1.gpkg.tar"
        file.write_bytes(b"foo")
        watching.phase("app-misc/foo-1", "compile")
        watching.wrote(b"words\n")
        path = "app-misc/foo/foo-1-1.gpkg.tar"
        return Built("succeeded", packages=(Packed(file, path, {"CPV": "app-misc/foo-1"}, {}),), log="words\n")

    def resolve(self, offer: Offer, watching: Watching, ending: Ending) -> Built:
        return Built("succeeded", text="a list")

    def clean(self, keep: str = "") -> None:
        self.cleaned.append(keep)

    def forget(self, lease: str) -> None:
        self.forgotten.append(lease)


class World:
    """One drone and what is around it."""

    def __init__(self, folder: Path, *offers: Offer, boot: str = "boot-1", longest: float = 60.0) -> None:
        self.link, self.up, self.hands = Link(list(offers)), Up(), Hands(folder)
        self.memory, self.said = TakenFile(folder), list[str]()
        rules = DroneRules("tau", "amd64", 4, 1 << 30, heartbeat=0.3, drain=0.3, patience=0.02, longest=longest)
        surroundings = Surroundings(
            self.link, self.up, self.hands, self.memory, FakeClock(), lambda: 0.5, self.said.append
        )
        self.drone = Drone(rules, boot, surroundings)
        self.error: Exception | None = None
        self._thread = Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.drone.run()
        except Exception as error:  # noqa: BLE001  the test looks at it
            self.error = error

    def until(self, what: Callable[[], object]) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        deadline = time.monotonic() + 20
        while not what():
            assert time.monotonic() < deadline, self.said
            time.sleep(0.005)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.drone.stopping.ask()
            self.drone.stopping.ask()
            self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, OFFER)
    yield world
    world.stop()


def delivered(world: World) -> Callable[[], bool]:
    return lambda: bool(world.link.outcomes) and world.memory.taken() is None


def test_an_offer_is_built_brought_and_put_away(world: World) -> None:
    world.until(delivered(world))

    (outcome,) = world.link.outcomes
    assert (outcome.result, outcome.drone, outcome.log) == ("succeeded", "tau", "words\n")
    assert [(each.path, each.size) for each in outcome.artifacts] == [("app-misc/foo/foo-1-1.gpkg.tar", 3)]
    assert world.up.uploads == ["app-misc/foo/foo-1-1.gpkg.tar"]
    world.until(lambda: world.hands.forgotten == ["b1:1"])


def test_beats_tell_who_it_is_and_what_it_is_at(world: World) -> None:
    def slowly(watching: Watching, ending: Ending) -> Built:
        watching.phase("app-misc/foo-1", "compile")
        watching.wrote(b"a line\n")
        world.until(lambda: any(each.phase == "compile" and each.log for each in world.link.beats))
        return Built("failed", "enough")

    world.hands.does = slowly
    world.until(delivered(world))

    beat = next(each for each in world.link.beats if each.phase == "compile")
    assert (beat.drone, beat.boot, beat.cores, beat.profile) == ("tau", "boot-1", 4, "amd64")
    assert (beat.build, beat.attempt, beat.package, beat.log) == ("b1", 1, "app-misc/foo-1", "a line\n")
    world.until(lambda: world.link.beats[-1].build == "")
    world.stop()
    assert world.link.beats[-1].draining


def test_all_of_the_log_has_come_before_the_outcome_ends_the_lease(tmp_path: Path) -> None:
    """Its end says why it failed."""
    world = World(tmp_path, OFFER)
    finish, logged = world.link.finish, list[bytes]()

    def finished(offer: Offer, outcome: Outcome) -> None:
        logged.append(world.up.logged)
        finish(offer, outcome)

    world.link.finish = finished  # type: ignore[method-assign]
    world.until(delivered(world))
    world.stop()

    assert logged == [b"words\n"]


def test_a_question_is_answered_with_its_text(tmp_path: Path) -> None:
    world = World(tmp_path, Offer("q1", 1, "resolve", ("app-misc/foo",), "amd64"))
    world.until(delivered(world))
    world.stop()

    assert (world.link.outcomes[0].text, world.hands.began) == ("a list", 0)


def test_an_offer_of_another_profile_is_not_built(tmp_path: Path) -> None:
    world = World(tmp_path, Offer("b1", 1, "package", ("=a/b-1",), "musl"))
    world.until(delivered(world))
    world.stop()

    assert world.link.outcomes[0].reason == "it is for the profile musl, and this drone has amd64"


def test_a_binhost_that_is_away_is_waited_for(world: World) -> None:
    world.up.away = [AWAY, AWAY]

    world.until(delivered(world))

    assert world.link.outcomes[0].result == "succeeded"
    assert sum("waited for" in line for line in world.said) == 1


def test_what_cannot_be_brought_now_is_brought_later(world: World) -> None:
    world.up.trouble, world.link.trouble = [AWAY] * 3, [AWAY] * 2

    world.until(delivered(world))

    assert len(world.link.outcomes) == 1
    assert world.hands.began == 1


def test_why_it_cannot_be_brought_is_said(world: World) -> None:
    """It may be for somebody to mend: a full disk on the other side."""
    world.up.trouble = [Transient("E-TEST", "it cannot be used", why="its disk is full")]

    world.until(delivered(world))

    assert "b1:1: it cannot be used [E-TEST]: its disk is full; it is kept, and tried again" in world.said


def test_a_lease_that_is_lost_while_it_builds_ends_the_build_and_nobody_is_told(world: World) -> None:
    def until_it_is_ended(watching: Watching, ending: Ending) -> Built:
        world.link.withdrawn = True
        world.until(lambda: ending() != "")
        return Built("returned", ending())

    world.hands.does = until_it_is_ended
    world.until(lambda: world.hands.forgotten)

    assert world.link.outcomes == []
    assert world.memory.taken() is None
    assert "b1:1: ended, it was withdrawn" in world.said


def test_a_lease_that_is_lost_while_it_is_brought_is_put_away(world: World) -> None:
    def built(watching: Watching, ending: Ending) -> Built:
        world.hands.does = None
        world.link.withdrawn = True
        return world.hands.build(OFFER, watching, ending)

    world.hands.does, world.up.trouble = built, [LeaseLost("E-DRONE-LEASE", "the lease is gone")] * 2
    world.until(lambda: world.hands.forgotten)

    assert (world.link.outcomes, world.up.uploads) == ([], [])
    assert world.memory.taken() is None


def test_a_package_that_is_refused_for_what_it_is_makes_a_failed_build(world: World) -> None:
    world.up.trouble = [Terminal("E-TEST", "not a package", why="it is none")]

    world.until(delivered(world))

    (outcome,) = world.link.outcomes
    assert (outcome.result, outcome.artifacts) == ("failed", ())
    assert outcome.reason == "what it made was not taken: not a package (it is none)"


def test_what_is_never_taken_and_nobody_says_why_is_a_failed_build_in_the_end(tmp_path: Path) -> None:
    world = World(tmp_path, OFFER, longest=0.1)
    world.up.trouble = [NotTaken("E-TEST", "it answers 404")] * 10_000

    world.until(delivered(world))
    world.stop()

    (outcome,) = world.link.outcomes
    assert (outcome.result, outcome.reason) == ("failed", "what it made was not taken: it answers 404")


def test_what_nobody_wants_any_more_is_put_away_though_nobody_can_be_reached(world: World) -> None:
    def built(watching: Watching, ending: Ending) -> Built:
        world.hands.does = None
        made = world.hands.build(OFFER, watching, ending)
        world.link.withdrawn = True
        return made

    world.hands.does, world.up.trouble = built, [AWAY] * 10_000
    world.until(lambda: world.hands.forgotten)

    assert world.memory.taken() is None
    assert len(world.up.trouble) > 9_900, "and was not tried without a pause until then"


@pytest.mark.parametrize("code", ["E-DRONE-CREDENTIAL", "E-ENGINE-CREDENTIAL"])
def test_what_was_built_outlives_a_credential_that_is_void(code: str, tmp_path: Path) -> None:
    first = World(tmp_path, OFFER, boot="boot-0")
    first.up.trouble = [Terminal(code, "nobody knows it")]
    first.until(lambda: first.error is not None)
    second = World(tmp_path, OFFER)

    second.until(delivered(second))
    second.stop()

    assert (second.hands.began, second.link.outcomes[0].result) == (0, "succeeded")


def test_a_drone_that_nobody_knows_any_more_ends_with_the_reason(world: World) -> None:
    world.link.trouble = [Terminal("E-TEST", "void")] * 5

    world.until(lambda: world.error is not None)

    assert isinstance(world.error, Terminal)


def test_a_builder_that_breaks_fails_the_build_and_not_the_drone(tmp_path: Path) -> None:
    second = Offer("b2", 1, "package", ("=app-misc/bar-1",), "amd64")
    world = World(tmp_path, OFFER, second)

    def breaks(watching: Watching, ending: Ending) -> Built:
        world.hands.does = None
        raise ZeroDivisionError("of ours")

    world.hands.does = breaks
    world.until(lambda: len(world.link.outcomes) == 2)
    world.stop()

    first, other = world.link.outcomes
    assert (first.result, other.result) == ("failed", "succeeded")
    assert "ZeroDivisionError" in first.reason
    assert "breaks" in first.log


@pytest.mark.parametrize("told", [True, False], ids=["by the system", "by emerge"])
def test_what_the_drone_has_no_room_for_is_handed_back_and_nothing_is_built_until_there_is_room(
    told: bool, tmp_path: Path
) -> None:
    other = replace(OFFER, build="b2")
    world = World(tmp_path, OFFER, other)
    at_the_end = heard_with_outcomes(world)

    def full(watching: Watching, ending: Ending) -> Built:
        world.hands.trouble = "no space"
        if told:
            raise Transient("E-DRONE-DISK", "the drone cannot use its folders", why="no space")
        return Built("returned", "no space; emerge ended with 1")

    world.hands.does = full
    world.until(lambda: len(world.link.outcomes) == 2)
    assert [(each.build, each.result) for each in world.link.outcomes] == [("b1", "returned"), ("b2", "returned")]
    assert all("no space" in each.reason for each in world.link.outcomes)
    assert [(beat.draining, beat.unable) for beat in at_the_end] == [(True, "no space")] * 2, "it says so before"
    assert world.hands.began == 1

    world.hands.trouble, world.hands.does = "", None
    world.until(lambda: not world.link.beats[-1].draining)
    world.link.offers.append(replace(OFFER, attempt=2))
    world.until(lambda: len(world.link.outcomes) == 3)
    world.stop()
    assert world.link.outcomes[2].result == "succeeded"
    assert [line for line in world.said if "nothing is built" in line or "can build" in line] == [
        "no space; nothing is built until that is over",
        "it can build again",
    ]


def test_a_build_that_takes_all_room_of_a_drone_that_has_some_has_failed(world: World) -> None:
    """It would take all of it again."""

    def full(watching: Watching, ending: Ending) -> Built:
        raise Transient("E-DRONE-DISK", "the drone cannot use its folders", why="no space")

    world.hands.does = full
    world.until(delivered(world))

    assert world.link.outcomes[0].result == "failed" and "no space" in world.link.outcomes[0].reason
    assert not any(beat.unable for beat in world.link.beats)


def test_what_cannot_be_written_down_goes_to_another_drone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for this one, and nobody but its log would say why."""
    monkeypatch.setattr(world.memory, "keep", no_room)
    at_the_end = heard_with_outcomes(world)

    world.until(lambda: world.link.outcomes)

    (outcome,) = world.link.outcomes
    assert (outcome.result, outcome.reason) == ("returned", "no room [E-DRONE-DISK]: it is full")
    assert at_the_end[0].unable == outcome.reason
    assert world.hands.began == 0


def heard_with_outcomes(world: World) -> list[Beat]:
    """The last beat before each outcome, as they come."""
    heard, finish = list[Beat](), world.link.finish

    def finished(offer: Offer, outcome: Outcome) -> None:
        heard.append(world.link.beats[-1])
        finish(offer, outcome)

    world.link.finish = finished  # type: ignore[method-assign]
    return heard


def test_what_was_built_is_brought_though_it_cannot_be_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(watching: Watching, ending: Ending) -> Built:
        monkeypatch.setattr(world.memory, "keep", no_room)
        world.hands.does = None
        return world.hands.build(OFFER, watching, ending)

    world.hands.does, world.up.trouble = built, [AWAY] * 3
    world.until(lambda: world.link.outcomes)

    assert (world.hands.began, world.link.outcomes[0].result) == (2, "succeeded"), "begun once by the loop"
    world.until(lambda: world.hands.forgotten)
    assert world.memory.taken() is None


def no_room(_: Taken) -> None:
    raise Transient("E-DRONE-DISK", "no room", why="it is full")


@pytest.mark.parametrize("more", [0, 1])
def test_asked_to_stop_it_hands_back_what_does_not_end_in_time(more: int, world: World) -> None:
    def never(watching: Watching, ending: Ending) -> Built:
        for _ in range(1 + more):
            world.drone.stopping.ask()
        world.until(lambda: ending() != "")
        return Built("returned", ending())

    world.hands.does = never
    world.until(delivered(world))

    (outcome,) = world.link.outcomes
    assert (outcome.result, outcome.reason) == ("returned", "the drone was stopped before it was done")


def test_what_ends_in_time_is_brought_before_it_stops(world: World) -> None:
    def ends(watching: Watching, ending: Ending) -> Built:
        world.drone.stopping.ask()
        assert ending() == ""
        return Built("failed", "by itself")

    world.hands.does = ends
    world.until(delivered(world))

    assert world.link.outcomes[0].reason == "by itself"


def test_its_last_beat_says_goodbye_when_it_has_nothing_any_more(world: World) -> None:
    world.until(delivered(world))
    world.stop()

    assert [beat.gone for beat in world.link.beats[-2:]] == [False, True]


def test_what_it_could_not_bring_before_it_stopped_keeps_its_lease_for_the_next_start(world: World) -> None:
    world.link.trouble = [AWAY] * 1000
    world.until(lambda: world.memory.taken() is not None and world.hands.began == 1)
    world.stop()

    assert not any(beat.gone for beat in world.link.beats)


# ---- another start


def test_what_was_at_work_when_it_died_is_handed_back_first(tmp_path: Path) -> None:
    TakenFile(tmp_path).keep(Taken(OFFER, "boot-0"))
    world = World(tmp_path, OFFER)

    world.until(delivered(world))
    world.stop()

    assert world.hands.cleaned == [""]
    assert world.link.outcomes[0].result == "returned"
    assert "started anew" in world.link.outcomes[0].reason
    assert {each.boot for each in world.link.beats} == {"boot-1"}
    assert world.hands.began == 0


def test_what_was_done_when_it_died_is_brought_under_the_boot_that_made_it(tmp_path: Path) -> None:
    first = World(tmp_path, OFFER, boot="boot-0")
    first.up.trouble = [AWAY] * 10_000
    first.until(lambda: any("it is kept" in line for line in first.said))
    first.stop()
    second = World(tmp_path, OFFER, boot="boot-1")
    second.up.trouble = [AWAY]

    second.until(delivered(second))
    second.stop()

    assert second.hands.cleaned == ["b1:1"], "its packages stay"
    assert (second.hands.began, second.link.outcomes[0].result) == (0, "succeeded")
    assert {each.boot for each in second.link.beats} == {"boot-0"}


def test_it_is_heard_of_while_it_brings_what_an_earlier_start_has_made(tmp_path: Path) -> None:
    """A large package takes longer to be brought than a silent drone keeps its lease."""
    first = World(tmp_path, OFFER, boot="boot-0")
    first.up.trouble = [AWAY] * 10_000
    first.until(lambda: any("it is kept" in line for line in first.said))
    first.stop()
    second = World(tmp_path, OFFER, boot="boot-1")
    upload, heard = second.up.upload, list[bool]()

    def long(offer: Offer, packed: Packed, artifact: Artifact, ending: Ending) -> None:
        before, until = len(second.link.beats), time.monotonic() + 2
        while len(second.link.beats) == before and time.monotonic() < until:
            time.sleep(0.01)
        heard.append(len(second.link.beats) > before)
        upload(offer, packed, artifact, ending)

    second.up.upload = long  # type: ignore[method-assign]
    second.until(delivered(second))
    second.stop()

    assert heard == [True]
    assert {each.boot for each in second.link.beats} == {"boot-0"}


def test_a_torn_memory_is_none(tmp_path: Path) -> None:
    TakenFile(tmp_path).keep(Taken(OFFER, "boot-0"))
    file = tmp_path / "taken.json"
    file.write_bytes(file.read_bytes()[:-9])

    assert TakenFile(tmp_path).taken() is None


def test_a_long_log_that_nobody_takes_costs_no_memory(world: World) -> None:
    from reconciler.swarm.drone import at_work

    work = at_work.AtWork()
    work.begin(OFFER)
    for _ in range(100):
        work.wrote(b"x" * 100_000)

    assert len(work._log) <= at_work._WAITING
    assert work.ship(lambda _offer, offset, data: offset + len(data))
    work.done()
    assert not work.ship(lambda *_: 0)


@pytest.mark.parametrize("what", ["the look", "the log"])
def test_an_answer_about_a_build_that_is_over_ends_no_other_one(what: str, tmp_path: Path) -> None:
    """The threads ask about one build, and hear of it when the next one has begun."""
    world = World(tmp_path)
    rules = DroneRules("tau", "amd64", 4, 1 << 30)
    work, next_one = AtWork(), replace(OFFER, build="b2")

    class Late(Link):
        def working(self, offer: Offer) -> bool:
            work.begin(next_one)
            return False

    class LateUp(Up):
        def log(self, offer: Offer, offset: int, data: bytes) -> int:
            work.begin(next_one)
            raise LeaseLost("E-DRONE-LEASE", "the lease is gone")

    around = Surroundings(Late([]), LateUp(), world.hands, world.memory, FakeClock(), lambda: 0.5, world.said.append)
    pulse = Pulse(rules, "boot-1", around, work, Stopping())
    work.begin(OFFER)
    work.wrote(b"words\n")

    pulse._carefully(pulse._look if what == "the look" else pulse._ship)

    assert work.offer == next_one
    assert (work.ending(), work.lost()) == ("", "")

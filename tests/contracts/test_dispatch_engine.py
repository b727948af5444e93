"""What every dispatch engine promises, over real ones: files on a disk, drones in processes of their own.

A factory makes the ends of one engine: each `engine()` and `link()` is as another process would have it. The next
engine joins `FACTORIES`, and has to pass as it is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from reconciler.adapters.swarm.engine_embedded import EmbeddedEngine, EmbeddedLink
from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.swarm import Artifact, Beat, Event, Offer, Outcome
from reconciler.ports.swarm import DispatchEngine, DroneLink
from tests.support.clock import FakeClock
from tests.support.engine_process import CallFailed, EndProcess, Make

OFFER = Offer("b1", 1, "package", ("=app-misc/foo-1.1::gentoo",), "amd64", {"app-misc/foo": ("x", "-y")}, 3600.0)
ARTIFACT = Artifact("app-misc/foo/foo-1.1-1.gpkg.tar", 10, "0" * 64, {"CPV": "app-misc/foo-1.1", "SLOT": "0"})
BEAT = Beat("tau", "boot-1", 100.0, 8, 1 << 33, "amd64", load=1.5, build="b1", attempt=1, phase="compile")
EVENT = Event("queue_update", 100.0, {"build": "b1", "more": [1, 2.5, None, "ä"]}, id="e1")
HERE = "orchestrator"


class Factory(Protocol):
    """`make_engine` and `make_link` are picklable, for other processes; an engine is open when it was made."""

    @property
    def make_engine(self) -> Callable[[], DispatchEngine]: ...

    def make_link(self, credential: str) -> Callable[[], DroneLink]: ...

    def pass_time(self, seconds: float) -> None:
        """For engines that were made by `engine`."""

    def engine(self) -> DispatchEngine: ...

    def link(self, credential: str) -> DroneLink: ...

    def close(self) -> None: ...


class Embedded:
    def __init__(self, folder: Path) -> None:
        self._path, self._clock = folder / "engine.db", FakeClock()
        self._made: list[EmbeddedEngine | EmbeddedLink] = []

    @property
    def make_engine(self) -> Callable[[], DispatchEngine]:
        return partial(opened_embedded, self._path)

    def make_link(self, credential: str) -> Callable[[], DroneLink]:
        return partial(EmbeddedLink, self._path, credential)

    def pass_time(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def engine(self) -> DispatchEngine:
        engine = EmbeddedEngine(self._path, self._clock.now)
        engine.open("main")
        self._made.append(engine)
        return engine

    def link(self, credential: str) -> DroneLink:
        link = EmbeddedLink(self._path, credential)
        self._made.append(link)
        return link

    def close(self) -> None:
        for end in self._made:
            end.close()


def opened_embedded(path: Path) -> DispatchEngine:
    engine = EmbeddedEngine(path)
    engine.open("main")
    return engine


FACTORIES: dict[str, Callable[[Path], Factory]] = {"embedded": Embedded}


@pytest.fixture(params=FACTORIES)
def factory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Factory]:
    made = FACTORIES[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def engine(factory: Factory) -> DispatchEngine:
    return factory.engine()


@pytest.fixture
def tau(factory: Factory, engine: DispatchEngine) -> DroneLink:
    return factory.link(engine.enroll("tau"))


@pytest.fixture
def process() -> Iterator[Callable[[Make], EndProcess]]:
    """Ends in processes of their own."""
    started: list[EndProcess] = []

    def start(make: Make) -> EndProcess:
        started.append(EndProcess(make))
        return started[-1]

    yield start
    for each in started:
        try:
            each.kill()
        except ValueError:  # it was killed by the test
            continue


def outcome_of(offer: Offer, drone: str = "tau") -> Outcome:
    return Outcome(offer.build, offer.attempt, drone, "succeeded", 12.5, "", (ARTIFACT,), "[ebuild N] ...", "log\n")


def attempt(number: int) -> Offer:
    return replace(OFFER, attempt=number)


def build(name: str) -> Offer:
    return replace(OFFER, build=name)


def delivered(engine: DispatchEngine) -> list[Outcome]:
    return [delivery.outcome for delivery in engine.outcomes()]


# --- offers


def test_an_offer_arrives_as_it_was_made(engine: DispatchEngine, tau: DroneLink) -> None:
    engine.offer("tau", OFFER)
    assert tau.next(5) == OFFER


def test_a_drone_gets_its_offers_in_order_and_each_until_it_is_finished(engine: DispatchEngine, tau: DroneLink) -> None:
    offers = [build("b2"), build("b1"), build("b3")]
    for offer in offers:
        engine.offer("tau", offer)
    for offer in offers:
        assert tau.next(5) == offer
        assert tau.next(5) == offer
        tau.finish(offer, outcome_of(offer))
    assert tau.next(0) is None


def test_without_an_offer_the_wait_ends_in_time(tau: DroneLink) -> None:
    before = time.monotonic()
    assert tau.next(0.3) is None
    assert 0.3 <= time.monotonic() - before < 5


def test_an_offer_ends_the_wait(engine: DispatchEngine, tau: DroneLink) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(tau.next, 30)
        while waiting.running() is False:
            time.sleep(0.01)
        engine.offer("tau", OFFER)
        assert waiting.result(timeout=5) == OFFER


def test_the_same_offer_again_is_no_second_one(engine: DispatchEngine, factory: Factory, tau: DroneLink) -> None:
    engine.offer("tau", OFFER)
    factory.engine().offer("tau", OFFER)
    assert engine.outstanding("tau") == {("b1", 1)}
    tau.finish(OFFER, outcome_of(OFFER))
    engine.offer("tau", OFFER)
    assert tau.next(0) is None and engine.outstanding("tau") == frozenset()
    for delivery in engine.outcomes():
        delivery.ack()
    engine.offer("tau", OFFER)
    assert tau.next(0) is None and engine.outstanding("tau") == frozenset()


def test_many_offers_in_one_go_are_as_many_offers(engine: DispatchEngine, factory: Factory, tau: DroneLink) -> None:
    izar = factory.link(engine.enroll("izar"))
    engine.offer("tau", build("b1"))
    engine.offer_all([("tau", build("b1")), ("tau", build("b2")), ("izar", build("b3"))])
    engine.offer_all([("izar", build("b3")), ("izar", build("b4"))])
    engine.offer_all([])
    assert engine.outstanding("tau") == {("b1", 1), ("b2", 1)}
    assert engine.outstanding("izar") == {("b3", 1), ("b4", 1)}
    assert tau.next(5) == build("b1") and izar.next(5) == build("b3")


def test_a_withdrawn_offer_does_not_come_back_by_being_made_again(engine: DispatchEngine, tau: DroneLink) -> None:
    engine.offer("tau", OFFER)
    engine.withdraw("tau", "b1")
    engine.offer("tau", OFFER)
    assert tau.next(0) is None and engine.outstanding("tau") == frozenset()


def test_the_next_attempt_is_another_offer(engine: DispatchEngine, factory: Factory, tau: DroneLink) -> None:
    izar = factory.link(engine.enroll("izar"))
    engine.offer("tau", attempt(1))
    engine.offer("izar", attempt(2))
    assert (tau.next(5), izar.next(5)) == (attempt(1), attempt(2))
    tau.finish(attempt(1), outcome_of(attempt(1)))
    assert delivered(engine) == [outcome_of(attempt(1))], "what an old attempt brings is told as such"
    assert engine.outstanding("izar") == {("b1", 2)}, "and leaves the new one alone"
    assert izar.working(attempt(2))


def test_a_drone_sees_its_own_offers_only(engine: DispatchEngine, factory: Factory, tau: DroneLink) -> None:
    izar = factory.link(engine.enroll("izar"))
    engine.offer("tau", OFFER)
    assert izar.next(0) is None
    assert not izar.working(OFFER)
    assert engine.outstanding("izar") == frozenset()


# --- withdrawals


def test_whoever_works_on_a_withdrawn_offer_hears_so(engine: DispatchEngine, tau: DroneLink) -> None:
    engine.offer("tau", OFFER)
    offer = tau.next(5)
    assert offer is not None and tau.working(offer)
    engine.withdraw("tau", "b1")
    assert not tau.working(offer)
    assert tau.next(0) is None


@pytest.mark.parametrize(
    ("build_id", "number", "left"),
    [
        ("", 0, set()),
        ("b1", 0, {("b2", 1)}),
        ("b1", 2, {("b1", 1), ("b2", 1)}),
        ("b3", 0, {("b1", 1), ("b1", 2), ("b2", 1)}),
    ],
)
def test_all_of_one_build_or_one_attempt_is_withdrawn(
    engine: DispatchEngine, factory: Factory, build_id: str, number: int, left: set[tuple[str, int]]
) -> None:
    for drone in ("tau", "izar"):
        engine.enroll(drone)
    for offer in (attempt(1), attempt(2), build("b2")):
        engine.offer("tau", offer)
    engine.offer("izar", attempt(7))
    engine.withdraw("tau", build_id, number)
    assert factory.engine().outstanding("tau") == left
    assert engine.outstanding("izar") == {("b1", 7)}


def test_what_a_withdrawn_offer_brings_is_told_all_the_same(engine: DispatchEngine, tau: DroneLink) -> None:
    """Its upload has to be cleared away; that it counts for nothing is not the engine's to decide."""
    engine.offer("tau", OFFER)
    engine.withdraw("tau")
    tau.finish(OFFER, outcome_of(OFFER))
    assert delivered(engine) == [outcome_of(OFFER)]


# --- outcomes


def test_an_outcome_arrives_as_it_was_and_is_not_outstanding_any_more(engine: DispatchEngine, tau: DroneLink) -> None:
    engine.offer("tau", OFFER)
    tau.finish(OFFER, outcome_of(OFFER))
    assert delivered(engine) == [outcome_of(OFFER)]
    assert engine.outstanding("tau") == frozenset()


def test_an_outcome_stays_until_it_is_acknowledged(engine: DispatchEngine, factory: Factory, tau: DroneLink) -> None:
    for name in ("b1", "b2"):
        engine.offer("tau", build(name))
        tau.finish(build(name), outcome_of(build(name)))
    assert [each.build for each in delivered(engine)] == ["b1", "b2"]
    assert [each.build for each in delivered(factory.engine())] == ["b1", "b2"], "to whoever asks"
    first = engine.outcomes()[0]
    first.ack()
    first.ack()
    assert [each.build for each in delivered(engine)] == ["b2"]
    assert [each.build for each in delivered(factory.engine())] == ["b2"]


def test_finishing_twice_changes_nothing(engine: DispatchEngine, factory: Factory, tau: DroneLink) -> None:
    engine.offer("tau", OFFER)
    tau.finish(OFFER, outcome_of(OFFER))
    tau.finish(OFFER, replace(outcome_of(OFFER), result="failed"))
    assert delivered(engine) == [outcome_of(OFFER)]
    engine.outcomes()[0].ack()
    tau.finish(OFFER, outcome_of(OFFER))
    assert delivered(engine) == [] and delivered(factory.engine()) == []


# --- credentials


def test_a_credential_names_its_drone(engine: DispatchEngine, factory: Factory) -> None:
    tau, izar = engine.enroll("tau"), engine.enroll("izar")
    assert tau != izar
    assert (engine.whose(tau), factory.engine().whose(izar)) == ("tau", "izar")
    assert engine.whose("nobody's") == "" and engine.whose("") == ""


def test_a_new_credential_voids_the_one_before(engine: DispatchEngine, factory: Factory) -> None:
    first = engine.enroll("tau")
    second = engine.enroll("tau")
    assert (engine.whose(first), engine.whose(second)) == ("", "tau")
    engine.offer("tau", OFFER)
    assert factory.link(second).next(5) == OFFER
    with pytest.raises(Terminal):
        factory.link(first).next(0)


def test_a_revoked_drone_is_told_so_whatever_it_does(engine: DispatchEngine, factory: Factory) -> None:
    credential = engine.enroll("tau")
    tau = factory.link(credential)
    engine.offer("tau", OFFER)
    assert tau.next(5) == OFFER
    engine.revoke("tau")
    assert engine.whose(credential) == "" and engine.outstanding("tau") == frozenset()
    for call in (
        lambda: tau.next(0),
        lambda: tau.working(OFFER),
        lambda: tau.finish(OFFER, outcome_of(OFFER)),
        lambda: tau.beat(BEAT),
    ):
        with pytest.raises(Terminal):
            call()
    assert delivered(engine) == [] and engine.beats() == ()


def test_a_drone_that_is_revoked_while_it_waits_waits_no_longer(engine: DispatchEngine, tau: DroneLink) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(tau.next, 60)
        engine.revoke("tau")
        with pytest.raises(Terminal):
            waiting.result(timeout=10)


def test_a_drone_speaks_in_its_own_name_only(engine: DispatchEngine, factory: Factory, tau: DroneLink) -> None:
    izar = factory.link(engine.enroll("izar"))
    engine.offer("tau", OFFER)
    with pytest.raises(ReconcilerError):
        izar.beat(BEAT)
    with pytest.raises(ReconcilerError):
        izar.finish(OFFER, outcome_of(OFFER, "tau"))
    with pytest.raises(ReconcilerError):
        tau.finish(OFFER, outcome_of(build("b2")))
    izar.finish(OFFER, outcome_of(OFFER, "izar"))  # an offer that it never had
    assert delivered(engine) == [] and engine.beats() == ()
    assert engine.outstanding("tau") == {("b1", 1)}


# --- beats


def test_the_last_beat_of_each_drone_is_told_once(engine: DispatchEngine, factory: Factory, tau: DroneLink) -> None:
    izar = factory.link(engine.enroll("izar"))
    last = replace(BEAT, at=130.0, phase="install")
    tau.beat(BEAT)
    izar.beat(replace(BEAT, drone="izar"))
    tau.beat(last)
    assert sorted(engine.beats(), key=lambda beat: beat.drone) == [replace(BEAT, drone="izar"), last]
    assert engine.beats() == ()
    tau.beat(last)
    assert list(engine.beats()) == [last], "the same again is a sign of life"
    engine.revoke("izar")
    tau.beat(BEAT)
    assert list(engine.beats()) == [BEAT]


# --- leadership


def test_one_leads_until_its_time_is_over(engine: DispatchEngine, factory: Factory) -> None:
    other = factory.engine()
    first = engine.lease(HERE, "one", 30)
    assert first is not None and (first.name, first.holder) == (HERE, "one")
    assert other.lease(HERE, "two", 30) is None
    factory.pass_time(20)
    renewed = engine.lease(HERE, "one", 30)
    assert renewed is not None and renewed.fence == first.fence and renewed.until > first.until
    factory.pass_time(20)
    assert other.lease(HERE, "two", 30) is None, "it was renewed"
    factory.pass_time(11)
    taken = other.lease(HERE, "two", 30)
    assert taken is not None and taken.fence > first.fence
    assert engine.lease(HERE, "one", 30) is None
    factory.pass_time(31)
    again = other.lease(HERE, "two", 30)
    assert again is not None and again.fence > taken.fence, "somebody may have led in between"


def test_leadership_that_is_given_up_is_free(engine: DispatchEngine, factory: Factory) -> None:
    first = engine.lease(HERE, "one", 30)
    assert first is not None and engine.lease(HERE, "one", 0) is not None
    other = factory.engine()
    assert other.lease(HERE, "three", 0) is not None, "nobody has it"
    taken = other.lease(HERE, "two", 30)
    assert taken is not None and taken.fence > first.fence


def test_leaderships_of_other_names_are_others(engine: DispatchEngine, factory: Factory) -> None:
    assert engine.lease("a", "one", 30) is not None
    assert factory.engine().lease("b", "two", 30) is not None


# --- events


def test_events_are_read_on_from_where_one_was(engine: DispatchEngine, factory: Factory) -> None:
    engine.emit(*(replace(EVENT, id=f"e{number}", at=float(number)) for number in range(5)))
    first = factory.engine().events(0, limit=2)
    assert [event.at for event in first] == [0.0, 1.0]
    assert first[0].data == EVENT.data and first[0].kind == EVENT.kind
    rest = engine.events(first[-1].seq)
    assert [event.at for event in rest] == [2.0, 3.0, 4.0]
    assert [event.seq for event in (*first, *rest)] == sorted({event.seq for event in (*first, *rest)})
    assert engine.events(rest[-1].seq) == ()


def test_the_same_event_again_is_no_second_one(engine: DispatchEngine, factory: Factory) -> None:
    engine.emit(EVENT)
    factory.engine().emit(EVENT, replace(EVENT, id="e2"))
    engine.emit(replace(EVENT, id=""), replace(EVENT, id=""))
    assert [event.id for event in engine.events(0)] == ["e1", "e2", "", ""]


# --- processes that die


def test_everything_lies_there_for_who_comes_next(factory: Factory, process: Callable[[Make], EndProcess]) -> None:
    first = process(factory.make_engine)
    credential = first.call("enroll", "tau")
    first.call("offer", "tau", attempt(1))
    first.call("offer", "tau", build("b2"))
    first.call("emit", EVENT)
    lease = first.call("lease", HERE, "one", 600)
    drone = process(factory.make_link(credential))
    drone.call("beat", BEAT)
    drone.call("finish", attempt(1), outcome_of(attempt(1)))
    first.kill()
    drone.kill()

    second = process(factory.make_engine)
    assert second.call("outcomes") == [outcome_of(attempt(1))]
    assert second.call("outstanding", "tau") == {("b2", 1)}
    assert list(second.call("beats")) == [BEAT]
    assert [event.id for event in second.call("events", 0)] == ["e1"]
    assert second.call("lease", HERE, "two", 600) is None, "a dead leader leads until its time is over"
    assert second.call("lease", HERE, "one", 600).fence == lease.fence
    assert process(factory.make_link(credential)).call("next", 5) == build("b2")


STEPS = ("offer", "next", "working", "finish", "outcomes", "ack")


class Journey:
    """One offer from end to end, in two processes of which either may die."""

    def __init__(self, factory: Factory, process: Callable[[Make], EndProcess]) -> None:
        self._factory, self._process = factory, process
        self.orchestrator = process(factory.make_engine)
        self._credential = self.orchestrator.call("enroll", "tau")
        self.drone = process(factory.make_link(self._credential))

    def send(self, step: str) -> EndProcess:
        match step:
            case "offer":
                self.orchestrator.send("offer", "tau", OFFER)
            case "outcomes":
                self.orchestrator.send("outcomes")
            case "ack":
                told = self.orchestrator.call("outcomes")
                self.orchestrator.send(*(("ack", 0) if told else ("outcomes",)))
            case "next":
                self.drone.send("next", 5.0)
            case "working":
                self.drone.send("working", OFFER)
            case "finish":
                self.drone.send("finish", OFFER, outcome_of(OFFER))
        return self.orchestrator if step in ("offer", "outcomes", "ack") else self.drone

    def do(self, step: str) -> object:
        answer: object = self.send(step).answer()
        return answer

    def kill(self, side: EndProcess) -> None:
        side.kill()
        if side is self.drone:
            self.drone = self._process(self._factory.make_link(self._credential))
        else:
            self.orchestrator = self._process(self._factory.make_engine)


@pytest.mark.parametrize("amid", [False, True], ids=["after", "amid"])
@pytest.mark.parametrize("last", STEPS)
def test_a_process_that_is_killed_is_made_up_for_by_the_next(
    factory: Factory, process: Callable[[Make], EndProcess], last: str, amid: bool
) -> None:
    """Whoever was killed does its last step again, as it cannot know whether it was done."""
    journey = Journey(factory, process)
    at = STEPS.index(last)
    for step in STEPS[:at]:
        journey.do(step)
    side = journey.send(last)
    if amid:
        time.sleep(random.uniform(0, 0.004))  # wherever that is
    else:
        side.answer()
    journey.kill(side)
    for step in STEPS[at:]:
        answer = journey.do(step)
        if step == "next":
            assert answer == OFFER
        if step == "working":
            assert answer is True
        if step == "outcomes":
            assert answer == [outcome_of(OFFER)]
    assert journey.orchestrator.call("outcomes") == []
    assert journey.orchestrator.call("outstanding", "tau") == frozenset()
    assert journey.drone.call("next", 0) is None


def test_many_processes_at_once_lose_and_double_nothing(
    factory: Factory, process: Callable[[Make], EndProcess]
) -> None:
    """Four drones and an orchestrator, one drone killed again and again: every offer ends with one outcome."""
    engine = factory.engine()
    names = ["tau", "izar", "vega", "mira"]
    credentials = {name: engine.enroll(name) for name in names}
    drones = {name: process(factory.make_link(credentials[name])) for name in names}
    offers = {(f"b{number}", 1): names[number % 4] for number in range(60)}
    for (id, _), name in offers.items():
        engine.offer(name, build(id))
    seen: list[tuple[str, int]] = []
    dice = random.Random(1)
    while len(seen) < len(offers):
        for name in names:
            drones[name].send("next", 0.0)
        for name in names:
            if (offer := drones[name].answer()) is not None:
                drones[name].send("finish", offer, outcome_of(offer, name))
                if name == "mira" and dice.random() < 0.2:
                    drones[name].kill()
                    drones[name] = process(factory.make_link(credentials[name]))
                else:
                    drones[name].answer()
        for delivery in engine.outcomes():
            told = (delivery.outcome.build, delivery.outcome.attempt)
            assert offers[told] == delivery.outcome.drone
            seen.append(told)
            delivery.ack()
    assert sorted(seen) == sorted(offers)
    assert all(engine.outstanding(name) == frozenset() for name in names)


def test_of_several_that_want_to_lead_one_does(factory: Factory, process: Callable[[Make], EndProcess]) -> None:
    factory.engine()
    ends = [process(factory.make_engine) for _ in range(4)]
    for number, end in enumerate(ends):
        end.send("lease", HERE, f"holder-{number}", 600.0)
    won = [lease for end in ends if (lease := end.answer()) is not None]
    assert len(won) == 1


def test_a_drone_of_another_process_is_told_that_its_credential_is_void(
    factory: Factory, process: Callable[[Make], EndProcess]
) -> None:
    engine = factory.engine()
    drone = process(factory.make_link(engine.enroll("tau")))
    assert drone.call("next", 0) is None
    drone.send("next", 60)
    engine.revoke("tau")
    with pytest.raises(CallFailed, match="Terminal"):
        drone.answer()

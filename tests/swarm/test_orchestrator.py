"""What becomes of what somebody asks for: the real store and engine, drones that do what the test says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.core.packages.atoms import read_atom
from reconciler.errors import Refused, Terminal, Transient
from reconciler.model.package import Listed, Listing, Problem
from reconciler.model.queue import BuildQuery
from reconciler.model.swarm import Build, Request
from reconciler.swarm import board
from tests.support.orchestrated import PROFILE, Swarm, listing, package

APP, LIB, ICU, OTHER = "app-misc/app-1", "dev-libs/lib-2", "dev-libs/icu-74.1", "app-misc/other-3"
CHAIN = {APP: [LIB], LIB: [ICU], ICU: []}


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[Swarm]:
    made = Swarm(tmp_path)
    yield made
    made.close()


@pytest.fixture
def pair(swarm: Swarm) -> Swarm:
    """With two drones."""
    swarm.drone("tau")
    swarm.drone("izar")
    swarm.tick()
    return swarm


def built(swarm: Swarm, ticks: int) -> list[tuple[str, ...]]:
    """What drones were given, and built at once, in that order."""
    order = []
    for _ in range(ticks):
        swarm.beat()
        swarm.tick()
        for drone in swarm.drones.values():
            while (offer := drone.take()) is not None:
                order.append(offer.atoms)
                drone.finish()
    return order


def test_a_request_is_built_in_order_and_told_once(pair: Swarm) -> None:
    request = pair.submit(CHAIN)
    order = built(pair, 20)
    assert order == [(f"={cpv}::gentoo",) for cpv in (ICU, LIB, APP)]
    [(told, builds)] = pair.ended
    assert (told.id, told.state, told.reason) == (request.id, "complete", "3 built")
    assert [(str(build.package), build.state, build.attempt) for build in builds] == [
        (cpv, "succeeded", 1) for cpv in (APP, LIB, ICU)
    ]
    assert {stored.package.cpv for stored in pair.binhost.index(PROFILE)} == set(CHAIN)
    assert builds[0].stored == "app-misc/app/app-1-1.gpkg.tar"
    complete = [event for event in pair.orchestrator.events(0) if event.kind == "build_complete"]
    assert [event.data["request"] for event in complete] == [request.id]
    assert {key: complete[0].data[key] for key in ("succeeded", "failed", "held", "state")} == {
        "succeeded": 3, "failed": 0, "held": 0, "state": "complete",
    }  # fmt: skip


def test_a_long_life_forgets_what_it_has_built(pair: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "_MANY", 2)
    pair.submit({f"app-misc/p{n}-1": [f"app-misc/p{n // 2}-1"] if n else [] for n in range(12)})
    pair.work(ticks=100)
    assert len(pair.orchestrator._desk.board.done) <= 3
    assert [request.reason for request, _ in pair.ended] == ["12 built"]


def test_an_offer_says_what_to_build_with_which_flags(pair: Swarm) -> None:
    entry = Listed(package(APP, repository="guru", use=("nls", "-doc")), "ebuild")
    pair.orchestrator.submit(
        Listing((entry,)), key="k", actor="ana", profile=PROFILE, now=pair.now,
        use={"dev-libs/icu": ("static",), f"={APP}": ("doc",)},
    )  # fmt: skip
    pair.tick()
    (offer,) = pair.take().values()
    assert (offer.kind, offer.atoms, offer.profile) == ("package", (f"={APP}::guru",), PROFILE)
    assert offer.use == {"dev-libs/icu": ("static",), f"={APP}": ("nls", "-doc")}


def test_the_same_key_again_is_the_same_request(pair: Swarm) -> None:
    what = replace(listing({APP: []}), problems=(Problem(3, "[ebuild", "it has no end"),))
    first = pair.orchestrator.submit(what, key="k", actor="ana", profile=PROFILE, now=pair.now)
    again = pair.orchestrator.submit(what, key="k", actor="ana", profile=PROFILE, now=pair.now + 5)
    assert not first.repeated and again == replace(first, repeated=True)
    pair.restart()
    pair.work()
    later = pair.orchestrator.submit(what, key="k", actor="ana", profile=PROFILE, now=pair.now)
    assert later.request.state == "complete" and later.decisions == first.decisions
    assert len(pair.orchestrator.requests()) == 1
    with pytest.raises(Refused) as caught:
        pair.orchestrator.submit(listing({LIB: []}), key="k", actor="ana", profile=PROFILE, now=pair.now)
    assert caught.value.code == "E-SWARM-KEY"


def test_what_two_requests_want_is_built_once(pair: Swarm) -> None:
    pair.submit(CHAIN, "k1")
    pair.tick()
    second = pair.submit({OTHER: [ICU], ICU: []}, "k2")
    decisions = pair.orchestrator.request(second.id).decisions
    assert {decision.what: decision.verdict for decision in decisions} == {OTHER: "accepted", ICU: "deduplicated"}
    pair.work()
    assert [request.state for request, _ in pair.ended] == ["complete", "complete"]
    assert len(pair.binhost.index(PROFILE)) == 4
    assert [str(build.package) for build in pair.orchestrator.request(second.id).builds] == [OTHER, ICU]


def test_what_is_queued_waits_for_what_a_later_request_says_it_needs(pair: Swarm) -> None:
    """The first one was told by a machine that has an old lib."""
    first = pair.submit({APP: []}, "k1")
    pair.submit({APP: [LIB], LIB: [ICU], ICU: []}, "k2")
    pair.beat()
    pair.tick()
    assert [offer.atoms for offer in pair.take().values()] == [(f"={ICU}::gentoo",)]
    pair.drones[next(name for name, drone in pair.drones.items() if drone.holding)].finish()
    pair.restart()
    pair.beat()
    pair.tick()
    assert [offer.atoms for offer in pair.take().values()] == [(f"={LIB}::gentoo",)]
    assert {str(build.package) for build in pair.orchestrator.request(first.id).builds} == {APP, LIB, ICU}
    for drone in pair.drones.values():
        if drone.holding:
            drone.finish()
    pair.work()
    assert [(request.key, request.reason) for request, _ in pair.ended] == [("k1", "3 built"), ("k2", "3 built")]


def test_what_a_later_request_brought_stays_while_an_earlier_one_needs_it(swarm: Swarm) -> None:
    swarm.submit({APP: []}, "k1")
    swarm.submit({LIB: [ICU], ICU: []}, "k2")
    third = swarm.submit({APP: [LIB], LIB: []}, "k3")
    second = next(request for request in swarm.orchestrator.requests() if request.key == "k2")
    assert swarm.orchestrator.cancel(third.id, "ana", swarm.now) == ()
    assert swarm.orchestrator.cancel(second.id, "ana", swarm.now) == ()
    assert swarm.states() == {APP: "queued", LIB: "queued", ICU: "queued"}
    swarm.drone("tau")
    swarm.work()
    assert [(request.key, request.reason) for request, _ in swarm.ended if request.state == "complete"] == [
        ("k1", "3 built")
    ]


def test_needs_of_two_requests_that_close_a_circle_are_left_out(pair: Swarm) -> None:
    pair.submit({APP: [LIB], LIB: []}, "k1")
    pair.submit({LIB: [ICU], ICU: [APP], APP: []}, "k2")
    order = built(pair, 10)
    assert order == [(f"={cpv}::gentoo",) for cpv in (LIB, APP, ICU)]
    assert [request.state for request, _ in pair.ended] == ["complete", "complete"]


def test_what_a_drone_has_waits_for_nothing_that_a_later_request_says(swarm: Swarm) -> None:
    swarm.drone("tau")
    first = swarm.submit({APP: []}, "k1")
    swarm.beat()
    swarm.tick()
    swarm.submit({APP: [LIB], LIB: []}, "k2")
    assert len(swarm.orchestrator.request(first.id).builds) == 1
    swarm.work()
    assert swarm.states() == {APP: "succeeded", LIB: "succeeded"}


def test_a_request_for_what_is_all_there_is_complete_at_once(pair: Swarm) -> None:
    pair.submit(CHAIN, "k1")
    pair.work()
    again = pair.submit(CHAIN, "k2")
    assert (again.state, again.builds, again.reason) == ("complete", (), "nothing to build")
    pair.tick()
    assert [request.key for request, _ in pair.ended] == ["k1", "k2"]


def test_a_request_of_which_nothing_can_be_is_refused(pair: Swarm) -> None:
    what = Listing((Listed(package(APP), "ebuild", "NF"),))
    answer = pair.orchestrator.submit(what, key="k", actor="ana", profile=PROFILE, now=pair.now)
    assert answer.request.state == "refused" and answer.request.ended == pair.now
    assert answer.request.refused == ((APP, "its sources have to be fetched by hand"),)


@pytest.mark.parametrize(
    "use", [{"*/*": ("ssl",)}, {"dev-libs/icu[x]": ("ssl",)}, {"dev-libs/icu": ("a b",)}, {"dev-libs/icu": ("+ssl",)}]
)
def test_flags_that_no_drone_could_set_are_refused_at_once(use: dict[str, tuple[str, ...]], swarm: Swarm) -> None:
    with pytest.raises(Refused, match="E-SWARM-USE"):
        swarm.orchestrator.submit("app-misc/foo", key="k", actor="me", profile="amd64", now=0.0, use=use)


@pytest.mark.parametrize("profile", ["", "..", "a/b", ".hidden", "a b", "x" * 65, "ä"])
def test_a_profile_that_is_no_name_is_refused(swarm: Swarm, profile: str) -> None:
    with pytest.raises(Refused, match="E-SWARM-PROFILE"):
        swarm.orchestrator.submit(listing({APP: []}), key="k", actor="ana", profile=profile, now=swarm.now)


def test_a_text_that_is_nothing_is_told(swarm: Swarm) -> None:
    with pytest.raises(Terminal, match="E-PACKAGES"):
        swarm.orchestrator.submit("rm -rf /", key="k", actor="ana", profile=PROFILE, now=swarm.now)


def test_a_preview_takes_nothing_on(pair: Swarm) -> None:
    answer = pair.orchestrator.preview(listing(CHAIN), profile=PROFILE, now=pair.now)
    assert [decision.verdict for decision in answer.decisions] == ["accepted"] * 3
    assert pair.orchestrator.requests() == () and pair.orchestrator.queue(pair.now).entries == ()


# --- questions to Portage

TREE = f"""
These are the packages that would be merged, in reverse order:

Calculating dependencies  ... done!
[ebuild  N     ] {APP}::gentoo  USE="nls -doc"
[ebuild  N     ]  {LIB}::gentoo

Total: 2 packages (2 new), Size of downloads: 0 KiB
"""


def test_atoms_become_a_question_and_its_answer_becomes_builds(pair: Swarm) -> None:
    answer = pair.orchestrator.submit(
        "app-misc/app\nnonsense!\n", key="k", actor="ana", profile=PROFILE, now=pair.now, use={"app-misc/app": ("nls",)}
    )
    assert answer.request.state == "resolving" and answer.request.origin == "atoms"
    assert [decision.line for decision in answer.decisions] == [2]
    pair.tick()
    [(name, offer)] = pair.take().items()
    assert (offer.kind, offer.atoms, offer.use) == ("resolve", ("app-misc/app",), {"app-misc/app": ("nls",)})
    pair.drones[name].finish(text=TREE)
    pair.tick()
    view = pair.orchestrator.request(answer.request.id)
    assert view.request.state == "building" and view.request.refused == (("nonsense!", answer.decisions[0].reason),)
    assert [(build.kind, str(build.package)) for build in view.builds] == [
        ("resolve", "None"), ("package", APP), ("package", LIB),
    ]  # fmt: skip
    assert {decision.what: decision.verdict for decision in view.decisions} == {
        "nonsense!": "refused", APP: "accepted", LIB: "accepted",
    }  # fmt: skip
    assert pair.orchestrator.build(view.builds[1].id).needs == (view.builds[2].id,)
    pair.work()
    assert [request.reason for request, _ in pair.ended] == ["2 built"]


def ask(swarm: Swarm, key: str, profile: str = PROFILE, **use: tuple[str, ...]) -> Request:
    flags = {"app-misc/app": use["use"]} if use else {}
    return swarm.orchestrator.submit(
        "app-misc/app\n", key=key, actor="ana", profile=profile, now=swarm.now, use=flags
    ).request


def test_the_same_question_is_asked_once_while_it_is_open_and_answers_all_who_asked(pair: Swarm) -> None:
    one = ask(pair, "k1")
    pair.tick()
    [(name, offer)] = pair.take().items()
    two, flags = ask(pair, "k2"), ask(pair, "k3", use=("nls",))
    pair.tick()

    assert (two.state, two.builds) == ("resolving", one.builds)
    assert flags.builds != one.builds, "other flags are another question"
    other = next(each for each in pair.drones if each != name)
    assert pair.drones[other].link.next(0).use == {"app-misc/app": ("nls",)}  # type: ignore[union-attr]
    pair.orchestrator.cancel(flags.id, "ana", pair.now)
    pair.drones[name].holding = offer
    pair.drones[name].finish(text=TREE)
    pair.tick()

    first, second = (pair.orchestrator.request(each.id) for each in (one, two))
    assert first.builds == second.builds, "what it brought is built once, for both"
    assert {decision.verdict for decision in first.decisions} == {"accepted"}
    assert {decision.verdict for decision in second.decisions} == {"deduplicated"}
    pair.work()
    assert [request.reason for request, _ in pair.ended if request.id in (one.id, two.id)] == ["2 built", "2 built"]


def test_who_takes_a_shared_question_back_takes_it_from_nobody_else(pair: Swarm) -> None:
    one, two = ask(pair, "k1"), ask(pair, "k2")

    assert pair.orchestrator.cancel(one.id, "ana", pair.now) == ()

    pair.tick()
    [(name, _)] = pair.take().items()
    pair.drones[name].finish(text=TREE)
    pair.tick()
    assert pair.orchestrator.request(two.id).request.state == "building"
    assert pair.orchestrator.request(one.id).request.state == "cancelled"


def test_a_question_that_was_answered_is_asked_anew(pair: Swarm) -> None:
    one = ask(pair, "k1")
    pair.tick()
    [(name, _)] = pair.take().items()
    pair.drones[name].finish(text=TREE)
    pair.tick()

    assert ask(pair, "k2").builds[0] != one.builds[0], "what it says by now may be something else"


def test_a_set_is_its_atoms(pair: Swarm) -> None:
    atoms = [read_atom("app-misc/app:0"), read_atom("=dev-libs/lib-2")]
    answer = pair.orchestrator.submit(atoms, key="k", actor="timer", profile=PROFILE, now=pair.now, origin="set:web")
    assert (answer.request.origin, answer.request.atoms) == ("set:web", ("app-misc/app:0", "=dev-libs/lib-2"))


def test_a_list_without_a_tree_is_asked_for_as_it_is_and_only_what_is_missing(pair: Swarm) -> None:
    pair.submit({ICU: []}, "k1")
    pair.work()
    flat = Listing(
        tuple(Listed(package(cpv, slot="0", repository="gentoo", use=("x",) if cpv == APP else ()), "ebuild")
              for cpv in (ICU, LIB, APP))
    )  # fmt: skip
    answer = pair.orchestrator.submit(flat, key="k2", actor="ana", profile=PROFILE, now=pair.now)
    assert answer.request.state == "resolving"
    assert [(decision.what, decision.verdict) for decision in answer.decisions] == [(ICU, "deduplicated")]
    pair.tick()
    (offer,) = pair.take().values()
    assert offer.atoms == (f"={LIB}::gentoo", f"={APP}::gentoo") and offer.use == {f"={APP}": ("x",)}


def test_a_question_that_nobody_can_answer_refuses_the_request(pair: Swarm) -> None:
    answer = pair.orchestrator.submit("app-misc/app", key="k", actor="ana", profile=PROFILE, now=pair.now)
    for _ in range(3):
        pair.tick()
        [name] = pair.take()
        pair.drones[name].finish("failed", "emerge was killed")
    pair.tick()
    request = pair.orchestrator.request(answer.request.id).request
    assert request.state == "refused" and "emerge was killed" in request.reason
    assert [told.id for told, _ in pair.ended] == [request.id]


def test_an_answer_that_is_no_more_than_trouble_refuses_the_request(pair: Swarm) -> None:
    text = '\nemerge: there are no ebuilds to satisfy "app-misc/app".\n\n'
    answer = pair.orchestrator.submit("app-misc/app", key="k", actor="ana", profile=PROFILE, now=pair.now)
    pair.tick()
    [name] = pair.take()
    pair.drones[name].finish(text=text)
    pair.tick()
    request = pair.orchestrator.request(answer.request.id).request
    assert request.state == "refused" and "app-misc/app" in request.refused[0][1]


# --- failures


def test_a_package_that_fails_everywhere_holds_what_needs_it_and_nothing_else(pair: Swarm) -> None:
    pair.drone("vega", sweeper=True)
    pair.submit({**CHAIN, OTHER: []})
    tried = []
    for _ in range(20):
        pair.beat()
        pair.tick()
        for name in pair.take():
            drone = pair.drones[name]
            assert drone.holding is not None
            if LIB in drone.holding.atoms[0]:
                tried.append(name)
                drone.finish("failed", "no space left")
            else:
                drone.finish()
    assert sorted(tried[:2]) == ["izar", "tau"] and tried[2:] == ["vega"], "another drone first, at last the sweeper"
    assert pair.states() == {APP: "held", LIB: "failed", ICU: "succeeded", OTHER: "succeeded"}
    assert pair.build_of(APP).reason.startswith(f"needs {LIB}, which is failed: failed 3 times")
    attempts = pair.orchestrator.build(pair.build_of(LIB).id).attempts
    assert [(each.attempt, each.result, each.reason, each.log) for each in attempts] == [
        (number, "failed", "no space left", "the log\n") for number in (1, 2, 3)
    ]
    assert [request.reason for request, _ in pair.ended] == ["2 built, 1 failed, 1 held"]


def test_what_was_held_before_its_request_was_cancelled_keeps_its_reason_and_waits_in_no_queue(pair: Swarm) -> None:
    request = pair.submit({APP: [LIB], LIB: [], OTHER: []})
    pair.orchestrator.cancel(pair.build_of(LIB).id, "ana", pair.now)
    assert pair.build_of(APP).state == "held"

    pair.orchestrator.cancel(request.id, "ben", pair.now)

    held = pair.build_of(APP)
    assert (held.state, held.reason) == ("held", f"needs {LIB}, which is cancelled: cancelled by ana")
    assert pair.build_of(OTHER).reason == "cancelled by ben"
    queue = pair.orchestrator.queue(pair.now)
    assert (queue.entries, dict(queue.states)) == ((), {})


def test_what_was_held_is_built_when_it_is_asked_for_again(swarm: Swarm) -> None:
    swarm.drone("tau")
    swarm.submit({APP: [LIB], LIB: []}, "k1")
    for _ in range(3):
        swarm.tick()
        swarm.take()
        swarm.drones["tau"].finish("failed", "no space left")
    swarm.tick()
    assert swarm.states() == {APP: "held", LIB: "failed"}
    swarm.submit({APP: [LIB], LIB: []}, "k2")
    swarm.work()
    assert swarm.states() == {APP: "succeeded", LIB: "succeeded"}


def test_a_drone_that_gives_its_build_back_has_not_failed(pair: Swarm) -> None:
    pair.submit({APP: []})
    pair.tick()
    [name] = pair.take()
    pair.drones[name].finish("returned", "it ends")
    pair.tick()
    assert pair.build_of(APP).failures == ()
    pair.work()
    assert pair.states() == {APP: "succeeded"}


def test_success_without_a_package_is_a_failure(pair: Swarm) -> None:
    pair.submit({APP: []})
    pair.tick()
    [name] = pair.take()
    drone = pair.drones[name]
    assert drone.holding is not None
    drone.holding = replace(drone.holding, kind="resolve")  # it uploads nothing
    drone.finish()
    pair.tick()
    assert pair.build_of(APP).failures == (name,)
    assert pair.orchestrator.build(pair.build_of(APP).id).attempts[0].reason == "the drone uploaded no package"


def test_a_drone_that_does_not_end_what_takes_too_long_has_failed(tmp_path: Path) -> None:
    from reconciler.swarm.rules import Rules

    swarm = Swarm(tmp_path, Rules(timeout=100.0))
    swarm.drone("tau")
    swarm.submit({APP: []})
    swarm.tick()
    swarm.take()
    drone = swarm.drones["tau"]
    for _ in range(75):
        swarm.beat()
        swarm.tick(10.0)
    assert swarm.build_of(APP).failures == ("tau",)
    assert drone.holding is not None and not drone.link.working(drone.holding)
    swarm.close()


def test_a_full_binhost_keeps_what_was_uploaded_waiting(pair: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise Transient("E-TEST", "the disk is full", why="no space left")

    pair.submit({APP: []})
    monkeypatch.setattr(BinhostFolder, "publish", full)
    pair.tick()
    [name] = pair.take()
    pair.drones[name].finish()
    for _ in range(10):
        pair.beat()
        pair.tick(10.0)  # longer than between two comparisons, which look at the binhost, too
        assert pair.states() == {APP: "uploaded"}
        assert pair.orchestrator.status(pair.now).trouble == ("binhost: the disk is full: no space left",)
    pair.restart()
    pair.tick()
    assert pair.states() == {APP: "uploaded"}
    monkeypatch.undo()
    pair.tick()
    assert pair.states() == {APP: "succeeded"} and pair.build_of(APP).attempt == 1
    assert pair.orchestrator.status(pair.now).trouble == ()


def test_an_upload_that_is_not_what_was_told_is_another_try(pair: Swarm) -> None:
    pair.submit({APP: []})
    pair.tick()
    [(name, offer)] = pair.take().items()
    pair.drones[name].finish()
    pair.binhost.discard(offer.build, offer.attempt)
    pair.tick()
    assert pair.build_of(APP).failures == (name,)
    reason = pair.orchestrator.build(pair.build_of(APP).id).attempts[0].reason
    assert reason.startswith("what it uploaded could not be stored: ") and "nothing was uploaded" in reason
    pair.work()
    assert pair.states() == {APP: "succeeded"}


def test_the_notice_of_a_request_is_tried_until_it_is_out(pair: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def away(request: Request, builds: object) -> None:
        told.append(request.id)
        if len(told) < 3:
            raise Transient("E-TEST", "nobody listens")

    monkeypatch.setattr(pair.orchestrator._ticking, "_ended", away)
    request = pair.submit({APP: []})
    pair.work()
    for _ in range(5):
        pair.tick()
    assert told == [request.id] * 3


# --- circles


def test_a_circle_is_built_as_one(pair: Swarm) -> None:
    pair.submit({APP: [LIB], LIB: [APP], OTHER: [APP]})
    pair.tick()
    [(name, offer)] = pair.take().items()
    assert set(offer.atoms) == {f"={APP}::gentoo", f"={LIB}::gentoo"}
    assert {pair.build_of(cpv).lead for cpv in (APP, LIB)} == {offer.build}
    pair.drones[name].finish()
    pair.tick()
    pair.work()
    assert pair.states() == {APP: "succeeded", LIB: "succeeded", OTHER: "succeeded"}
    assert len(pair.orchestrator.build(pair.build_of(LIB).id).attempts) == 1


def test_of_a_circle_what_is_missing_is_tried_again(pair: Swarm) -> None:
    pair.submit({APP: [LIB], LIB: [APP]})
    pair.tick()
    [(name, offer)] = pair.take().items()
    drone = pair.drones[name]
    drone.holding = replace(offer, atoms=(f"={APP}::gentoo",))
    drone.finish()
    pair.tick()
    assert pair.states()[APP] == "succeeded" and pair.build_of(LIB).failures == (name,)
    pair.work()
    assert pair.states() == {APP: "succeeded", LIB: "succeeded"}


def test_of_a_circle_that_fails_all_is_tried_again(pair: Swarm) -> None:
    pair.submit({APP: [LIB], LIB: [APP]})
    for _ in range(3):
        pair.beat()
        pair.tick()
        [name] = pair.take()
        pair.drones[name].finish("failed", "no")
    pair.tick()
    assert pair.states() == {APP: "failed", LIB: "failed"}
    assert len(pair.build_of(APP).failures) == len(pair.build_of(LIB).failures) == 3


# --- what people order


def test_a_cancelled_request_takes_along_what_nobody_else_wants(pair: Swarm) -> None:
    first = pair.submit(CHAIN, "k1")
    pair.submit({OTHER: [ICU], ICU: []}, "k2")
    cancelled = pair.orchestrator.cancel(first.id, "ana", pair.now)
    assert set(cancelled) == {pair.build_of(APP).id, pair.build_of(LIB).id}
    assert pair.states() == {APP: "cancelled", LIB: "cancelled", ICU: "queued", OTHER: "queued"}
    assert pair.orchestrator.request(first.id).request.state == "cancelled"
    pair.work()
    assert pair.states()[OTHER] == "succeeded"
    assert [(request.key, request.state) for request, _ in pair.ended] == [("k1", "cancelled"), ("k2", "complete")]


def test_a_cancelled_build_is_taken_from_its_drone_and_holds_what_needs_it(pair: Swarm) -> None:
    pair.submit(CHAIN)
    pair.tick()
    [(name, offer)] = pair.take().items()
    drone = pair.drones[name]
    pair.tick()
    assert pair.orchestrator.cancel(offer.build, "ana", pair.now) == (offer.build,)
    assert not drone.link.working(offer) and not pair.orchestrator.holds(name, offer.build, 1)
    assert pair.states() == {APP: "held", LIB: "held", ICU: "cancelled"}
    drone.finish()
    ticked = pair.tick()
    assert ticked.stale == 1 and pair.states()[ICU] == "cancelled" and pair.binhost.index(PROFILE) == ()
    assert [request.reason for request, _ in pair.ended] == ["2 held, 1 cancelled"]


def test_of_a_circle_that_is_built_one_may_be_cancelled(pair: Swarm) -> None:
    pair.submit({APP: [LIB], LIB: [APP]})
    pair.tick()
    [(name, offer)] = pair.take().items()
    pair.orchestrator.cancel(pair.build_of(LIB).id, "ana", pair.now)
    assert not pair.drones[name].link.working(offer)
    assert pair.states() == {APP: "held", LIB: "cancelled"}


def test_what_has_ended_or_is_unknown_cannot_be_cancelled_or_bumped(pair: Swarm) -> None:
    request = pair.submit({APP: []})
    pair.work()
    for id in (request.id, request.builds[0]):
        for order in (pair.orchestrator.cancel, pair.orchestrator.bump):
            with pytest.raises(Refused, match="E-SWARM-ENDED"):
                order(id, "ana", pair.now)
    for order in (pair.orchestrator.cancel, pair.orchestrator.bump):
        with pytest.raises(KeyError):
            order("nobody", "ana", pair.now)


def test_a_bumped_build_goes_first_with_what_it_needs(swarm: Swarm) -> None:
    swarm.submit({f"app-misc/x{number}-1": [] for number in range(6)}, "k1")
    late = swarm.submit({APP: [LIB], LIB: []}, "k2")
    assert set(swarm.orchestrator.bump(late.id, "ana", swarm.now)) == set(late.builds)
    swarm.drone("tau")
    order = []
    for _ in range(20):
        swarm.beat()
        swarm.tick()
        for offer in swarm.take().values():
            order.append(offer.atoms[0])
            swarm.drones["tau"].finish()
    assert order[0] == f"={LIB}::gentoo" and order.index(f"={APP}::gentoo") <= 2


def test_a_drained_drone_finishes_what_it_builds_and_gets_nothing_new(pair: Swarm) -> None:
    pair.orchestrator.drain("izar", "ana", pair.now)
    pair.submit({f"app-misc/x{number}-1": [] for number in range(4)})
    pair.tick()
    tau, izar = pair.drones["tau"], pair.drones["izar"]
    pair.take()
    for _ in range(60):  # near the end of the first one, the second is given to it
        pair.beat()
        pair.tick()
    assert izar.holding is None and len(pair.engine.outstanding("tau")) == 2
    pair.orchestrator.drain("tau", "ana", pair.now)
    pair.orchestrator.undrain("izar", "ana", pair.now)
    pair.tick()
    assert len(pair.engine.outstanding("tau")) == 1, "what lay in its queue goes elsewhere"
    assert tau.holding is not None and tau.link.working(tau.holding)
    tau.finish()
    pair.tick()
    assert pair.engine.outstanding("tau") == frozenset() and pair.engine.outstanding("izar")
    assert pair.orchestrator.drone("tau").drone.drained and not pair.orchestrator.drone("izar").drone.drained
    for order in (pair.orchestrator.drain, pair.orchestrator.undrain):
        with pytest.raises(KeyError):
            order("nobody", "ana", pair.now)


def test_a_restarted_drone_ends_what_it_does_and_that_is_no_failure(pair: Swarm) -> None:
    pair.submit({APP: []})
    pair.tick()
    [(name, offer)] = pair.take().items()
    pair.orchestrator.restart(name, "ana", pair.now)
    assert not pair.drones[name].link.working(offer)
    assert (pair.build_of(APP).state, pair.build_of(APP).failures) == ("queued", ())
    assert pair.build_of(APP).reason == f"{name} was restarted by ana"
    pair.work()
    assert pair.states() == {APP: "succeeded"}
    with pytest.raises(KeyError):
        pair.orchestrator.restart("nobody", "ana", pair.now)


def test_a_revoked_drone_is_forgotten_and_its_builds_go_elsewhere(pair: Swarm) -> None:
    pair.submit({APP: []})
    pair.tick()
    [(name, offer)] = pair.take().items()
    drone = pair.drones.pop(name)
    pair.orchestrator.revoke(name, "ana", pair.now)
    with pytest.raises(Terminal):
        drone.link.working(offer)
    assert [view.drone.name for view in pair.orchestrator.drones()] == list(pair.drones)
    pair.work()
    assert pair.build_of(APP).drone in pair.drones and pair.build_of(APP).failures == ()
    with pytest.raises(KeyError):
        pair.orchestrator.revoke(name, "ana", pair.now)
    drone.link.close()


def test_a_drone_needs_a_name(swarm: Swarm) -> None:
    with pytest.raises(Refused, match="E-SWARM-NAME"):
        swarm.orchestrator.enroll("../tau", "ana", swarm.now)


# --- what is shown


def test_the_queue_tells_what_each_build_waits_for_and_how_long(pair: Swarm) -> None:
    pair.submit(CHAIN, "k1")
    pair.submit({f"app-misc/x{number}-1": [] for number in range(4)}, "k2")
    pair.tick()
    pair.take()
    pair.tick()
    queue = pair.orchestrator.queue(pair.now)
    assert [entry.build.state for entry in queue.entries][:2] == ["building", "building"]
    why = {str(entry.build.package): entry.why for entry in queue.entries}
    assert why[APP] == f"needs {LIB}" and why[LIB] == f"needs {ICU}"
    assert sum("waits for" in text or "hangs on" in text for text in why.values()) >= 3
    assert queue.drain is not None and queue.drain.low <= queue.drain.expected <= queue.drain.high
    left = {str(entry.build.package): entry.left for entry in queue.entries}
    ends = [band.expected for band in left.values() if band is not None]
    assert len(ends) == 7 and queue.drain.expected == max(ends)
    app, lib = left[APP], left[LIB]
    assert app is not None and lib is not None and app.expected > lib.expected
    assert queue.states == {"building": 2, "queued": 5}


def test_a_build_that_no_drone_takes_says_why(pair: Swarm) -> None:
    pair.orchestrator.submit(listing({APP: []}), key="k", actor="ana", profile="arm64", now=pair.now)
    pair.tick()
    (entry,) = pair.orchestrator.queue(pair.now).entries
    assert entry.left is None and "builds for profile amd64, and arm64 is wanted" in entry.why


def test_estimates_learn_from_what_was_built(pair: Swarm) -> None:
    pair.submit({APP: []}, "k1")
    pair.tick()
    [name] = pair.take()
    pair.drones[name].finish(seconds=600.0)
    pair.work()
    pair.submit({"app-misc/app-2": []}, "k2")
    work = pair.build_of("app-misc/app-2").work
    assert work == pytest.approx(600.0 / (0.1 + 0.9 / 8), rel=0.01)
    assert pair.orchestrator.queue(pair.now).error.count == 1


def test_the_status_in_short(pair: Swarm) -> None:
    pair.submit(CHAIN)
    pair.tick()
    status = pair.orchestrator.status(pair.now)
    assert (status.site, status.leading, status.requests, status.trouble) == ("main", True, 1, ())
    assert status.builds == {"leased": 1, "queued": 2} and status.drones == {"ready": 2}
    assert status.ticked == pair.now


def test_events_can_be_read_on_from_any_of_them(pair: Swarm) -> None:
    pair.submit(CHAIN)
    pair.work()
    events = pair.orchestrator.events(0)
    assert len({event.id for event in events}) == len(events) and "" not in {event.id for event in events}
    assert pair.orchestrator.events(events[4].seq) == events[5:]
    kinds = {event.kind for event in events}
    assert kinds == {"drone_status", "queue_update", "build_complete"}


def test_the_progress_of_a_build_is_told_when_its_phase_changes(pair: Swarm) -> None:
    pair.submit({APP: []})
    pair.tick()
    [name] = pair.take()
    for phase in ("unpack", "unpack", "compile"):
        pair.tick()
        pair.drones[name].beat(pair.now, phase)
    pair.tick()
    told = [event.data["phase"] for event in pair.orchestrator.events(0) if event.kind == "build_progress"]
    assert told == ["", "unpack", "compile"]


def test_what_is_unknown_is_a_key_error(swarm: Swarm) -> None:
    for look in (swarm.orchestrator.build, swarm.orchestrator.request, swarm.orchestrator.drone):
        with pytest.raises(KeyError):
            look("nobody")


def test_an_upload_needs_the_live_lease(pair: Swarm) -> None:
    pair.submit({APP: []})
    pair.tick()
    [(name, offer)] = pair.take().items()
    other = "izar" if name == "tau" else "tau"
    holds = pair.orchestrator.holds
    assert holds(name, offer.build, 1)
    assert not holds(other, offer.build, 1) and not holds(name, offer.build, 2) and not holds(name, "nobody", 1)
    pair.drones[name].finish()
    pair.tick()
    assert not holds(name, offer.build, 1), "it has all that it needs"


def test_a_page_of_builds(pair: Swarm) -> None:
    pair.submit(CHAIN)
    pair.work()
    page = pair.orchestrator.builds(BuildQuery(limit=2))
    assert page.total == 3 and len(page.builds) == 2
    rest: tuple[Build, ...] = pair.orchestrator.builds(BuildQuery(limit=2, after=page.next)).builds
    assert {str(build.package) for build in (*page.builds, *rest)} == set(CHAIN)

"""What of a list is built, what is there or on its way, and what cannot be; and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.package import Edge, Kind, Listed, Listing, Message, Problem
from reconciler.model.queue import Decision, Stored
from reconciler.model.swarm import Build
from reconciler.swarm.intake import Intake, take, trouble
from tests.support.orchestrated import PROFILE, listing, package

APP, LIB, ICU = "app-misc/app-1", "dev-libs/lib-2", "dev-libs/icu-74.1"


def taken(
    what: Listing, *, stored: tuple[Stored, ...] = (), live: tuple[Build, ...] = (), profile: str = PROFILE
) -> Intake:
    return take(what, stored, live, profile=profile, name=lambda n: f"r1-{n}", now=5.0, work=lambda cp: float(len(cp)))


def verdicts(intake: Intake) -> dict[str, tuple[str, str]]:
    return {decision.what: (decision.verdict, decision.reason) for decision in intake.decisions}


def has(cpv: str, slot: str = "0", **more: object) -> Stored:
    made = Stored(package(cpv, slot=slot, repository="gentoo"), f"{cpv}-1.gpkg.tar", 1)
    return replace(made, **more)  # type: ignore[arg-type]


def builds(cpv: str, **more: object) -> Build:
    made = package(cpv, slot="0", repository="gentoo")
    return replace(Build("r0-1", "package", made, PROFILE, "queued", 1.0, 1.0), **more)  # type: ignore[arg-type]


def test_what_nobody_has_is_built_after_what_it_needs() -> None:
    intake = taken(listing({APP: [LIB], LIB: []}))
    assert [(build.id, str(build.package), build.state) for build in intake.builds] == [
        ("r1-1", APP, "queued"),
        ("r1-2", LIB, "queued"),
    ]
    assert intake.edges == (("r1-2", "r1-1"),) and intake.wanted == ("r1-1", "r1-2")
    assert intake.decisions[0] == Decision(APP, "accepted", "the binhost does not have it", "r1-1")
    assert [build.work for build in intake.builds] == [len("app-misc/app"), len("dev-libs/lib")]


def test_the_flags_of_a_package_are_those_that_it_was_listed_with() -> None:
    what = Listing((Listed(package(APP, use=("nls", "-doc")), "ebuild"),))
    assert taken(what).builds[0].use == {f"={APP}": ("nls", "-doc")}


def test_what_the_binhost_has_is_not_built_again() -> None:
    intake = taken(listing({APP: [LIB], LIB: []}), stored=(has(LIB),))
    assert verdicts(intake)[LIB] == ("deduplicated", "in the binhost: dev-libs/lib-2-1.gpkg.tar")
    assert [str(build.package) for build in intake.builds] == [APP] and intake.edges == ()


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (has("dev-libs/lib-1"), "the binhost does not have it"),
        (has(LIB, slot="2"), "the binhost has it for slot 2, and not for 0"),
        (has(LIB, slot="0/3"), "the binhost has it for slot 0/3, and not for 0"),
        (has(LIB, package=package(LIB, repository="guru")), "the binhost has it from guru, and not from gentoo"),
        (
            has(LIB, package=package(LIB, slot="0", use=("nls", "doc"))),
            "the binhost has it without -doc",
        ),
        (has(LIB, bound=(("dev-libs/icu", "0", "73"),)), "the binhost has it built against dev-libs/icu:0/73"),
    ],
    ids=["version", "slot", "sub-slot", "repository", "use", "dependency"],
)
def test_what_the_binhost_has_in_another_way_is_built(there: Stored, why: str) -> None:
    entries = (
        Listed(package(LIB, slot="0", repository="gentoo", use=("nls", "-doc")), "ebuild"),
        Listed(package(ICU, slot="0/74", repository="gentoo"), "nomerge"),
        Listed(package(ICU, slot="0/74", repository="gentoo"), "binary"),
    )
    good = has(LIB, package=package(LIB, slot="0", use=("-doc", "nls", "-test")), bound=(("dev-libs/icu", "0", "74"),))
    assert verdicts(taken(Listing(entries, tree=True), stored=(good,)))[LIB][0] == "deduplicated"
    there = replace(there, package=replace(there.package, use=there.package.use or good.package.use))
    verdict, reason = verdicts(taken(Listing(entries, tree=True), stored=(there,)))[LIB]
    assert verdict == "accepted" and reason.startswith(why)


def test_of_several_in_the_binhost_one_that_fits_will_do() -> None:
    what = Listing((Listed(package(LIB, slot="0", use=("doc",)), "ebuild"),))
    bad, good = (
        replace(has(LIB, build_id=2, path="two"), package=package(LIB, use=("-doc",))),
        replace(has(LIB, path="one"), package=package(LIB, use=("doc",))),
    )
    assert verdicts(taken(what, stored=(bad, good)))[LIB] == ("deduplicated", "in the binhost: one")


def test_what_is_on_its_way_is_waited_for_and_not_built_twice() -> None:
    live = builds(LIB, state="building", drone="tau", attempt=1)
    intake = taken(listing({APP: [LIB], LIB: []}), live=(live,))
    assert verdicts(intake)[LIB] == ("deduplicated", "building already on tau")
    assert intake.wanted == ("r1-1", "r0-1") and intake.edges == (("r0-1", "r1-1"),)


@pytest.mark.parametrize(
    "other",
    [
        builds(LIB, profile="arm64"),
        builds("dev-libs/lib-1"),
        builds(LIB, package=package(LIB, use=("doc",))),
        builds(LIB, package=package(LIB, slot="3")),
        builds(LIB, kind="resolve", package=None),
    ],
    ids=["profile", "version", "use", "slot", "question"],
)
def test_what_is_on_its_way_in_another_way_is_no_help(other: Build) -> None:
    what = Listing((Listed(package(LIB, slot="0", use=("-doc",)), "ebuild"),))
    assert verdicts(taken(what, live=(other,)))[LIB][0] == "accepted"


def test_nothing_new_hangs_on_a_build_of_somebody_else_that_needs_more_than_it_knew() -> None:
    """Its own list said what it needs; it may be building by now."""
    intake = taken(listing({LIB: [ICU], ICU: []}), live=(builds(LIB),))
    assert intake.edges == () and [str(build.package) for build in intake.builds] == [ICU]


@pytest.mark.parametrize(
    ("flags", "why"),
    [("NF", "its sources have to be fetched by hand"), ("IN", "it asks questions while it is built")],
)
def test_what_wants_a_person_is_refused_with_all_that_needs_it(flags: str, why: str) -> None:
    top, other = "app-misc/top-1", "app-misc/other-1"
    what = listing({top: [APP, other], APP: [LIB], LIB: [], other: []})
    entries = tuple(replace(e, flags=flags) if e.package.cpv == LIB else e for e in what.entries)
    intake = taken(replace(what, entries=entries))
    assert verdicts(intake) == {
        top: ("refused", f"needs {LIB}, which is refused: {why}"),
        APP: ("refused", f"needs {LIB}, which is refused: {why}"),
        LIB: ("refused", why),
        other: ("accepted", "the binhost does not have it"),
    }
    assert intake.wanted == ("r1-1",)


def test_what_was_fetched_by_hand_already_and_is_there_is_no_trouble() -> None:
    what = Listing((Listed(package(LIB, slot="0"), "ebuild", "NF"),))
    assert verdicts(taken(what, stored=(has(LIB),)))[LIB][0] == "deduplicated"


def test_what_emerge_takes_as_a_binary_package_is_not_built() -> None:
    what = Listing((Listed(package(LIB), "binary", "N", build_id=3),))
    assert verdicts(taken(what))[LIB] == ("deduplicated", "emerge takes the binary package 3")


@pytest.mark.parametrize("kind", ["nomerge", "uninstall"])
def test_about_what_is_only_shown_or_taken_away_nothing_is_said(kind: Kind) -> None:
    assert taken(Listing((Listed(package(LIB), kind),), tree=True)) == Intake((), (), (), ())


def test_what_is_queued_waits_for_what_this_list_says_it_needs_and_what_is_built_does_not() -> None:
    """app and other are there already, from a list that told of no needs."""
    other = "app-misc/other-3"
    live = (
        builds(APP),
        replace(builds(other, state="building"), id="r0-2"),
        replace(builds("dev-libs/all-1"), id="r0-3"),
    )
    intake = taken(listing({APP: [LIB], other: [LIB], LIB: [ICU], ICU: []}), live=live)
    assert intake.edges == (("r1-2", "r1-1"),) and intake.late == (("r1-1", "r0-1"),)


def test_what_lies_between_two_builds_keeps_their_order() -> None:
    """app needs shown, which is installed; shown needs lib, which is to be updated."""
    shown, there = "dev-libs/shown-1", "dev-libs/there-1"
    entries = (
        Listed(package(APP), "ebuild"),
        Listed(package(shown), "nomerge"),
        Listed(package(there), "ebuild"),
        Listed(package(LIB), "ebuild"),
    )
    edges = (Edge(APP, shown), Edge(shown, there), Edge(there, LIB), Edge(shown, APP))
    intake = taken(Listing(entries, edges=edges, tree=True), stored=(has(there),))
    assert intake.edges == (("r1-2", "r1-1"),)


def test_a_circle_is_a_circle_of_builds() -> None:
    intake = taken(listing({APP: [LIB], LIB: [APP]}))
    assert sorted(intake.edges) == [("r1-1", "r1-2"), ("r1-2", "r1-1")]
    why = "the binhost does not have it; built in one go with {}, as they need each other"
    assert verdicts(intake) == {APP: ("accepted", why.format(LIB)), LIB: ("accepted", why.format(APP))}


def test_a_package_that_a_tree_shows_several_times_is_one() -> None:
    entries = tuple(Listed(package(LIB), kind) for kind in ("nomerge", "ebuild", "ebuild", "binary"))
    intake = taken(Listing(entries, tree=True))
    assert len(intake.builds) == len(intake.decisions) == 1


def test_lines_that_nobody_understands_are_refused_by_line() -> None:
    what = replace(listing({APP: []}), problems=(Problem(7, "[ebuild garbage", "it has no end"),))
    decision = taken(what).decisions[0]
    assert decision == Decision("[ebuild garbage", "refused", "it has no end", line=7)


def test_what_emerge_itself_cannot_is_refused_and_its_notes_are_not() -> None:
    told = (Message("masked", "app-misc/foo is masked", 3), Message("skipped", "an update", 4))
    assert trouble(told) == (Decision("masked", "refused", "app-misc/foo is masked", line=3),)


def test_an_empty_list_asks_for_nothing() -> None:
    assert taken(Listing()) == Intake((), (), (), ())

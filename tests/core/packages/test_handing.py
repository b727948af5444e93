"""Handing over: one name for one wish, and what became of a lack under the request that is to mend it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.compare import compared
from reconciler.core.packages.handing import TRIES, by_hand, covering, stood, submission
from reconciler.core.packages.version import split_cpv
from reconciler.core.packages.wording import handed_line, package_counts, package_data, package_lines, package_note
from reconciler.model.package import Package
from reconciler.model.queue import Answer, Decision, RequestView
from reconciler.model.sets import Lack, PackageDrift, PackageSet, SetDrift, Submission
from reconciler.model.swarm import Build, BuildState, Request, RequestState

ATOMS = ("app-misc/foo", ">=dev-libs/bar-2[ssl,-doc(-)]")
USE = {"app-misc/foo": ("x", "-y")}


def wants(*atoms: str, use: dict[str, tuple[str, ...]] | None = None, profile: str = "p") -> PackageSet:
    return PackageSet("desk", profile, tuple(map(read_atom, atoms or ATOMS)), USE if use is None else use)


def lacking(found: PackageSet) -> tuple[Lack, ...]:
    (drift,) = compared([found], [])
    return drift.lacks


def asked(found: PackageSet, *requests: Request) -> Submission:
    made = submission(found, lacking(found), requests, "ana")
    assert made is not None
    return made


def request(found: PackageSet, id: str = "r1", state: RequestState = "building", **more: object) -> Request:
    made = asked(found)
    ended = None if state in ("resolving", "building") else 9.0
    known = Request(id, made.key, "set:desk", "ana", found.profile, 1.0, atoms=made.atoms, state=state, ended=ended)
    return replace(known, **more)  # type: ignore[arg-type]


def build(cpv: str, state: BuildState, reason: str = "", slot: str = "", **more: object) -> Build:
    parts = split_cpv(cpv)
    assert parts is not None
    made = Build("b1", "package", Package(*parts, slot=slot), "p", state, 1.0, 1.0, reason=reason)
    return replace(made, **more)  # type: ignore[arg-type]


def judged(found: PackageSet, view: RequestView, paths: tuple[str, ...] = (), tries: int = 1) -> Lack:
    """The first lack of the set, under that request."""
    (drift,) = compared([found], [])
    requests = [
        view.request,
        *[replace(view.request, id=f"old{n}", key=f"{view.request.key}.{n}") for n in range(1, tries)],
    ]
    return stood(found, drift, requests, {view.request.id: view}, paths).lacks[0]


# ---- the name of a wish


def test_what_is_handed_over_is_what_lacks_with_every_flag_that_was_asked_for() -> None:
    made = asked(wants())

    assert (made.set, made.profile, made.actor) == ("desk", "p", "ana")
    assert made.atoms == (">=dev-libs/bar-2[ssl,-doc(-)]", "app-misc/foo")
    assert made.use == {"app-misc/foo": ("-y", "x"), ">=dev-libs/bar-2": ("-doc", "ssl")}


def test_the_same_wish_has_the_same_name_whoever_wrote_it_down_how() -> None:
    one, other = wants(*ATOMS), wants(*reversed(ATOMS), use={"app-misc/foo": ("-y", "x")})

    assert asked(one) == asked(other)
    assert len(asked(one).key) <= 200 and asked(one).key.isascii()


@pytest.mark.parametrize(
    "other",
    [wants("app-misc/foo"), wants(use={}), wants(profile="q"), wants(use={"app-misc/foo": ("-x", "-y")})],
)
def test_another_wish_has_another_name(other: PackageSet) -> None:
    assert asked(other).key != asked(wants()).key


def test_another_part_of_it_has_another_name() -> None:
    found = wants()
    some = submission(found, lacking(found)[:1], (), "ana")

    assert some is not None
    assert some.key != asked(found).key
    assert some.key.rpartition(":")[0] == asked(found).key.rpartition(":")[0]


def test_a_name_that_was_used_up_gets_a_number_and_not_for_ever() -> None:
    found = wants()
    first = request(found, "r1", "complete")
    names = [asked(found).key, asked(found, first).key]
    second = replace(first, id="r2", key=names[1])
    names.append(asked(found, second, first).key)

    assert names == [first.key, f"{first.key}.2", f"{first.key}.3"]
    third = replace(first, id="r3", key=names[2])
    assert TRIES == 3
    assert submission(found, lacking(found), (third, second, first), "ana") is None


def test_a_person_may_always_ask_for_all_of_it() -> None:
    found = wants()

    made = by_hand(found, "salt", "ana")

    assert made.atoms == asked(found).atoms
    assert made.key != asked(found).key
    assert by_hand(found, "pepper", "ana").key != made.key
    said = request(found, "r9", "building", key=made.key)
    assert covering(found, lacking(found), [said]).keys() == {each.atom for each in lacking(found)}


# ---- which request counts


def test_the_latest_request_of_the_set_as_it_is_counts() -> None:
    found = wants()
    lacks = lacking(found)
    old, new = request(found, "old", "complete"), request(found, "new", "complete")

    assert {each.id for each in covering(found, lacks, [new, old]).values()} == {"new"}
    assert covering(found, lacks, [replace(new, origin="set:other")]) == {}
    assert covering(found, lacks, [replace(new, profile="q")]) == {}
    assert covering(found, lacks, [replace(new, atoms=("app-misc/other",))]) == {}
    assert set(covering(found, lacks, [replace(new, atoms=("app-misc/foo", "not an atom !"))])) == {lacks[0].atom}


def test_what_ended_before_the_set_was_changed_says_nothing_and_what_still_goes_on_does() -> None:
    before, found = wants(use={}), wants()

    assert covering(found, lacking(found), [request(before, "r1", "complete")]) == {}
    assert covering(found, lacking(found), [request(before, "r1", "building")]) != {}


# ---- how it stands

FOO = wants("app-misc/foo", use={})
REFUSED = Decision("app-misc/foo-2", "refused", "its sources have to be fetched by hand")


@pytest.mark.parametrize(
    ("state", "builds", "decisions", "standing", "says"),
    [
        ("resolving", (), (), "building", "a drone is asked"),
        ("building", (build("app-misc/foo-2", "queued"),), (), "building", "queued"),
        ("building", (build("app-misc/foo-2", "building", drone="tau"),), (), "building", "building on tau"),
        ("building", (build("app-misc/foo-2", "uploaded"),), (), "building", "uploaded"),
        ("building", (build("dev-libs/dep-1", "queued"),), (), "building", "the rest of its request"),
        ("building", (build("app-misc/foo-2", "failed", "exit 1"),), (), "failed", "app-misc/foo-2 failed: exit 1"),
        ("building", (build("dev-libs/dep-1", "queued"),), (REFUSED,), "failed", "fetched by hand"),
        ("complete", (build("app-misc/foo-2", "held", "needs dep"),), (), "failed", "held: needs dep"),
        ("complete", (build("app-misc/foo-2", "cancelled", "by ana"),), (), "failed", "cancelled: by ana"),
        ("complete", (), (REFUSED,), "failed", "refused: its sources"),
        ("refused", (), (Decision("masked", "refused", "app-misc/foo is masked"),), "failed", "app-misc/foo is masked"),
        ("refused", (), (), "failed", "nothing of it can be built"),
        ("cancelled", (), (), "failed", "cancelled"),
        ("complete", (), (), "open", "lacks it still"),
        (
            "complete",
            (),
            (Decision("app-misc/foo-2", "deduplicated", "in the binhost: x"),),
            "open",
            "lacks it still (in the binhost: x)",
        ),
    ],
)
def test_how_a_lack_stands(
    state: RequestState, builds: tuple[Build, ...], decisions: tuple[Decision, ...], standing: str, says: str
) -> None:
    made = judged(FOO, RequestView(request(FOO, state=state), builds, decisions))

    assert (made.standing, made.request) == (standing, "r1")
    assert says in made.why
    assert made.state == ("missing" if standing == "open" else standing)


def test_what_was_built_and_is_not_what_is_wanted_is_not_built_again() -> None:
    built = build("app-misc/foo-2", "succeeded", stored="foo-2-1.gpkg.tar")

    made = judged(FOO, RequestView(request(FOO, state="complete"), (built,)), ("foo-2-1.gpkg.tar",))

    assert (made.standing, made.why) == ("failed", "built as app-misc/foo-2, which is not what is wanted")


def test_what_was_built_and_is_gone_is_asked_for_again_a_few_times() -> None:
    view = RequestView(request(FOO, state="complete"), (build("app-misc/foo-2", "succeeded", stored="gone"),))

    assert (judged(FOO, view).standing, judged(FOO, view, tries=2).standing) == ("open", "open")
    last = judged(FOO, view, tries=TRIES)
    assert (last.standing, last.why) == (
        "failed", "app-misc/foo-2 was built, and is gone from the binhost; it was handed over 3 times"
    )  # fmt: skip


def test_a_build_of_another_slot_or_version_is_not_the_one_that_is_waited_for() -> None:
    found = wants("app-misc/foo:2", use={})
    builds = (build("app-misc/foo-1", "failed", "no", slot="1"), build("app-misc/foo-2", "queued", slot="2/5"))
    assert judged(found, RequestView(request(found), builds)).standing == "building"

    found = wants(">=app-misc/foo-2", use={})
    builds = (build("app-misc/foo-1", "failed", "no"), build("app-misc/foo-2", "queued"))
    assert judged(found, RequestView(request(found), builds)).standing == "building"


# ---- in words


def test_the_words_are_one_line_for_each_lack_and_one_for_all() -> None:
    found = wants("app-misc/foo", "app-misc/more", use={})
    (drift,) = compared([found], [])
    half = replace(request(found), atoms=("app-misc/foo",))
    drift = stood(found, drift, [half], {"r1": RequestView(half, (build("app-misc/foo-2", "queued"),))}, ())
    whole = PackageDrift((drift, SetDrift("other", "p", 3)))

    assert list(package_lines(whole)) == [
        "  > package app-misc/foo  building: queued (the binhost does not have it; request r1)  (desk)",
        "  + package app-misc/more  missing: the binhost does not have it  (desk)",
    ]
    assert list(package_lines(whole, most=1))[1] == "    and 1 more of desk"
    assert package_counts(whole) == "Packages: 1 missing, 1 building, 3 as wanted."
    assert package_note(whole, 0) == "packages: 1 building"
    assert package_note(whole, 1) == "packages: 1 handed over"
    assert (whole.in_sync, whole.waits) == (False, True)
    assert package_data(whole)["sets"][0]["lacks"][0] == {
        "atom": "app-misc/foo",
        "state": "building",
        "lack": "missing",
        "reason": "the binhost does not have it",
        "found": "",
        "why": "queued",
        "request": "r1",
    }
    assert handed_line(drift, Answer(half, repeated=True)) == (
        "desk: 1 handed over as request r1, which was there already:"
        " app-misc/more (missing: the binhost does not have it)"
    )


def test_what_is_not_known_is_said_and_is_not_in_sync() -> None:
    away = PackageDrift((SetDrift("desk", "p", 1),), unknown="nobody answers", advice="start it")

    assert not away.in_sync
    assert list(package_lines(away)) == ["  ! packages: not all is known: nobody answers (next: start it)"]
    assert package_counts(away) == "Packages: 1 as wanted, the rest is not known."
    assert package_counts(PackageDrift(unknown="x")) == "Packages: not known."
    assert package_note(away, 0) == "packages: not all is known"
    unasked = PackageDrift(unasked="write it down")
    assert (unasked.in_sync, list(package_lines(unasked))) == (True, ["  ! packages: write it down"])

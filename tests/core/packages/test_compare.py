"""A set beside an index: missing, outdated and why, superseded and by what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.compare import compared, profiles_of
from reconciler.core.packages.version import split_cpv
from reconciler.model.package import Package
from reconciler.model.queue import Stored
from reconciler.model.sets import Lack, Packages, PackageSet, SetDrift


def wants(*atoms: str, name: str = "desk", profile: str = "p", **use: str) -> PackageSet:
    """`use`: by the atom, with `__` for its slash."""
    lines = {atom.replace("__", "/"): tuple(flags.split()) for atom, flags in use.items()}
    return PackageSet(name, profile, tuple(map(read_atom, atoms)), lines)


def has(cpv: str, use: str = "", slot: str = "0", build: int = 1, repository: str = "gentoo") -> Stored:
    parts = split_cpv(cpv)
    assert parts is not None, cpv
    package = Package(*parts, slot=slot, repository=repository, use=tuple(use.split()))
    return Stored(package, f"{cpv}-{build}.gpkg.tar", build)


def drift(found: PackageSet, *stored: Stored) -> SetDrift:
    (made,) = compared([found], stored)
    return made


def lack(found: PackageSet, *stored: Stored) -> Lack | None:
    lacks = drift(found, *stored).lacks
    assert len(lacks) <= 1
    return lacks[0] if lacks else None


@pytest.mark.parametrize(
    ("atom", "stored"),
    [
        ("a/b", [has("a/b-1")]),
        ("=a/b-2.39*", [has("a/b-2.39-r4"), has("a/b-2.40")]),
        (">=a/b-2", [has("a/b-10")]),
        ("~a/b-1.2", [has("a/b-1.2-r7")]),
        ("a/b-1", [has("a/b-1")]),
        ("a/b:3", [has("a/b-1", slot="3/5"), has("a/b-2", slot="2")]),
        ("a/b::mine", [has("a/b-1", repository="mine")]),
        ("a/b[x,-y]", [has("a/b-1", "x -y")]),
        ("a/b[x(+)]", [has("a/b-1")]),
        ("a/b[x]", [has("a/b-1", "-x", build=1), has("a/b-1", "x", build=2)]),
        ("a/b[x]", [has("a/b-1", "x", build=1), has("a/b-1", "-x", build=2)]),
    ],
)
def test_what_the_binhost_has_as_it_is_wanted_lacks_nothing(atom: str, stored: list[Stored]) -> None:
    made = drift(wants(atom), *stored, has("z/other-1"))

    assert (made.lacks, made.present) == ((), 1)


@pytest.mark.parametrize(
    ("atom", "stored", "kind", "reason", "found"),
    [
        ("a/b", [], "missing", "the binhost does not have it", ""),
        ("a/b", [has("a/c-1")], "missing", "the binhost does not have it", ""),
        ("a/b:3", [has("a/b-1", slot="2")], "missing", "the binhost does not have it in slot 3", ""),
        ("a/b::mine", [has("a/b-1")], "missing", "the binhost does not have it", ""),
        (
            "=a/b-2.39*",
            [has("a/b-2.38-r1"), has("a/b-2.9")],
            "outdated",
            "the binhost has 2.38-r1, 2.9, which is not wanted any more",
            "a/b-2.38-r1",
        ),
        ("<a/b-2", [has("a/b-2")], "outdated", "the binhost has 2, which is not wanted any more", "a/b-2"),
        ("a/b[x]", [has("a/b-1", "-x y")], "outdated", "the binhost has 1 with -x; +x is wanted", "a/b-1"),
        ("a/b[-y,x]", [has("a/b-1", "-x y")], "outdated", "the binhost has 1 with +y -x; -y +x is wanted", "a/b-1"),
        ("a/b[x]", [has("a/b-1")], "outdated", "the binhost has 1 with no x; +x is wanted", "a/b-1"),
        (
            "a/b[x]",  # the newest version is what a client takes: an older one with the right flags serves nobody
            [has("a/b-1", "x"), has("a/b-2", "-x")],
            "outdated",
            "the binhost has 2 with -x; +x is wanted",
            "a/b-2",
        ),
    ],
)
def test_a_lack_has_its_reason(atom: str, stored: list[Stored], kind: str, reason: str, found: str) -> None:
    made = lack(wants(atom), *stored)

    assert made is not None
    assert (made.kind, made.reason, made.found, str(made.atom)) == (kind, reason, found, str(read_atom(atom)))
    assert (made.state, made.standing) == (kind, "open")


# ---- lines of use


def test_lines_of_use_count_for_the_atoms_of_the_set_and_its_versions() -> None:
    assert lack(wants("a/b", a__b="x -y"), has("a/b-1", "x -y z")) is None
    assert lack(wants("a/b", a__b="x"), has("a/b-1", "-x")) is not None
    by_version = PackageSet("desk", "p", (read_atom("a/b"),), {"=a/b-1": ("x",)})
    assert lack(by_version, has("a/b-1", "-x")) is not None
    assert lack(by_version, has("a/b-2", "-x")) is None


def test_a_flag_that_a_package_does_not_have_cannot_be_asked_of_it() -> None:
    assert lack(wants("a/b", a__b="x -y"), has("a/b-1", "z")) is None


def test_a_dependency_with_other_flags_is_outdated_and_one_that_is_not_there_may_not_be_needed() -> None:
    found = wants("a/b", media__ffmpeg="vaapi")

    made = lack(found, has("a/b-1"), has("media/ffmpeg-6", "-vaapi"))

    assert made is not None
    assert (str(made.atom), made.kind, made.reason) == (
        "media/ffmpeg", "outdated", "the binhost has 6 with -vaapi; +vaapi is wanted"
    )  # fmt: skip
    assert drift(found, has("a/b-1")) == SetDrift("desk", "p", 1)
    assert drift(found, has("a/b-1"), has("media/ffmpeg-6", "vaapi")).present == 1, "it counts atoms of the set"


# ---- superseded


def test_what_something_better_took_the_place_of_is_superseded() -> None:
    made = drift(
        wants("a/b", "c/d"),
        has("a/b-1"),
        has("a/b-2", build=1),
        has("a/b-2", build=2),
        has("a/b-1.5", slot="1"),
        has("c/d-1"),
        has("x/y-1"),
    )

    assert [(old.path, old.by) for old in made.superseded] == [
        ("a/b-1-1.gpkg.tar", "a/b-2"),
        ("a/b-2-1.gpkg.tar", "a/b-2"),
    ]


def test_nothing_is_superseded_by_what_lacks_or_where_another_set_wants_it() -> None:
    old, new = has("a/b-1"), has("a/b-2")
    assert drift(wants("=a/b-3*"), old, new).superseded == ()

    first, second = compared([wants("a/b"), wants("=a/b-1*", name="old")], [old, new])

    assert (first.superseded, second.superseded) == ((), ())
    assert (first.lacks, second.lacks) == ((), ())


def test_a_newer_one_than_is_wanted_is_left_alone() -> None:
    assert drift(wants("=a/b-1*"), has("a/b-1"), has("a/b-2")).superseded == ()


# ---- many


def test_each_profile_is_compared_once_with_its_sets() -> None:
    one, two, three = wants("a/b", name="one"), wants("a/b", name="two", profile="q"), wants("a/c", name="three")

    assert list(profiles_of(Packages((one, two, three)))) == [("p", (one, three)), ("q", (two,))]


VERSIONS = st.sampled_from(["1", "1.2", "1.2-r1", "2_rc1", "2", "10"])
USES = st.sampled_from(["", "x", "-x", "x y"])
STORED = st.lists(
    st.builds(has, st.builds("a/b-{}".format, VERSIONS), USES, st.just("0"), st.integers(1, 3)),
    max_size=6,
    unique_by=lambda each: each.path,
)
ATOMS = st.one_of(
    st.builds("{}a/b-{}".format, st.sampled_from(["=", ">=", "<=", "~", "<", ">"]), VERSIONS),
    st.sampled_from(["a/b", "a/b[x]", "a/b[-x]", "a/b[x,y]", "=a/b-1*"]),
)


@given(ATOMS, STORED)
def test_a_set_is_served_or_says_why_and_building_what_lacks_mends_it(atom: str, stored: list[Stored]) -> None:
    found = wants(atom)

    before = drift(found, *stored)

    assert (before.present, len(before.lacks)) in ((1, 0), (0, 1))
    assert all(each.reason for each in before.lacks)
    assert drift(found, *reversed(stored)) == before, "an index has no order"
    wish = read_atom(atom)
    newest = has("a/b-10", " ".join(wish.use) or "x", build=9)
    if before.lacks and not wish.operator:
        after = drift(found, *stored, newest)
        assert after.lacks == ()
    assert not {old.path for old in before.superseded} & {each.path for each in stored if before.lacks}

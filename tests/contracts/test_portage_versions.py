"""Versions, names and atoms are what the real Portage takes them for.

Each example is a handful of texts: drawing one costs more than asking Portage about a hundred pairs.
"""

from __future__ import annotations

from functools import cmp_to_key
from itertools import combinations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from portage.dep import Atom as PortageAtom
from portage.exception import InvalidAtom
from portage.versions import catpkgsplit, vercmp

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.version import compare, split_cpv, version_key
from reconciler.model.package import Atom

NUMBERS = "0 1 2 9 10 00 01 09 010 0100 100 20240101 18446744073709551616"
SUFFIXES = "_alpha _beta _pre _rc _p _alpha0 _beta1 _pre2 _rc01 _rc1 _p1 _p20240101"
WORDS = "a foo 9base gtk+ - _ + . -1 -1.0 -1a -r1 _p -x 1 r /"
BEFORE = "= ~ < <= > >= ! !!"
BEHIND = "* :0 :0/2 := :* :0= : ::gentoo :: -r1 _rc1 [ssl] [-ssl] [a,-b] [a(+)] [a(-),b] [a?] [!a?] [a=] [] ]"

numbers = st.sampled_from(NUMBERS.split())
versions = st.builds(
    "{}{}{}{}".format,
    st.lists(numbers, min_size=1, max_size=4).map(".".join),
    st.sampled_from(["", "", "a", "b", "z"]),
    st.lists(st.sampled_from(SUFFIXES.split()), max_size=2).map("".join),
    st.just("") | numbers.map("-r{}".format),
)
"""Few numbers, so that two of them differ late and often not at all."""

names = st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=5).map("".join)
packages = st.builds("{}/{}{}".format, names, names, st.just("") | versions.map("-{}".format))
atoms = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", *BEFORE.split()]),
    packages | st.sampled_from(["app-misc/foo", "a/b-1", "x11-libs/gtk+-2.0_rc1-r3"]),
    st.lists(st.sampled_from(BEHIND.split()), max_size=3).map("".join),
)

REFUSED_ON_PURPOSE = ("a blocker", "only an ebuild can say that", "in two ways", "no build id can be asked for")
"""What Portage reads and we do not."""


@settings(max_examples=100)
@given(st.lists(versions, min_size=8, max_size=25))
@example(["1.1", "1.01", "1.0", "1.0-r0", "12.2.5", "12.2b"])
def test_versions_are_compared_and_sorted_as_portage_does(several: list[str]) -> None:
    for one, other in combinations(several, 2):
        theirs = vercmp(one, other)
        assert theirs is not None
        assert compare(one, other) == (theirs > 0) - (theirs < 0), (one, other)

    sorted_by_portage = sorted(several, key=cmp_to_key(vercmp))
    assert sorted(map(version_key, several)) == list(map(version_key, sorted_by_portage))


@settings(max_examples=100)
@given(st.lists(packages, min_size=5, max_size=25))
@example(["app-misc/foo-1.1-1", "sys-libs/foo-1-r2-3", "x11-libs/gtk+-2.0"])
def test_names_end_where_portage_says(texts: list[str]) -> None:
    for text in texts:
        ours, theirs = split_cpv(text), catpkgsplit(text)
        if theirs is None:
            assert ours is None, text
        else:
            category, name, version, revision = theirs
            assert ours in ((category, name, version), (category, name, f"{version}-{revision}"))


@settings(max_examples=150)
@given(st.lists(atoms, min_size=5, max_size=25))
@example(["=app-misc/foo-1.1*:0/2::gentoo[a,-b]", "app-misc/foo[a,-a]", "=app-misc/foo-1-2"])
def test_what_is_read_as_an_atom_is_the_same_one_for_portage(texts: list[str]) -> None:
    for text in texts:
        ours, why_not = atom_or_reason(text)
        if ours is None:
            assert portage_atom(text) is None or any(reason in why_not for reason in REFUSED_ON_PURPOSE), (
                text,
                why_not,
            )
        else:
            check_that_portage_agrees(ours, text)


def check_that_portage_agrees(ours: Atom, text: str) -> None:
    theirs = portage_atom(text) or portage_atom(
        f"={text}"
    )  # a version alone is no atom for Portage, and is exact for us
    assert theirs is not None, text
    assert (ours.cp, ours.operator) == (theirs.cp, theirs.operator or "")
    assert ours.version == (theirs.version or "").removesuffix("*")
    assert ours.slot == "/".join(part for part in (theirs.slot, theirs.sub_slot) if part)
    assert (ours.slot_operator, ours.repository) == (theirs.slot_operator or "", theirs.repo or "")
    assert set(ours.use) == set(theirs.use.tokens if theirs.use else ())
    assert portage_atom(str(ours)) == theirs


def atom_or_reason(text: str) -> tuple[Atom | None, str]:
    try:
        return read_atom(text), ""
    except ValueError as error:
        return None, str(error)


def portage_atom(text: str) -> PortageAtom | None:
    try:
        return PortageAtom(text, allow_repo=True)
    except InvalidAtom:
        return None

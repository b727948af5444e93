"""Which of two versions is newer, and where a name ends."""

from __future__ import annotations

import itertools

import pytest

from reconciler.core.packages.version import compare, split_cpv, version_key

ASCENDING = """
0 0_p 0.0 0.01 0.1 0.9 0.10
1_alpha 1_alpha1 1_alpha1_p 1_alpha2 1_beta 1_pre 1_rc 1_rc1_beta 1_rc1 1_rc1_p2 1_rc2
1 1-r1 1-r2 1-r10 1_p 1_p-r1 1_p1 1_p1_p 1_p20240101 1a 1a_p1 1b
1.0 1.0-r1 1.0a 1.0.0 1.01 1.02 1.1_rc1 1.1 1.1.1 1.2 1.9 1.10 1.100
2 10 20240101 99999999999999999999
"""


def test_versions_are_in_the_order_of_the_standard() -> None:
    for older, newer in itertools.combinations(ASCENDING.split(), 2):
        assert (compare(older, newer), compare(newer, older)) == (-1, 1), (older, newer)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1.0-r0"),
        ("1-r1", "1-r01"),
        ("01", "1"),
        ("1_p", "1_p0"),
        ("1_alpha01", "1_alpha1"),
        ("1.010", "1.01"),  # behind a zero, zeros at the end do not count
        ("1.0", "1.00"),
    ],
)
def test_versions_that_are_written_differently_may_be_equal(one: str, other: str) -> None:
    assert compare(one, other) == 0
    assert version_key(one) == version_key(other)


def test_numbers_may_be_longer_than_any_integer_is_read() -> None:
    assert compare("1." + "9" * 5000, "1." + "9" * 4999 + "8") == 1


@pytest.mark.parametrize(
    "text", ["", "a", "1.", ".1", "1..2", "1A", "1aa", "1-", "1-r", "1-rc1", "1_q1", "1_p1a", "1.0 ", "1\n", "١"]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        version_key(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("app-misc/foo-1.1-r2", ("app-misc", "foo", "1.1-r2")),
        ("x11-libs/gtk+-2.0", ("x11-libs", "gtk+", "2.0")),
        ("sys-apps/9base-1", ("sys-apps", "9base", "1")),
        ("a/b-c-1", ("a", "b-c", "1")),
        ("a/b-1xy-2", ("a", "b-1xy", "2")),
        ("a/b-r1-2", ("a", "b-r1", "2")),
        ("app-misc/foo", None),
        ("foo-1", None),
        ("app-misc/foo-r1", None),
        ("app-misc/foo-1-2", None),
        ("app-misc/foo-1-r1-2", None),
        ("app-misc/-1", None),
        ("/foo-1", None),
        ("a/b/c-1", None),
        ("app-misc/foo-1; rm -rf /", None),
        ("app-misc/foo-1\n", None),
    ],
)
def test_a_name_ends_where_its_version_begins(text: str, parts: tuple[str, str, str] | None) -> None:
    assert split_cpv(text) == parts

"""The text of `Packages` and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.package import Package
from reconciler.swarm.binhost.index import (
    Index,
    acceptable,
    bound_to,
    joined_header,
    package_of,
    read_index,
    stored,
    whole,
    write_index,
)

TEXT = """\
ARCH: amd64
CHOST: x86_64-pc-linux-gnu
IUSE_IMPLICIT: prefix
PACKAGES: 2
TIMESTAMP: 1796032652
VERSION: 0
REPO: gentoo

BUILD_ID: 1
BUILD_TIME: 1796032650
CPV: dev-libs/liba-1.1
DESC: A library
EAPI: 8
IUSE: debug +nls static-libs
PATH: dev-libs/liba/liba-1.1-1.gpkg.tar
SIZE: 10240
SLOT: 0/1
USE: elibc_glibc nls
MTIME: 1796032651

BUILD_ID: 2
CPV: dev-libs/libb-1.1-r1
NOVELTY: a field of a Portage to come
RDEPEND: dev-libs/liba:0/1= >=dev-libs/libc-2.0:3/3.5=[ssl] || ( a/b:0= c/d ) !x/y:0/0= dev-libs/libd:2
SIZE: 20480
MTIME: 1796032784
REPO: overlay

"""


def test_what_was_read_is_written_as_it_was() -> None:
    assert write_index(read_index(TEXT), 1796032652) == TEXT


def test_a_package_tells_all_of_its_flags_and_its_slot() -> None:
    liba, libb = read_index(TEXT).entries

    assert package_of(liba) == Package("dev-libs", "liba", "1.1", "0/1", "", ("-debug", "nls", "-static-libs"))
    assert package_of(libb) == Package("dev-libs", "libb", "1.1-r1", "0", "overlay")


def test_a_package_for_another_index_takes_along_what_it_had_from_its_header() -> None:
    liba, libb = whole(read_index(TEXT))

    assert (liba["CHOST"], liba["REPO"]) == ("x86_64-pc-linux-gnu", "gentoo")
    assert (libb["CHOST"], libb["REPO"]) == ("x86_64-pc-linux-gnu", "overlay")


def test_what_a_package_was_built_against_is_told_by_sub_slot() -> None:
    assert bound_to(read_index(TEXT).entries[1]) == (("dev-libs/liba", "0", "1"), ("dev-libs/libc", "3", "3.5"))


def test_an_orchestrator_gets_sizes_times_and_paths() -> None:
    liba, libb = stored(whole(read_index(TEXT)))

    assert (liba.build_id, liba.size, liba.built) == (1, 10240, 1796032650.0)
    assert (libb.path, libb.built) == ("dev-libs/libb-1.1-r1.tbz2", 0.0)
    assert liba.package.repository == "gentoo"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no header"),
        ("CPV: a/b-1\n\n", "no header"),
        (TEXT.replace("VERSION: 0", "VERSION: 1"), "another version"),
        (TEXT.replace("PACKAGES: 2", "PACKAGES: 3"), "says that it lists 3, and lists 2"),
        (TEXT.replace("PACKAGES: 2\n", ""), "says that it lists nothing"),
        (TEXT[: TEXT.index("BUILD_ID: 2")], "lists 1"),
        (TEXT[:-1], "lost its end"),
    ],
)
def test_an_index_that_is_torn_or_of_another_kind_is_none(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_index(text)


@pytest.mark.parametrize("end", range(0, len(TEXT), 7))
def test_an_index_that_lost_its_end_is_never_taken_for_whole(end: int) -> None:
    with pytest.raises(ValueError):
        read_index(TEXT[:end])


def test_the_header_has_the_flags_of_every_drone_and_nothing_that_leads_astray() -> None:
    mine = {"IUSE_IMPLICIT": "prefix", "CHOST": "x86_64-pc-linux-gnu", "TIMESTAMP": "5", "PACKAGES": "9"}
    theirs = {
        "IUSE_IMPLICIT": "abi prefix",
        "USE_EXPAND_VALUES_ELIBC": "glibc",
        "CHOST": "x86_64-gentoo-linux-musl",
        "TIMESTAMP": "7",
        "PACKAGES": "1",
        "URI": "http://elsewhere.example",
        "TTL": "100000",
    }

    assert joined_header(mine, [theirs]) == {
        "IUSE_IMPLICIT": "abi prefix",
        "USE_EXPAND_VALUES_ELIBC": "glibc",
        "CHOST": "x86_64-gentoo-linux-musl",
        "TIMESTAMP": "5",
        "PACKAGES": "9",
    }


def test_a_package_may_not_bring_a_command_or_another_address() -> None:
    entry = {"CPV": "a/b-1", "FETCHCOMMAND": "rm -rf /", "BASE_URI": "http://elsewhere.example", "USE": "x", "SLOT": ""}

    assert acceptable(entry) == {"CPV": "a/b-1", "USE": "x"}


@pytest.mark.parametrize(
    "entry",
    [
        {"CPV": "a/b-1", "USE": "x\n\nCPV: evil/evil-1"},
        {"CPV": "a/b-1", "USE: y\nB": "x"},
        {"CPV": "a/b"},
        {"CPV": "../b-1"},
        {"USE": "x"},
        {"CPV": "a/b-1", "DESC": "x\u2028y"},
    ],
)
def test_lines_that_would_become_other_lines_are_refused(entry: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        acceptable(entry)


KEYS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=8).filter(
    lambda key: key not in ("CPV", "BUILD_ID", "PATH")
)
VALUES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
ENTRIES = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=5)


@given(ENTRIES)
def test_every_field_survives_writing_and_reading(entries: list[dict[str, str]]) -> None:
    given = tuple({**entry, "CPV": f"a/b-{number}"} for number, entry in enumerate(entries))

    again = read_index(write_index(Index({"ARCH": "amd64"}, given), 7))

    assert again.entries == given
    assert again.timestamp == 7

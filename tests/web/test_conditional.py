"""Conditions and ranges: every form that RFC 9110 has, and what is none of them."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.web.conditional import Piece, etag_of, is_unchanged, last_modified, piece_of

WHEN = 1_700_000_000
NS = WHEN * 1_000_000_000 + 123_456_789
ETAG = etag_of(10, NS)


def date(seconds: float) -> str:
    return email.utils.formatdate(seconds, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": ETAG}, True),
        ({"if-none-match": f"W/{ETAG}"}, True),
        ({"if-none-match": f'"other", {ETAG}'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"other"'}, False),
        ({"if-modified-since": date(WHEN)}, True),
        ({"if-modified-since": date(WHEN + 1)}, True),
        ({"if-modified-since": date(WHEN - 1)}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": ""}, False),
        ({"if-modified-since": "Sun, 06 Nov 99999 08:49:37 GMT"}, False),
        ({"if-none-match": '"other"', "if-modified-since": date(WHEN)}, False),
    ],
)
def test_a_client_that_has_it_already_is_told_so(headers: dict[str, str], unchanged: bool) -> None:
    assert is_unchanged(headers, ETAG, NS) is unchanged


def test_times_are_whole_seconds() -> None:
    assert last_modified(NS) == date(WHEN)
    assert is_unchanged({"if-modified-since": last_modified(NS)}, ETAG, NS)


@pytest.mark.parametrize(
    ("asked", "piece"),
    [
        ("bytes=0-4", Piece(0, 5, True)),
        ("bytes=3-", Piece(3, 7, True)),
        ("bytes=-4", Piece(6, 4, True)),
        ("bytes=-40", Piece(0, 10, True)),
        ("bytes=9-99", Piece(9, 1, True)),
        ("bytes=10-", None),
        ("bytes=10-12", None),
        ("bytes=-0", None),
        ("bytes=4-3", Piece(0, 10)),
        ("bytes=0-1,4-5", Piece(0, 10)),
        ("bytes=-", Piece(0, 10)),
        ("bytes=a-b", Piece(0, 10)),
        ("items=0-4", Piece(0, 10)),
        (f"bytes={'9' * 5000}-", Piece(0, 10)),
        ("bytes=٣-", Piece(0, 10)),  # digits, but not those of HTTP
    ],
)
def test_a_range_is_served_refused_or_passed_over(asked: str, piece: Piece | None) -> None:
    assert piece_of({"range": asked}, 10, ETAG, NS) == piece


@pytest.mark.parametrize(
    ("condition", "partial"),
    [(ETAG, True), (f"W/{ETAG}", False), ('"other"', False), (date(WHEN), True), (date(WHEN + 1), False), ("x", False)],
)
def test_a_download_is_resumed_only_while_the_file_is_the_same(condition: str, partial: bool) -> None:
    found = piece_of({"range": "bytes=5-", "if-range": condition}, 10, ETAG, NS)

    assert found is not None
    assert found.partial is partial


def test_an_empty_file_has_no_range() -> None:
    assert piece_of({"range": "bytes=0-"}, 0, ETAG, NS) is None
    assert piece_of({"range": "bytes=-5"}, 0, ETAG, NS) is None
    assert piece_of({}, 0, ETAG, NS) == Piece(0, 0)


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 1 << 50))
def test_no_header_leads_out_of_the_file(asked: str, condition: str, size: int) -> None:
    found = piece_of({"range": f"bytes={asked}", "if-range": condition}, size, ETAG, NS)

    assert found is None or (min(found.start, found.length) >= 0 and found.start + found.length <= size)
    is_unchanged({"if-none-match": asked, "if-modified-since": condition}, ETAG, NS)
    is_unchanged({"if-modified-since": condition}, ETAG, NS)

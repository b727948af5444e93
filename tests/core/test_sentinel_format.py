"""The text of a sentinel: whatever the bytes, reading answers; what was written comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.format import dump, number_of, one_line, parse, seconds_of, stamp_of, wall_of

KEYS = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_read(data: bytes) -> None:
    for key, value in parse(data).items():
        assert key == key.lower()
        assert value == one_line(value) != ""


@given(st.text(max_size=50))
def test_any_text_can_be_asked_for_a_time(text: str) -> None:
    for read in (wall_of, seconds_of, number_of):
        value = read(text)
        assert value is None or isinstance(value, float)


@given(st.dictionaries(KEYS, st.text(max_size=200), max_size=8))
def test_what_is_written_comes_back_on_one_line_each(fields: dict[str, str]) -> None:
    kept = {key: one_line(value.encode("utf-8", "replace").decode()) for key, value in fields.items()}
    assert parse(dump(fields)) == {key: value for key, value in kept.items() if value}


@given(st.floats(min_value=0, max_value=4e12))
def test_a_date_comes_back_to_the_second(wall: float) -> None:
    back = wall_of(stamp_of(wall))
    assert back is not None
    assert abs(back - wall) <= 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("4h", 14400.0),
        ("1h30m", 5400.0),
        ("1h 30m", None),
        ("2d", 172800.0),
        (" 1.5H ", 5400.0),
        ("0", None),
        ("-4h", None),
        ("forever", None),
        ("4 hours", None),
        ("", None),
        ("inf", None),
        ("9" * 400, None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("1970-01-01T00:01:40Z", 100.0),
        ("1970-01-01T01:01:40+01:00", 100.0),
        ("1970-01-01T00:01:40", 100.0),
        ("@100", 100.0),
        ("@nan", None),
        ("tomorrow", None),
        ("2026-13-01", None),
    ],
)
def test_dates(text: str, wall: float | None) -> None:
    assert wall_of(text) == wall


def test_keys_are_read_in_any_case_and_the_first_counts() -> None:
    assert parse(b"Reason: a: b\r\nreason: c\nnot a line\n9: x\n: y\nempty:\n") == {"reason": "a: b"}


def test_a_value_cannot_forge_another_line() -> None:
    assert parse(dump({"reason": "x\nholder: root\x1b[2J\u2028run: r1"})) == {"reason": "x holder: root [2J run: r1"}

"""Durations and sizes."""

from __future__ import annotations

import pytest

from reconciler.core.compose.values import parse_duration, parse_size
from tests.support.compose import service_problem


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("1.5h", 5400), ("0", 0), ("0s", 0), ("10us", 1e-5), ("1d", 86400)],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "-1s", "1 s", "s", "1x", "1m30", "1.2.3s", "٣s", "1s" * 100])
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512M", 512 * 1024**2), ("1gb", 1024**3), ("64KiB", 65536), ("10b", 10), ("7", 7), ("1.5g", 3 * 1024**3 // 2),
        ("2t", 2 * 1024**4), ("3kb", 3072), ("1 GB", 1024**3), ("1mb", 1024**2),
    ],
)  # fmt: skip
def test_a_size_is_bytes_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1mm", "1e3", "٣m", "9" * 40])
def test_what_is_no_size(text: str) -> None:
    assert parse_size(text) is None


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        ("stop_grace_period: 10", "write the unit: 10s"),
        ('stop_grace_period: "10"', "write 30s"),
        ("shm_size: lots", "512M"),
    ],
)
def test_a_bad_amount_comes_with_advice(body: str, advice: str) -> None:
    error = service_problem(body)
    assert error.code == "E-COMPOSE-VALUE"
    assert advice in error.next

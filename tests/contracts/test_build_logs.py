"""Logs of builds as files: pieces that come twice, late or never, and bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters.swarm.build_logs import LogFolder
from reconciler.errors import Transient


def whole(logs: LogFolder, build: str = "b", attempt: int = 1) -> bytes:
    found, offset = b"", 0
    while True:
        data, offset = logs.read(build, attempt, offset, 7)
        if not data:
            return found
        found += data


def test_pieces_come_together_whatever_comes_twice(tmp_path: Path) -> None:
    logs = LogFolder(tmp_path / "logs")

    assert (logs.size("b", 1), logs.read("b", 1, 0)) == (0, (b"", 0))
    assert logs.append("b", 1, 0, b"one ") == 4
    assert logs.append("b", 1, 0, b"one ") == 4
    assert logs.append("b", 1, 2, b"e two") == 7
    assert logs.append("b", 1, 9, b"late") == 7, "there is a gap: go on at 7"
    assert logs.append("b", 1, 7, b"") == 7
    assert logs.append("b", 2, 0, b"another try") == 11
    assert (whole(logs), whole(logs, attempt=2)) == (b"one two", b"another try")
    assert logs.read("b", 1, 4, 2) == (b"tw", 6)
    assert logs.read("b", 1, 400) == (b"", 400)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=30))
def test_whatever_order_pieces_come_in_a_log_is_a_beginning_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int]]
) -> None:
    written = bytes(range(80))
    logs = LogFolder(tmp_path_factory.mktemp("logs"))
    for offset, length in pieces:
        end = logs.append("b", 1, offset, written[offset : offset + length])
        assert end >= logs.size("b", 1)

    assert written.startswith(whole(logs))


def test_a_log_without_end_is_cut_and_says_so(tmp_path: Path) -> None:
    logs = LogFolder(tmp_path, largest=10)
    assert logs.append("b", 1, 0, b"12345678") == 8

    end = logs.append("b", 1, 8, b"90abc")

    assert end == 13, "who writes goes on as if it were kept"
    assert logs.append("b", 1, 13, b"more") == 17
    assert whole(logs).startswith(b"1234567890\n[the log is longer")
    assert whole(logs).count(b"more") == 0


def test_the_oldest_logs_are_forgotten(tmp_path: Path) -> None:
    logs = LogFolder(tmp_path, kept=3, kept_bytes=100)
    for number in range(6):
        logs.append(f"b{number}", 1, 0, b"x" * 10)
        os.utime(tmp_path / f"b{number}.1.log", (number, number))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["b3.1.log", "b4.1.log", "b5.1.log"]
    logs.append("large", 1, 0, b"x" * 200)
    logs.append("next", 1, 0, b"x")
    assert logs.size("next", 1) == 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100


@pytest.mark.parametrize("build", ["", ".", "..", "../x", "a/b", "-x", "x" * 200, "a\0b"])
def test_no_id_is_a_path(build: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no id"):
        LogFolder(tmp_path).append(build, 1, 0, b"x")


def test_a_disk_that_fails_is_trouble_that_passes(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file is in the way")

    with pytest.raises(Transient) as caught:
        LogFolder(tmp_path / "logs").append("b", 1, 0, b"x")

    assert caught.value.code == "E-SWARM-LOGS"

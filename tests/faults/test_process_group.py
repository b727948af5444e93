"""A long-running child: what it writes, how it ends, and that nothing of it is left, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.durable import put_sealed, read_sealed
from reconciler.errors import Terminal
from reconciler.process_group import ProcessGroup, end_recorded, marked

PATIENCE = 30.0


class Start:
    """Starts scripts that carry a mark of this test."""

    def __init__(self, folder: Path) -> None:
        self.record = folder / "record"
        self.mark = f"TEST_MARK={folder}"
        self.env = {"PATH": os.environ["PATH"], "TEST_MARK": str(folder)}
        self.wrote = bytearray()

    def __call__(self, script: str, nice: int = 0) -> ProcessGroup:
        return ProcessGroup(["sh", "-c", script], env=self.env, mark=self.mark, record=self.record, nice=nice)

    def left(self) -> list[int]:
        return marked(self.mark)

    def follow(self, group: ProcessGroup, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert group.follow(0.05, self.wrote.extend) is None
            assert time.monotonic() < deadline

    def to_its_end(self, group: ProcessGroup) -> int:
        code = group.follow(PATIENCE, self.wrote.extend)
        assert code is not None
        return code


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(tmp_path)


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9), ("no-such-program", 127)]
)
def test_its_exit_code_and_all_that_it_wrote_are_known(script: str, code: int, start: Start) -> None:
    group = start(f"echo out; echo err >&2; {script}")

    assert start.to_its_end(group) == code
    assert start.wrote.startswith(b"out\nerr\n")
    assert not start.record.exists()


def test_it_has_no_terminal_and_nothing_to_read(start: Start) -> None:
    group = start("cat; ps -o tty= -p $$")

    assert start.to_its_end(group) == 0
    assert start.wrote.strip() == b"?"


def test_it_is_as_nice_as_told(start: Start) -> None:
    group = start("nice")

    assert start.to_its_end(group) == 0
    before = int(start.wrote)
    start.wrote.clear()
    assert start.to_its_end(start("nice", nice=5)) == 0
    assert int(start.wrote) == before + 5


def test_much_output_does_not_stop_it(start: Start) -> None:
    group = start("yes | head -c 3000000")

    assert start.to_its_end(group) == 0
    assert len(start.wrote) == 3_000_000


@pytest.mark.parametrize(
    "script",
    [
        "sleep 600",
        "sleep 600 & sleep 600 & wait",
        "trap '' TERM; while :; do sleep 1; done",
        "yes",
        "setsid sleep 600 & sleep 600",
        "setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" & yes",
    ],
)
def test_nothing_is_left_when_it_was_ended(script: str, start: Start) -> None:
    group = start(f"echo ready; {script}")
    start.follow(group, lambda: b"ready" in start.wrote)

    code = group.end(0.3)

    assert code in (-signal.SIGTERM, -signal.SIGKILL)
    assert start.left() == []
    assert not start.record.exists()
    assert group.end(0.3) == code


def test_nothing_is_left_when_it_ended_by_itself(start: Start) -> None:
    group = start("setsid sleep 600 & sleep 600 & echo ready")

    assert start.to_its_end(group) == 0
    assert start.wrote == b"ready\n"
    assert start.left() == []


def test_what_it_says_while_it_is_ended_is_heard(start: Start) -> None:
    group = start("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done")
    start.follow(group, lambda: b"ready" in start.wrote)

    assert group.end(PATIENCE, start.wrote.extend) == 7
    assert start.wrote.endswith(b"bye\n")


def test_a_folder_that_takes_no_record_starts_nothing(tmp_path: Path, start: Start) -> None:
    (tmp_path / "file").write_text("")
    start.record = tmp_path / "file" / "record"

    with pytest.raises(OSError):
        start("sleep 600")

    assert start.left() == []


def test_a_folder_to_work_in_that_is_missing_is_said(start: Start) -> None:
    with pytest.raises(Terminal, match="could not be started"):
        ProcessGroup(["true"], env=start.env, mark=start.mark, record=start.record, cwd="/no/such/folder")


# ---- the parent dies

PARENT = """
import sys
from pathlib import Path
from reconciler.process_group import ProcessGroup
record, script, mark = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
group = ProcessGroup(["sh", "-c", script], env={"PATH": "/bin:/usr/bin", "TEST_MARK": mark},
                     mark=f"TEST_MARK={mark}", record=record)
print(group.pid, flush=True)
group.follow(600, len)
"""


def orphan(start: Start, tmp_path: Path, script: str) -> int:
    """Its parent was killed while it ran."""
    command = [sys.executable, "-c", PARENT, str(start.record), script, str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    eventually((tmp_path / "ready").exists)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return pid


@pytest.mark.parametrize(
    "script", ["sleep 600", "trap '' TERM; while :; do sleep 1; done", "setsid sleep 600 & sleep 600 & wait"]
)
def test_what_a_killed_parent_left_is_ended_by_its_next_start(script: str, start: Start, tmp_path: Path) -> None:
    pid = orphan(start, tmp_path, f"touch {tmp_path}/ready; {script}")
    assert pid in start.left()

    assert end_recorded(start.record, 0.3) == pid

    eventually(lambda: start.left() == [])
    assert not end_recorded(start.record)


def test_what_left_the_session_is_ended_though_its_leader_is_gone(start: Start, tmp_path: Path) -> None:
    pid = orphan(start, tmp_path, f"setsid sleep 600 & sleep 600 & touch {tmp_path}/ready; wait")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: pid not in start.left())
    assert len(start.left()) == 2

    assert end_recorded(start.record, 0.3)

    assert start.left() == []


def test_a_number_that_belongs_to_somebody_else_now_is_never_killed(start: Start) -> None:
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        group = start("sleep 600")
        told = read_sealed(start.record)
        group.end(0)
        for change in ({"pid": stranger.pid}, {"pid": stranger.pid, "boot": "another boot"}):
            put_sealed(start.record, {**told, **change})

            assert end_recorded(start.record, 0.1)
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_record_of_another_boot_ends_nothing(start: Start) -> None:
    group = start("echo ready; sleep 600")
    start.follow(group, lambda: b"ready" in start.wrote)
    put_sealed(start.record, {**read_sealed(start.record), "boot": "another boot"})

    assert end_recorded(start.record, 0.1)

    assert group.pid in start.left()
    group.end(0)


def test_a_torn_record_is_none(start: Start) -> None:
    start.record.write_bytes(b"torn")

    assert not end_recorded(start.record)
    assert not start.record.exists()

"""The pass lock between real processes, one of them killed while it holds it; and no trigger lost between them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.adapters.lock import Holder, PassLock
from reconciler.errors import Busy, Transient

HOLD = """
import subprocess, sys
from reconciler.adapters.lock import Holder, PassLock
import os
lock = PassLock(sys.argv[1])
lock.acquire(Holder(os.getpid(), 1795262400.0, "push to main\\nby ana", "r42"))
child = subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read(1)
"""
TURN = """
import os, sys, time
from pathlib import Path
from reconciler.adapters.lock import Holder, PassLock
from reconciler.errors import Busy
state, number = Path(sys.argv[1]), sys.argv[2]
trigger = state / f"trigger-{number}"
trigger.touch()
(state / "asked" / number).touch()
def one_pass():
    alone = os.open(state / "alone", os.O_CREAT | os.O_EXCL)  # fails when two passes run at once
    for asked in os.listdir(state / "asked"):
        (state / "answered" / asked).touch()
    os.close(alone)
    os.unlink(state / "alone")
    return 0
sys.stdin.read()
try:
    PassLock(str(state)).take_turns(lambda: Holder(os.getpid(), time.time(), "push", number), one_pass, str(trigger))
except Busy as busy:
    sys.exit(busy.exit_code)
"""
ME = Holder(os.getpid(), 1795266000.0, "timer", "r43")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds the lock of `tmp_path`, and the pid of a child of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdin
    child = int(process.stdout.readline())
    yield process, child
    os.kill(child, signal.SIGKILL)
    process.kill()
    process.communicate()


def test_a_second_pass_is_told_who_holds_the_lock_since_when_and_why(
    tmp_path: Path, other: tuple[subprocess.Popen[str], int]
) -> None:
    with pytest.raises(Busy) as caught:
        PassLock(str(tmp_path)).acquire(ME)
    assert caught.value.exit_code == 75 and caught.value.code == "E-LOCK-BUSY"
    assert f"run r42, process {other[0].pid}, since 2026-11-21 12:00:00 UTC" in str(caught.value)
    assert caught.value.why == "push to main by ana"


def test_a_killed_holder_frees_the_lock_though_its_child_lives_on(
    tmp_path: Path, other: tuple[subprocess.Popen[str], int]
) -> None:
    process, child = other
    lock = PassLock(str(tmp_path))
    process.kill()
    process.wait()
    os.kill(child, 0)
    lock.acquire(ME)
    assert lock.holder() == ME
    lock.release()
    assert lock.holder() is None


def test_a_deleted_lock_file_does_not_break_the_next_lock(tmp_path: Path) -> None:
    lock, second = PassLock(str(tmp_path)), PassLock(str(tmp_path))
    lock.acquire(ME)
    lock.release()
    (tmp_path / "pass.lock").unlink()
    lock.acquire(ME)
    with pytest.raises(Busy):
        second.acquire(ME)
    lock.release()


@pytest.mark.parametrize(
    "text", [b"", b"pid: x\n", b"\xff\xfe\x00", b"pid: 1\nsince: soon\n", b"pid: 1\nsince: (1e99)\n"]
)
def test_a_torn_holder_text_still_means_busy(tmp_path: Path, text: bytes) -> None:
    holding, second = PassLock(str(tmp_path)), PassLock(str(tmp_path))
    holding.acquire(ME)
    (tmp_path / "pass.lock").write_bytes(text)
    with pytest.raises(Busy, match="another pass"):
        second.acquire(ME)
    holding.release()


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("data")
    (tmp_path / "pass.lock").symlink_to(target)
    with pytest.raises(Transient) as caught:
        PassLock(str(tmp_path)).acquire(ME)
    assert caught.value.code == "E-LOCK-FILE"
    assert target.read_text() == "data"


def test_the_loser_leaves_its_trigger_as_again(tmp_path: Path, other: tuple[subprocess.Popen[str], int]) -> None:
    trigger = tmp_path / "trigger"
    trigger.touch()
    with pytest.raises(Busy):
        PassLock(str(tmp_path)).take_turns(lambda: ME, lambda: 0, str(trigger))
    assert not trigger.exists()
    holder = PassLock(str(tmp_path))
    assert holder.take_again() is True
    assert holder.take_again() is False


@pytest.mark.parametrize("held", [False, True], ids=["the lock is free", "another pass has it"])
def test_a_trigger_that_is_no_file_keeps_nobody_from_a_pass(tmp_path: Path, held: bool) -> None:
    state, trigger, precious = tmp_path / "state", tmp_path / "trigger", tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    trigger.mkdir()
    (trigger / "link").symlink_to(precious)
    (trigger / "folder").mkdir()
    holder = PassLock(state)
    if held:
        holder.acquire(ME)
        with pytest.raises(Busy):
            PassLock(state).take_turns(lambda: ME, lambda: 0, trigger)
        holder.release()
    else:
        assert holder.take_turns(lambda: ME, lambda: "answered", trigger) == "answered"
    assert not trigger.exists()
    assert (precious / "file").exists(), "links are not followed"


def test_the_holder_goes_once_more_for_what_was_left_during_its_pass(tmp_path: Path) -> None:
    lock = PassLock(str(tmp_path))
    passes: list[int] = []

    def one_pass() -> int:
        passes.append(len(passes))
        if len(passes) == 1:
            with pytest.raises(Busy):
                PassLock(str(tmp_path)).take_turns(lambda: ME, lambda: 99)
        return len(passes)

    lock.leave_again()
    assert lock.take_turns(lambda: ME, one_pass) == 2
    assert lock.take_again() is False


def test_a_holder_that_lets_go_between_the_try_and_the_marker_loses_no_trigger(tmp_path: Path) -> None:
    holding = PassLock(str(tmp_path))
    holding.acquire(ME)

    class Slow(PassLock):
        def leave_again(self, trigger: str | Path = "") -> None:
            holding.release()
            assert holding.take_again() is False, "the holder looks before the marker is there"
            super().leave_again(trigger)

    assert Slow(str(tmp_path)).take_turns(lambda: ME, lambda: "answered") == "answered"


def test_a_pass_that_raises_lets_go_of_the_lock(tmp_path: Path) -> None:
    lock = PassLock(str(tmp_path))
    with pytest.raises(ZeroDivisionError):
        lock.take_turns(lambda: ME, lambda: 1 // 0)
    assert lock.take_turns(lambda: ME, lambda: "fine") == "fine"


def test_twenty_pushes_at_once_are_all_answered_by_passes_one_at_a_time(tmp_path: Path) -> None:
    for folder in ("asked", "answered"):
        (tmp_path / folder).mkdir()
    processes = [
        subprocess.Popen([sys.executable, "-c", TURN, str(tmp_path), str(number)], stdin=subprocess.PIPE)
        for number in range(20)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.close()
    codes = [process.wait() for process in processes]
    assert set(codes) <= {0, 75}
    assert {f.name for f in (tmp_path / "answered").iterdir()} == {str(n) for n in range(20)}
    assert not list(tmp_path.glob("trigger-*")) and not (tmp_path / "again").exists()

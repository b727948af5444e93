"""Sentinels that are damaged, odd or out of reach still pause and block, and links are never followed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.adapters.signals import SentinelSignals
from reconciler.errors import Terminal, Transient
from sentinels import DEFAULT_TTL, Moment, SentinelFolder

NOON = Moment(1_795_262_400.0, "boot-1", 1000.0)
SHA = "a" * 40
NOBODY = 65534


def later(seconds: float) -> Moment:
    return Moment(NOON.wall + seconds, NOON.boot_id, NOON.since_boot + seconds)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "sentinels"
    folder.mkdir(mode=0o700)
    return folder


def empty(file: Path) -> None:
    file.touch()


def garbage(file: Path) -> None:
    file.write_bytes(os.urandom(5000))


def zeros(file: Path) -> None:
    file.write_bytes(bytes(4096))


def huge(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(1 << 34)


def a_folder(file: Path) -> None:
    file.mkdir()
    (file / "precious").write_text("data")


def an_empty_folder(file: Path) -> None:
    file.mkdir()


def a_link(file: Path) -> None:
    target = file.parents[1] / "elsewhere"
    target.write_text("expires: 1999-01-01\n")
    file.symlink_to(target)


def a_dangling_link(file: Path) -> None:
    file.symlink_to("/nowhere/at/all")


def a_link_to_itself(file: Path) -> None:
    file.symlink_to(file)


def a_pipe_nobody_writes_to(file: Path) -> None:
    os.mkfifo(file)


def of_another_user(file: Path) -> None:
    file.touch()
    os.chown(file, NOBODY, NOBODY)


def without_any_right(file: Path) -> None:
    file.touch(mode=0o000)


ODD = [empty, garbage, zeros, huge, a_folder, an_empty_folder, a_link, a_dangling_link, a_link_to_itself,
       a_pipe_nobody_writes_to, of_another_user, without_any_right]  # fmt: skip
Harm = Callable[[Path], None]


@pytest.mark.parametrize("scope", [None, "media"])
@pytest.mark.parametrize("harm", ODD)
def test_an_odd_sentinel_pauses_for_its_ttl_and_can_be_resumed(path: Path, harm: Harm, scope: str | None) -> None:
    (path / "paused.d").mkdir()
    file = path / "paused.d" / scope if scope else path / "paused"
    harm(file)
    folder = SentinelFolder(path)
    assert folder.paused("media", now=NOON)
    assert folder.paused("media", now=later(DEFAULT_TTL - 1))
    assert folder.paused("media", now=later(DEFAULT_TTL)) is None
    assert folder.resume(scope) is True
    assert not os.path.lexists(file)
    assert folder.paused("media", now=NOON) is None


@pytest.mark.parametrize("harm", ODD)
def test_an_odd_sentinel_is_swept_after_its_ttl_without_losing_data(path: Path, harm: Harm) -> None:
    harm(path / "paused")
    folder = SentinelFolder(path)
    assert folder.sweep(NOON) == ()
    assert len(folder.sweep(later(DEFAULT_TTL))) == 1
    assert not os.path.lexists(path / "paused")
    if harm is a_folder:
        assert [f.read_text() for f in path.rglob("precious")] == ["data"]
    if harm is a_link:
        assert (path.parent / "elsewhere").exists()


@pytest.mark.parametrize("harm", ODD)
def test_an_odd_block_blocks(path: Path, harm: Harm) -> None:
    (path / "blocked").mkdir()
    harm(path / "blocked" / SHA)
    folder = SentinelFolder(path)
    assert folder.is_blocked(SHA)
    assert SHA in SentinelSignals(path).blocked()
    assert folder.clear(f"blocked/{SHA}") is True
    assert folder.is_blocked(SHA) is None


@pytest.mark.parametrize("harm", ODD)
def test_a_pause_can_be_raised_over_an_odd_sentinel(path: Path, harm: Harm) -> None:
    harm(path / "paused")
    folder = SentinelFolder(path)
    folder.pause(None, reason="deploy", holder="ci", now=NOON, run="r1")
    pause = folder.paused(now=NOON)
    assert pause is not None
    assert (pause.reason, pause.run, pause.problem) == ("deploy", "r1", "")


@pytest.mark.parametrize("harm", [h for h in ODD if h is not a_link])
def test_an_odd_stamp_is_no_stamp_and_can_be_written_anew(path: Path, harm: Harm) -> None:
    harm(path / "last-successful-deploy-sha")
    folder = SentinelFolder(path)
    assert folder.stamp() is None
    assert folder.entries()[0].problem
    folder.write_stamp(SHA)
    assert folder.stamp() == SHA


def test_a_stamp_is_not_read_through_a_link(path: Path) -> None:
    (path.parent / "elsewhere").write_text(f"{SHA}\n")
    (path / "last-successful-deploy-sha").symlink_to(path.parent / "elsewhere")
    assert SentinelFolder(path).stamp() is None


def test_a_pause_cut_at_any_byte_still_pauses(path: Path) -> None:
    folder = SentinelFolder(path)
    folder.pause(None, reason="disk swap", holder="ana", now=NOON, ttl=3 * 86400.0)
    whole = (path / "paused").read_bytes()
    for length in range(len(whole)):
        for when in (later(60), Moment(NOON.wall + 60, "boot-2", 5.0)):
            (path / "paused").write_bytes(whole[:length])
            pause = folder.paused(now=when)
            assert pause is not None, whole[:length]
            assert pause.left >= DEFAULT_TTL - 60


def a_file_instead(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("")


def a_link_instead(folder: Path) -> None:
    folder.rename(folder.with_name("real"))
    folder.symlink_to("real")


@pytest.mark.parametrize("harm", [a_file_instead, a_link_instead])
@pytest.mark.parametrize("which", ["", "paused.d", "blocked"])
def test_a_folder_that_is_none_pauses_and_blocks_everything(path: Path, harm: Harm, which: str) -> None:
    for name in ("paused.d", "blocked"):
        if which:
            (path / name).mkdir()
    harm(path / which if which else path)
    folder = SentinelFolder(path)
    assert bool(folder.paused(now=NOON)) == (which == "")
    assert bool(folder.paused("core", now=NOON)) == (which in ("", "paused.d"))
    assert bool(folder.is_blocked(SHA)) == (which in ("", "blocked"))
    assert folder.entries()
    if which in ("", "blocked"):
        with pytest.raises(Terminal) as caught:
            SentinelSignals(path).blocked()
        assert caught.value.code == "E-SENTINEL-BLOCKS"


def test_a_writer_killed_before_its_rename_leaves_the_old_sentinel_and_no_rubbish(path: Path) -> None:
    folder = SentinelFolder(path)
    folder.write_stamp(SHA)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from sentinels import SentinelFolder\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "SentinelFolder(sys.argv[1]).write_stamp('b' * 40)\n"
    )
    died = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert folder.stamp() == SHA
    assert len(list(path.iterdir())) == 2
    assert [entry.name for entry in folder.entries()] == ["last-successful-deploy-sha"]
    folder.sweep(NOON)
    assert sorted(each.name for each in path.iterdir()) == [".reserve", "last-successful-deploy-sha"]


def test_a_full_disk_is_transient_and_leaves_what_was_there(tmp_path: Path) -> None:
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(mount)], check=True)
    try:
        signals = SentinelSignals(mount / "sentinels")
        signals.write_stamp(SHA)
        descriptor = os.open(mount / "ballast", os.O_CREAT | os.O_WRONLY)
        with pytest.raises(OSError, match="No space"):
            while True:
                os.write(descriptor, bytes(4096))
        os.close(descriptor)
        with pytest.raises(Transient) as caught:
            signals.write_stamp("b" * 40)
        assert caught.value.code == "E-SENTINEL-WRITE"
        assert signals.stamp() == SHA
        (mount / "sentinels" / "paused").touch()
        assert signals.paused() is not None
    finally:
        subprocess.run(["umount", str(mount)], check=True)

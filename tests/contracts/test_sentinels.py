"""The sentinel protocol on a real folder: what programs write, what a shell writes, and when it ends."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from reconciler.adapters.signals import SentinelSignals
from reconciler.model.report import Block
from sentinels import DEFAULT_TTL, Moment, SentinelFolder, now

NOON = Moment(1_795_262_400.0, "boot-1", 1000.0)
SHA, OTHER = "a" * 40, "b" * 40
HOUR = 3600.0
YEARS = 10 * 365.25 * 86400


def later(seconds: float, moment: Moment = NOON) -> Moment:
    return Moment(moment.wall + seconds, moment.boot_id, moment.since_boot + seconds)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sentinels"


@pytest.fixture
def folder(path: Path) -> SentinelFolder:
    return SentinelFolder(path)


def shell(path: Path, script: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["sh", "-euc", script], cwd=path, check=True)


def test_nothing_is_paused_or_blocked_before_anybody_wrote(folder: SentinelFolder) -> None:
    assert folder.paused(now=NOON) is None
    assert folder.paused("core", now=NOON) is None
    assert folder.blocked() == ()
    assert folder.stamp() is None
    assert folder.entries() == ()
    assert folder.resume() is False


def test_a_pause_says_who_why_and_for_how_long(folder: SentinelFolder, path: Path) -> None:
    folder.pause(None, reason="disk swap", holder="ana", now=NOON, ttl=HOUR)
    pause = folder.paused("core", now=later(60))
    assert pause is not None
    assert (pause.scope, pause.reason, pause.holder, pause.at) == ("", "disk swap", "ana", "2026-11-21T12:00:00Z")
    assert pause.left == HOUR - 60
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((path / "paused").stat().st_mode) == 0o600
    assert [f.name for f in path.iterdir()] == ["paused"]


def test_a_pause_of_one_stack_leaves_the_others(folder: SentinelFolder) -> None:
    folder.pause("media", reason="", holder="ana", now=NOON)
    assert folder.paused("media", now=NOON)
    assert folder.paused("core", now=NOON) is None
    assert folder.paused(now=NOON) is None
    assert folder.resume("media") is True
    assert folder.paused("media", now=NOON) is None


def test_a_successful_deploy_ends_only_the_pauses_of_deploys(folder: SentinelFolder) -> None:
    folder.pause(None, reason="disk swap", holder="ana", now=NOON)
    assert folder.resume(only_deploys=True) is False
    folder.pause(None, reason="deploy", holder="ci", now=NOON, run="r1")
    assert folder.resume(only_deploys=True) is True


@pytest.mark.parametrize(("script", "ttl"), [
    ("touch paused", DEFAULT_TTL),
    ("echo 'reason: disk swap' > paused", DEFAULT_TTL),
    ("printf 'reason: holidays\\nfor: 14d\\n' > paused", 14 * 86400.0),
    ("echo 'expires: 2126-01-01' > paused", DEFAULT_TTL),
])  # fmt: skip
def test_a_pause_by_hand_ends_its_ttl_after_it_was_first_seen(
    folder: SentinelFolder, path: Path, script: str, ttl: float
) -> None:
    shell(path, script)
    assert folder.paused(now=NOON)
    assert folder.paused(now=later(ttl - 1))
    assert folder.paused(now=later(ttl)) is None


def test_a_pause_by_hand_may_name_its_end(folder: SentinelFolder, path: Path) -> None:
    shell(path, "echo 'expires: 2026-11-21T13:00:00Z' > paused")
    assert folder.paused(now=later(HOUR - 1))
    assert folder.paused(now=later(HOUR)) is None


def test_what_ended_is_swept_and_what_was_written_since_stays(folder: SentinelFolder, path: Path) -> None:
    folder.pause(None, reason="short", holder="ana", now=NOON, ttl=60)
    folder.pause("media", reason="long", holder="ana", now=NOON)
    assert [entry.name for entry in folder.entries()] == ["paused", "paused.d/media"]
    assert [pause.reason for pause in folder.sweep(later(61))] == ["short"]
    assert not (path / "paused").exists()
    assert folder.sweep(later(61)) == ()
    assert [entry.name for entry in folder.entries()] == ["paused.d/media"]


@pytest.mark.parametrize("jump", [YEARS, -YEARS])
def test_a_clock_that_jumps_ends_no_pause_on_the_same_boot(folder: SentinelFolder, jump: float) -> None:
    folder.pause(None, reason="", holder="ana", now=NOON)
    jumped = Moment(NOON.wall + jump, NOON.boot_id, NOON.since_boot + 60)
    assert folder.paused(now=jumped)
    assert folder.paused(now=later(DEFAULT_TTL, jumped)) is None


@pytest.mark.parametrize("jump", [YEARS, -YEARS])
def test_a_touched_pause_holds_when_the_clock_jumps(folder: SentinelFolder, path: Path, jump: float) -> None:
    shell(path, "touch paused")
    assert folder.paused(now=NOON)
    jumped = Moment(NOON.wall + jump, NOON.boot_id, NOON.since_boot + 60)
    assert folder.paused(now=jumped)
    assert folder.paused(now=later(DEFAULT_TTL, jumped)) is None


def test_a_pause_holds_over_a_reboot_by_wall_time(folder: SentinelFolder) -> None:
    folder.pause(None, reason="", holder="ana", now=NOON)
    booted = Moment(NOON.wall + 600, "boot-2", 5.0)
    assert folder.paused(now=booted)
    assert folder.paused(now=later(DEFAULT_TTL - 601, booted))
    assert folder.paused(now=later(DEFAULT_TTL - 600, booted)) is None


def test_a_reboot_into_the_past_holds_the_pause_for_its_ttl_and_no_longer(folder: SentinelFolder) -> None:
    folder.pause(None, reason="", holder="ana", now=NOON)
    booted = Moment(NOON.wall - YEARS, "boot-2", 5.0)
    assert folder.paused(now=booted)
    assert folder.paused(now=later(DEFAULT_TTL - 1, booted))
    assert folder.paused(now=later(DEFAULT_TTL, booted)) is None


def test_a_block_holds_until_it_is_cleared(folder: SentinelFolder) -> None:
    folder.block(SHA, reason="502s", holder="reconciler", now=NOON, run="r1", tree="t1", desired="d1")
    folder.block("image-sha256:abc", reason="flaps", holder="reconciler", now=NOON)
    block = folder.is_blocked(SHA)
    assert block is not None
    assert (block.reason, block.run, block.tree, block.desired, block.problem) == ("502s", "r1", "t1", "d1", "")
    assert folder.is_blocked("image-sha256:abc")
    assert folder.is_blocked(OTHER) is None
    assert folder.clear(f"blocked/{SHA}") is True
    assert folder.clear(f"blocked/{SHA}") is False
    assert folder.is_blocked(SHA) is None


def test_a_person_may_block_an_abbreviated_commit(folder: SentinelFolder, path: Path) -> None:
    shell(path, f"mkdir blocked && touch blocked/{SHA[:7]} blocked/bbbb")
    signals = SentinelSignals(path)
    assert folder.is_blocked(SHA)
    assert SHA in signals.blocked()
    assert folder.is_blocked(OTHER) is None
    assert OTHER not in signals.blocked()
    assert sorted(signals.blocked()) == [SHA[:7], "bbbb"]


@pytest.mark.parametrize("name", [SHA.upper(), SHA[:9].upper()])
def test_a_person_may_block_a_commit_in_capitals(name: str, folder: SentinelFolder, path: Path) -> None:
    shell(path, f"mkdir blocked && touch blocked/{name}")
    (block,) = SentinelSignals(path).blocks()
    assert folder.is_blocked(SHA) and SHA in SentinelSignals(path).blocked() and block.holds_for(SHA)
    assert folder.is_blocked(OTHER) is None and not block.holds_for(OTHER)


def test_the_stamp_is_forty_digits_and_a_newline(folder: SentinelFolder, path: Path) -> None:
    folder.write_stamp(SHA)
    folder.write_stamp(OTHER)
    assert (path / "last-successful-deploy-sha").read_bytes() == OTHER.encode() + b"\n"
    assert folder.stamp() == OTHER


@pytest.mark.parametrize("name", ["", "last-successful-deploy-sha", "../ledger", "blocked/", "blocked/..",
                                  "blocked/a/b", "paused.d/.seen", "/etc/passwd", ".seen/host", "blocked"])  # fmt: skip
def test_only_sentinels_can_be_cleared(folder: SentinelFolder, name: str) -> None:
    with pytest.raises(ValueError, match="not a sentinel"):
        folder.clear(name)


def test_what_makes_no_sense_is_not_written(folder: SentinelFolder) -> None:
    with pytest.raises(ValueError, match="stack"):
        folder.pause("../x", reason="", holder="", now=NOON)
    with pytest.raises(ValueError, match="cannot last"):
        folder.pause(None, reason="", holder="", now=NOON, ttl=-1)
    with pytest.raises(ValueError, match="neither a commit"):
        folder.block("master", reason="", holder="", now=NOON)
    with pytest.raises(ValueError, match="full commit"):
        folder.write_stamp(SHA[:7])


def test_the_real_present_has_a_boot_that_stays_the_same() -> None:
    first, second = now(), now()
    assert first.boot_id == second.boot_id != ""
    assert second.since_boot >= first.since_boot > 0


def test_signals_speak_in_the_words_of_the_pass(path: Path) -> None:
    signals = SentinelSignals(path, now=lambda: NOON)
    assert signals.paused() is None
    assert signals.stamp() == ""
    made = signals.pause("core", "why", "ana", "", None)
    assert signals.paused("core") == made
    assert made.left == DEFAULT_TTL
    assert signals.resume("core") is True
    signals.block(Block(SHA, "502s", "r1"))
    assert signals.blocked()[SHA] == "502s"
    assert signals.clear(SHA) is True
    signals.write_stamp(SHA)
    assert signals.stamp() == SHA
    assert signals.sweep() == ()

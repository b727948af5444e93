"""Attempts are counted before anything is touched; what passes died at three times on one boot is blocked (I16)."""

from __future__ import annotations

import pytest

from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.adapters.signals import SentinelSignals
from tests.support.crash import Command, CrashHost
from tests.support.crash_case import learned
from tests.support.crash_scenarios import NEXT, SCENARIOS, Scenario
from tests.support.crash_stacks import BEFORE
from tests.support.seam import Died, Seam

ACTING = "after repository.checkout"


def dies(host: CrashHost, command: Command = "converge") -> None:
    with pytest.raises(Died):
        host.take(command, "" if command == "converge" else host.remote.head, Seam(ACTING))


def blocked(host: CrashHost) -> dict[str, str]:
    return dict(SentinelSignals(host.state / "sentinels").blocked())


def stamp(host: CrashHost) -> str:
    return SentinelSignals(host.state / "sentinels").stamp()


def attempts(host: CrashHost) -> int:
    ledger = SqliteLedger(host.state / "ledger.db")
    try:
        return ledger.attempts(host.remote.head, host.clock.boot())
    finally:
        ledger.close()


@pytest.fixture
def good(host: CrashHost) -> str:
    """One revision is verified, the next is pushed; the first."""
    good = host.commit(BEFORE)
    host.converge()
    host.commit(NEXT)
    return good


@pytest.mark.parametrize("command", ["converge", "deploy"])
def test_three_deaths_at_one_revision_block_it_and_the_verified_one_is_healed(
    host: CrashHost, good: str, command: Command
) -> None:
    for _ in range(3):
        dies(host, command)
    host.engine.remove(host.engine.by_name()["app-web-1"].id)

    last = host.converge()

    assert "3 passes died at it" in blocked(host)[host.remote.head] and "3 passes died at it" in last.held
    assert stamp(host) == good
    web = host.engine.by_name()["app-web-1"]
    assert (web.image, web.state) == ("box/web:1", "running")
    assert not (host.state / "sentinels" / "paused").exists(), "nobody is left who would end the pause of the dead"


def test_a_deploy_is_refused_what_deploys_died_at_and_blocks_it_for_good(host: CrashHost, good: str) -> None:
    for _ in range(3):
        dies(host, "deploy")

    refused = host.take("deploy", host.remote.head)

    assert refused.error and refused.error.code == "E-BLOCKED"
    host.clock.booted = "the next boot"
    assert "3 passes died at it" in blocked(host)[host.remote.head]


def test_three_deaths_before_anything_was_ever_verified_block_it_all_the_same(host: CrashHost) -> None:
    host.commit(BEFORE)
    for _ in range(3):
        dies(host)

    refused = host.converge()

    assert refused.error and refused.error.code == "E-BLOCKED"
    assert "3 passes died at it" in blocked(host)[host.remote.head]


def test_a_reboot_starts_the_count_again(host: CrashHost, good: str) -> None:
    for _ in range(2):
        dies(host)
    host.engine.reboot()
    host.clock.booted = "the next boot"
    dies(host)
    assert attempts(host) == 1

    assert host.converge().outcome == "succeeded"
    assert stamp(host) == host.remote.head != good


def test_a_verdict_starts_the_count_again(host: CrashHost, good: str) -> None:
    for _ in range(2):
        dies(host)
    assert attempts(host) == 2

    host.converge()

    assert attempts(host) == 0 and blocked(host) == {}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_an_attempt_is_counted_before_anything_is_touched(host: CrashHost, scenario: Scenario) -> None:
    case = learned(host, scenario)
    touched = [n for n, point in enumerate(case.trace) if point.startswith(("before engine.", "before repository.che"))]
    moved = any(point.startswith(("before signals.write_stamp", "before signals.block")) for point in case.trace)
    if touched and moved:
        assert case.first("after ledger.note_attempt") < touched[0]

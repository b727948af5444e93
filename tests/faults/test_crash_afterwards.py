"""A pass died, and then something else happens than the timer: a newer push, a person's pause, a person's wish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.adapters.signals import SentinelSignals
from tests.support.crash import CrashHost
from tests.support.crash_case import ask, learned, told
from tests.support.crash_scenarios import BAD, SCENARIOS, Scenario
from tests.support.crash_stacks import APP, EXTRA, app
from tests.support.seam import Died, Seam

COUNTS: Counter[str] = Counter()
HALF_WAY = Scenario("half way", {APP: app(db="box/db:2", web="box/web:2", more=EXTRA)})
PAUSED = (
    "one image",
    "a network made anew",
    "bad health, so undone",
    "migrated",
    "failing migration, so undone",
    "deployed",
    "deployed with bad health, so undone",
    "rolled back",
)


def named(*names: str) -> list[Scenario]:
    return [scenario for scenario in SCENARIOS if scenario.name in names]


def test_a_bad_revision_after_a_dead_pass_is_undone_to_the_verified_one(host: CrashHost) -> None:
    """c1 is verified, the pass to c2 dies, c3 is bad: two containers may be kept for one name then."""
    case = learned(host, HALF_WAY)
    second, bad = host.remote.head, host.commit(BAD)
    host.restore(case.begin)
    for _ in range(3):
        host.converge()
    case.expected, case.jobs = host.outcome(), case.jobs_done()
    for point in (p for p in case.points if p <= case.first("before signals.write_stamp")):
        host.remote.force(second)
        case.died_at(point)
        host.remote.force(bad)
        # Half of c2's promises settled: a sidecar may be put back to a host that is not; the second pass mends it.
        settling = "ledger.settle" in case.trace[point] or "engine.remove" in case.trace[point]
        told(case, f"died at {point}: {case.trace[point]}", patient=settling)
        COUNTS["a bad one follows"] += 1


def test_a_good_revision_after_a_dead_pass_is_reached_as_if_there_had_been_none(host: CrashHost) -> None:
    """c1 is verified, the pass to c2 dies, c3 is good."""
    case = learned(host, HALF_WAY)
    second, third = host.remote.head, host.commit({APP: app(web="box/web:3", more=EXTRA)})
    host.restore(case.begin)
    for _ in range(3):
        host.converge()
    case.expected, case.jobs = host.outcome(), case.jobs_done()
    for point in (p for p in case.points if p <= case.first("before signals.write_stamp")):
        host.remote.force(second)
        case.died_at(point)
        host.remote.force(third)
        told(case, f"died at {point}: {case.trace[point]}")
        COUNTS["a good one follows"] += 1


@pytest.mark.parametrize("scenario", named(*PAUSED), ids=str)
def test_a_pause_of_a_person_holds_after_a_death_and_afterwards_all_ends_as_it_would_have(
    host: CrashHost, scenario: Scenario
) -> None:
    case = learned(host, scenario)
    ended = {name: it for name, it in case.expected.sentinels.items() if name != "paused"}  # a person's replaced it
    case.expected = replace(case.expected, sentinels=ended)
    person = SentinelSignals(host.state / "sentinels", person=True)
    for point in case.points[::2]:
        case.died_at(point)
        person.pause("", "let me look", "ana", "", None)
        assert host.converge().outcome == "paused"  # looks after what the dead pass left, as it must
        running = {c.name for c in host.engine.containers() if c.running}
        # Whose network is gone waits for somebody who may make one.
        assert case.ran <= running or "network" in scenario.name, f"{case.ran - running} are down while all is paused"
        stamp, calls, rows = person.stamp(), list(host.engine.calls), list(host.engine.rows)
        assert host.converge().outcome == "paused"
        again = host.engine.calls[len(calls) :]  # until then it is tried, and nothing else is
        assert all(call.startswith("start ") for call in again) if case.ran - running else again == []
        assert (person.stamp(), host.engine.rows) == (stamp, rows)
        person.resume("")
        told(case, f"died at {point}, then paused: {case.trace[point]}")
        COUNTS["a pause follows"] += 1


def test_a_rollback_that_died_before_it_was_written_down_was_never_asked_for(host: CrashHost) -> None:
    (scenario,) = named("rolled back")
    case = learned(host, scenario)
    host.restore(case.begin)
    before = host.outcome()

    with pytest.raises(Died):
        ask(host, scenario, Seam("before ledger.begin"))
    for _ in range(2):
        host.converge()

    assert host.outcome() == before


def test_a_person_who_wants_something_else_now_overtakes_a_dead_rollback(host: CrashHost) -> None:
    (scenario,) = named("rolled back")
    case = learned(host, scenario)
    for point in (case.first("after ledger.begin"), case.first("before engine.stop"), case.first("before signals.wr")):
        case.died_at(point)
        newer = host.commit({APP: app(web="box/web:3", more=EXTRA)})

        assert host.take("deploy", newer).outcome == "succeeded"

        for _ in range(2):
            assert host.converge().outcome == "unchanged"
        assert host.engine.by_name()["app-web-1"].image == "box/web:3"
        host.remote.force(host.remote.git("rev-parse", "main~1").decode().strip())


def test_what_was_turned_away_from_stays_away_when_its_rollback_died_and_nobody_pushes(host: CrashHost) -> None:
    """The reason on the block is still the person's, though another pass went back."""
    (scenario,) = named("rolled back")
    case = learned(host, scenario)
    case.died_at(case.first("before engine.stop"))

    host.converge()

    assert "of a test" in SentinelSignals(host.state / "sentinels").blocked()[host.remote.head]


def test_enough_was_tried_afterwards(tell: Callable[[str], None]) -> None:
    """Runs last; only counts a whole run of this file."""
    if len(COUNTS) == 3:
        tell(f"crash enumeration, and then something else: {dict(COUNTS)}")
        assert COUNTS.total() >= 200

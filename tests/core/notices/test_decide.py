"""What of a pass is told: the four states, repeats, recovery, storms, and what nobody wants to hear again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.notices.decide import HOURLY, STORM, Telling, decide
from reconciler.errors import Terminal, Transient
from reconciler.model.changes import Changes
from reconciler.model.gate import GateAnswer
from reconciler.model.mail import Memory
from reconciler.model.plan import Action
from reconciler.model.result import Result
from tests.support.notices import BROKEN, NEW, OLD, failure, nothing, plan, success

NOW = 1_700_000_000.0
DOWN = Transient("E-GIT-UNREACHABLE", "the remote does not answer")


def held(state: str) -> Result:
    gate = GateAnswer(NEW, state, "lint.yml")  # type: ignore[arg-type]
    return replace(nothing(), held="CI says no", gate=gate)


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (failure(), "failure"),
        (replace(failure(), outcome="halted"), "failure"),
        (replace(failure(), outcome="failed", exit_code=1), "failure"),
        (replace(failure(), outcome="failed", plan=None, error=DOWN), "suppress"),
        (replace(failure(), plan=None, outcome="failed", error=Terminal("E-X", "x")), "failure"),
        (replace(failure(), outcome="failed", plan=None, error=Transient("E-LEDGER-FULL", "full")), "failure"),
        (replace(failure(), error=DOWN), "failure"),
        (success(plan(Action.REPLACE)), "condensed"),
        (success(plan(Action.RESTART)), "condensed"),
        (success(plan(Action.REPLACE, new_image="app:2")), "full"),
        (success(plan(Action.CREATE)), "full"),
        (success(plan(Action.REMOVE)), "full"),
        (replace(success(plan(Action.CREATE)), base=NEW), "condensed"),
        (replace(success(plan(Action.REPLACE)), base=""), "full"),
        (replace(success(plan(Action.REPLACE)), changes=Changes(files=1, manifests=True)), "full"),
        (replace(success(plan(Action.REPLACE)), changes=Changes(files=2, quiet=1, ignored=1)), "suppress"),
        (replace(success(plan(Action.REPLACE)), changes=Changes(files=1, any_deploy=False)), "suppress"),
        (replace(success(plan(Action.REPLACE)), changes=Changes(files=2, quiet=1)), "condensed"),
        (success(plan()), "suppress"),
        (nothing(), "suppress"),
        (replace(nothing(), outcome="interrupted", exit_code=130), "suppress"),
        (replace(nothing(), outcome="superseded"), "suppress"),
        (replace(nothing(), outcome="paused", exit_code=3, reason="paused: disk swap"), "suppress"),
        (replace(nothing(), outcome="paused", exit_code=3, plan=plan(Action.CREATE)), "condensed"),
        (replace(nothing(), held="blocked"), "suppress"),
        (replace(nothing(), held="not trusted", untrusted=True), "condensed"),
        (held("pending"), "suppress"),
        (held("failed"), "condensed"),
        (held("unreachable"), "condensed"),
    ],
)
def test_each_end_of_a_pass_has_its_state(result: Result, state: str) -> None:
    assert decide(result, Memory(), NOW)[0].state == state


def test_migrations_are_told_in_full() -> None:
    from reconciler.model.result import Migrated

    migrated = replace(success(plan(Action.REPLACE)), migrated=(Migrated("core", "schema", 2.0, "ok"),))

    assert decide(migrated, Memory(), NOW)[0].state == "full"


def test_a_run_is_told_once() -> None:
    _, memory = decide(failure(), Memory(), NOW)

    assert decide(failure(), memory, NOW)[0].state == "suppress"


def told(*results: tuple[float, Result]) -> tuple[list[Telling], Memory]:
    tellings, memory = [], Memory()
    for at, result in results:
        telling, memory = decide(result, memory, NOW + at)
        tellings.append(telling)
    return tellings, memory


def test_the_same_failure_again_is_counted_in_the_same_message_and_calls_once_an_hour() -> None:
    tellings, _ = told(*((900.0 * n, replace(failure(), run=f"r{n}")) for n in range(6)))

    assert [t.ping for t in tellings] == [True, False, False, False, True, False]
    assert [t.key for t in tellings] == ["r0/failed"] * 4 + ["r4/failed"] * 2
    assert [t.row.same for t in tellings if t.row] == [1, 2, 3, 4, 5, 6]
    assert tellings[4].instead == "r0/failed"
    assert HOURLY == 3600


def test_a_failure_that_says_of_itself_that_it_repeats_calls_nobody() -> None:
    again = replace(failure(), outcome="failed", repeat=True)
    tellings, _ = told((0, failure()), *((7200.0 * n, replace(again, run=f"r{n}")) for n in range(1, 4)))

    assert [t.ping for t in tellings] == [True, False, False, False]
    assert {t.key for t in tellings} == {"run-3/failed"}


def test_numbers_do_not_make_it_another_failure_and_words_do() -> None:
    tellings, _ = told(
        (0, replace(failure(), run="a", reason="no answer after 61 s")),
        (1, replace(failure(), run="b", reason="no answer after 7 s")),
        (2, replace(failure(), run="c", reason="the port is taken")),
        (3, replace(failure(), run="d", reason="the port is taken", revision=OLD)),
    )

    assert [t.ping for t in tellings] == [True, False, True, True]
    assert tellings[-1].row and (tellings[-1].row.same, tellings[-1].row.total) == (1, 4)


def test_a_remote_that_was_away_once_is_no_news_and_twice_is() -> None:
    away = replace(failure(), outcome="failed", plan=None, error=DOWN)
    tellings, memory = told((0, replace(away, run="a")), (900, replace(away, run="b")))

    assert [t.state for t in tellings] == ["suppress", "failure"]
    assert tellings[1].row and tellings[1].row.total == 2
    assert decide(replace(nothing(), run="c"), memory, NOW)[0].recovered


def test_what_nobody_was_told_of_does_not_recover_either() -> None:
    _, memory = told((0, replace(failure(), outcome="failed", plan=None, error=DOWN)))
    telling, memory = decide(replace(nothing(), run="b"), memory, NOW)

    assert telling.state == "suppress"
    assert memory.failing is None


def test_recovery_is_told_with_how_often_and_how_long() -> None:
    tellings, memory = told(
        *((60.0 * n, replace(failure(), run=f"r{n}")) for n in range(3)), (840, replace(success(), run="well"))
    )

    assert tellings[-1].state == "full"
    assert tellings[-1].recovered
    assert tellings[-1].row and tellings[-1].row.total == 3
    assert memory.failing is None


def test_a_server_that_comes_and_goes_is_told_once() -> None:
    def down(why: str) -> Result:
        gate = GateAnswer(NEW, "unreachable", why)
        return replace(nothing(), held=f"CI unreachable: {why}", gate=gate)

    red, first, second = held("failed"), down("503"), down("asked again in 57 s")
    alone = [first, second, first]
    with_a_red_head = [red, first, red, second, red]

    for results in (alone, with_a_red_head):
        passes = [(60.0 * n, replace(result, run=str(n))) for n, result in enumerate(results)]
        tellings, _ = told(*passes)
        assert [telling.state for telling in tellings] == ["condensed", *["suppress"] * (len(results) - 1)]


def test_a_head_that_is_held_back_after_a_failure_is_no_recovery() -> None:
    tellings, memory = told((0, failure()), (60, replace(nothing(), run="b", held="4f2c1ab is blocked")))

    assert tellings[1].state == "suppress"
    assert memory.failing


def test_what_is_deployed_or_healed_behind_a_held_head_is_told() -> None:
    behind = replace(success(plan(Action.REPLACE)), held="CI of the head is pending")
    healed = replace(behind, base=NEW, run="healed")
    _, memory = decide(failure(), Memory(), NOW)

    assert decide(behind, Memory(), NOW)[0].state == "condensed"
    assert decide(behind, memory, NOW)[0].recovered, "an earlier commit than the head, and a good one"
    telling, after = decide(healed, memory, NOW)
    assert (telling.state, telling.recovered) == ("condensed", False)
    assert after.failing, "the head is as bad as it was"


def test_a_pause_that_holds_work_back_is_told_once() -> None:
    paused = replace(nothing(), outcome="paused", exit_code=3, reason="paused: disk swap", plan=plan(Action.CREATE))
    results = [(900.0 * n, replace(paused, run=f"r{n}")) for n in range(4)]
    tellings, memory = told(*results, (4000, replace(paused, run="other", reason="paused: another")))

    assert [t.state for t in tellings] == ["condensed", "suppress", "suppress", "suppress", "condensed"]
    _, memory = decide(replace(nothing(), run="free"), memory, NOW)
    assert decide(replace(paused, run="again"), memory, NOW)[0].state == "condensed"


def test_a_storm_of_routine_deploys_shares_one_message() -> None:
    routine = success(plan(Action.REPLACE))
    tellings, _ = told(*((6.0 * n, replace(routine, run=f"r{n:03}")) for n in range(200)))

    assert len({t.key for t in tellings}) == 200 * 6 // STORM
    assert tellings[49].storm and (tellings[49].storm.count, tellings[49].storm.base) == (50, OLD)


def test_healings_share_a_message_of_their_own_and_none_with_deploys() -> None:
    deploy, healing = success(plan(Action.REPLACE)), replace(success(plan(Action.START)), base=NEW)
    results = (deploy, healing, healing, deploy, healing)
    tellings, _ = told(*((6.0 * n, replace(result, run=f"r{n}")) for n, result in enumerate(results)))

    assert [t.key for t in tellings] == ["r0", "r1", "r1", "r3", "r4"]
    assert [t.why for t in tellings][:2] == ["routine", "drift was healed"]
    assert [t.storm.count for t in tellings if t.storm] == [1, 1, 2, 1, 1]


def test_routine_that_nobody_has_read_yet_goes_on_in_the_same_message() -> None:
    first, memory = decide(replace(success(plan(Action.REPLACE)), run="a"), Memory(), NOW)
    second, _ = decide(replace(success(plan(Action.REPLACE)), run="b"), memory, NOW + 86_400, frozenset(("a",)))

    assert first.key == second.key == "a"


def test_the_end_of_a_pass_that_said_it_takes_long_takes_that_place() -> None:
    memory = Memory(deploying="run")
    good, after = decide(replace(success(plan(Action.REPLACE)), run="run"), memory, NOW)
    bad, _ = decide(replace(failure(), run="run"), memory, NOW)

    assert good.key == "run"
    assert after.deploying == ""
    assert bad.edits_progress
    assert bad.ping
    assert bad.key != "run"
    assert BROKEN.code

"""One suite for every ledger: the shipped in-memory one and SQLite on a real disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.ledger.memory import MemoryLedger
from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.model.desired import RestartPolicy
from reconciler.model.report import VERIFIED, Intent, Outcome, Run, StepRecord
from reconciler.ports import Ledger

A, B = "a" * 40, "b" * 40
RUN = Run("r1", "converge", "timer", A, B, started=100.0, host="caroline")
STEP = StepRecord("r1", "core", "caddy", "recreate", ("image 2.7 -> 2.8", "port"), 101.0, 102.5, "ok", "healthy")
INTENT = Intent("r1", "replace", "c0ffee", "core-caddy-1", RestartPolicy("on-failure", 3), 101.0)


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    sqlite = SqliteLedger(str(tmp_path / "state" / "ledger.sqlite"))
    yield sqlite
    sqlite.close()


def end(ledger: Ledger, run_id: str, outcome: Outcome = "succeeded", exit_code: int = 0) -> None:
    ledger.finish(run_id, ended=200.0, outcome=outcome, exit_code=exit_code)


def test_a_new_ledger_is_fresh_and_empty(ledger: Ledger) -> None:
    assert ledger.fresh and ledger.loss is None
    assert ledger.runs() == () and ledger.unfinished() == () and ledger.open_intents() == ()
    assert ledger.verified() is None and ledger.attempts(A, "boot") == 0


def test_a_run_is_unfinished_until_it_is_finished(ledger: Ledger) -> None:
    ledger.begin(RUN)
    assert ledger.unfinished() == (RUN,)
    ledger.finish("r1", ended=160.0, outcome="failed", exit_code=4, reason="502s", detail="three probes")
    ended = replace(RUN, ended=160.0, outcome="failed", exit_code=4, reason="502s", detail="three probes")
    assert ledger.unfinished() == ()
    assert ledger.runs() == (ended,)
    assert ledger.run("r1") == (ended, ())


def test_steps_come_back_as_they_were_written_in_order(ledger: Ledger) -> None:
    ledger.begin(RUN)
    steps = (STEP, replace(STEP, service="", reasons=(), ended=None, result=""), replace(STEP, action="verify"))
    for step in steps:
        ledger.step(step)
    assert ledger.run("r1") == (RUN, steps)


def test_unknown_and_repeated_runs_are_refused(ledger: Ledger) -> None:
    ledger.begin(RUN)
    with pytest.raises(ValueError, match="begun already"):
        ledger.begin(RUN)
    with pytest.raises(KeyError):
        ledger.run("r2")
    with pytest.raises(KeyError):
        ledger.step(replace(STEP, run="r2"))
    with pytest.raises(KeyError):
        end(ledger, "r2")
    end(ledger, "r1")
    with pytest.raises(ValueError, match="ended already"):
        end(ledger, "r1", "failed", 1)
    assert ledger.run("r1")[0].outcome == "succeeded"


def test_an_intent_stays_open_until_it_is_settled(ledger: Ledger) -> None:
    other = replace(INTENT, run="r2", container="dec0de")
    ledger.intend(INTENT)
    ledger.intend(other)
    assert ledger.open_intents() == (INTENT, other)
    ledger.settle("r1", "c0ffee")
    ledger.settle("r1", "c0ffee")
    ledger.settle("r1", "dec0de")
    assert ledger.open_intents() == (other,)


def test_the_first_open_intent_stands_because_it_saw_the_real_policy(ledger: Ledger) -> None:
    ledger.intend(INTENT)
    ledger.intend(replace(INTENT, policy=RestartPolicy("no"), at=150.0))
    assert ledger.open_intents() == (INTENT,)
    ledger.settle("r1", "c0ffee")
    again = replace(INTENT, policy=RestartPolicy("always"), at=160.0)
    ledger.intend(again)
    assert ledger.open_intents() == (again,)


def test_runs_are_filtered_by_host_stack_and_service_newest_first(ledger: Ledger) -> None:
    for number, (host, stack, service) in enumerate(
        [("a", "core", "db"), ("a", "cache", "redis"), ("b", "core", "api")]
    ):
        ledger.begin(replace(RUN, id=f"r{number}", host=host, started=float(-number)))
        ledger.step(replace(STEP, run=f"r{number}", stack=stack, service=service))

    def ids(**target: str) -> list[str]:
        return [run.id for run in ledger.runs(**target)]  # type: ignore[arg-type]

    assert ids() == ["r2", "r1", "r0"]
    assert [run.id for run in ledger.runs(2)] == ["r2", "r1"]
    assert ids(host="a") == ["r1", "r0"]
    assert ids(stack="core") == ["r2", "r0"]
    assert ids(host="a", stack="core") == ["r0"]
    assert ids(stack="core", service="api") == ["r2"]
    assert ids(stack="cache", service="api") == []


@pytest.mark.parametrize("outcome", ["succeeded", "unchanged", "failed", "rolled-back"])
def test_only_a_run_that_says_so_moves_the_verified_revision(ledger: Ledger, outcome: Outcome) -> None:
    ledger.begin(RUN)
    ledger.step(StepRecord("r1", "", "", VERIFIED, (), 10.0, 10.0, "ok"))
    end(ledger, "r1")
    ledger.begin(replace(RUN, id="r2", revision=B, started=50.0))
    end(ledger, "r2", outcome, 1)
    assert ledger.verified() == A, "a pass over one stack ends well, too"
    ledger.begin(replace(RUN, id="r3", revision=B, started=-9e9))
    ledger.step(StepRecord("r3", "", "", VERIFIED, (), -9e9, -9e9, "ok"))
    assert ledger.verified() == B, "order comes from the ledger, not from a clock that may have jumped"


def test_attempts_count_per_revision_and_boot(ledger: Ledger) -> None:
    assert [ledger.note_attempt(A, "boot-1") for _ in range(3)] == [1, 2, 3]
    assert ledger.note_attempt(A, "boot-2") == 1
    assert ledger.note_attempt(B, "boot-1") == 1
    ledger.forget_attempts(A)
    assert [ledger.attempts(A, "boot-1"), ledger.attempts(A, "boot-2"), ledger.attempts(B, "boot-1")] == [0, 0, 1]


def test_threads_share_one_ledger(ledger: Ledger) -> None:
    ledger.begin(RUN)

    def work(number: int) -> int:
        ledger.step(replace(STEP, service=f"s{number}"))
        return ledger.note_attempt(A, "boot")

    with ThreadPoolExecutor(8) as pool:
        counts = sorted(pool.map(work, range(40)))
    assert counts == list(range(1, 41))
    assert {step.service for step in ledger.run("r1")[1]} == {f"s{n}" for n in range(40)}


def test_every_effect_is_a_method(ledger: Ledger) -> None:
    methods: list[Callable[..., object]] = [getattr(ledger, name) for name in Ledger.EFFECTS]
    assert all(callable(method) for method in methods)

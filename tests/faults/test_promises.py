"""What a pass promises, each in a few lines: no healthy container goes for a bad one, and nobody is overruled."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from reconciler.adapters.signals import SentinelSignals
from reconciler.model.gate import GateAnswer, GateState
from tests.support.crash import CrashHost
from tests.support.crash_scenarios import BAD, NEXT
from tests.support.crash_stacks import APP, BEFORE, CONF, EXTRA, SOLO, app, migrating, one
from tests.support.seam import Died, Seam

BOTH = {APP: app(db="box/db:2", web="box/web:2", more=EXTRA)}


@pytest.fixture
def good(host: CrashHost) -> str:
    """A host on which one revision is verified; which one."""
    good = host.commit(BEFORE)
    assert host.converge().outcome == "succeeded"
    return good


def signals(host: CrashHost) -> SentinelSignals:
    return SentinelSignals(host.state / "sentinels", person=True)


def at(trace: list[str], *points: str) -> list[int]:
    return [n for n, point in enumerate(trace) if point.startswith(tuple(f"before {each}" for each in points))]


def services(host: CrashHost, since: int) -> set[str]:
    return {slot.service for slot, _ in host.engine.started[since:]}


class Waiting:
    """Deploys that wait for their turn."""

    def __init__(self, *revisions: str) -> None:
        self.revisions = revisions

    def waiting(self) -> tuple[str, ...]:
        return self.revisions


class Gate:
    def __init__(self, state: GateState) -> None:
        self._state: GateState = state

    def judge(self, sha: str, base: str) -> GateAnswer:
        return GateAnswer(sha, self._state, "so it is")


# Nothing is touched too early


def test_an_image_that_cannot_be_pulled_ends_a_pass_before_anything_is_touched(host: CrashHost, good: str) -> None:
    host.commit({APP: app(web="box/nobody-has-it:1", more=EXTRA)})
    seam = Seam()

    failed = host.converge(seam)

    assert (failed.outcome, failed.exit_code) == ("failed", 1)
    assert not at(seam.trace, "repository.checkout", "engine.create", "engine.stop", "signals.block")
    assert signals(host).stamp() == good


def test_a_pass_with_nothing_to_do_asks_the_engine_for_nothing(host: CrashHost, good: str) -> None:
    calls = list(host.engine.calls)
    for _ in range(3):
        assert host.converge().outcome == "unchanged"
    assert host.engine.calls == calls


@pytest.mark.parametrize("state", get_args(GateState))
@pytest.mark.parametrize("command", ["converge", "deploy"])
def test_only_a_gate_that_is_open_lets_a_commit_through(
    host: CrashHost, good: str, state: GateState, command: str
) -> None:
    new = host.commit(NEXT)
    host.also["gate"] = Gate(state)

    host.converge() if command == "converge" else host.take("deploy", new)

    deployed = state in ("passed", "not triggered")
    assert signals(host).stamp() == (new if deployed else good)
    assert not signals(host).blocked(), "what CI says is no verdict of this host"


def test_the_content_of_a_config_may_change_though_its_file_has_another_name_then(host: CrashHost, good: str) -> None:
    changed = host.commit({APP: app(motd="good day", more=EXTRA)})
    assert host.converge().error is None
    assert signals(host).stamp() == changed


# The verdict


def test_the_stamp_is_written_when_all_is_up_and_never_for_what_failed(host: CrashHost, good: str) -> None:
    host.commit(NEXT)
    seam = Seam()
    host.converge(seam)
    (stamped,) = at(seam.trace, "signals.write_stamp")
    assert stamped > max(at(seam.trace, "engine.start", "engine.update", "engine.stop"))

    host.commit(BAD)
    seam = Seam()
    failed = host.converge(seam)
    assert (failed.outcome, failed.exit_code) == ("rolled-back", 4)
    assert not at(seam.trace, "signals.write_stamp")


def test_the_block_is_written_before_the_way_back_begins(host: CrashHost, good: str) -> None:
    host.commit(BAD)
    seam = Seam()
    host.converge(seam)
    (blocked,) = at(seam.trace, "signals.block")
    assert blocked < min(at(seam.trace, "engine.remove")), "something was taken back before the verdict was durable"
    assert at(seam.trace, "ledger.settle")[0] > blocked


def test_the_very_containers_of_before_serve_again_after_a_failure(host: CrashHost, good: str) -> None:
    before = {name: container.id for name, container in host.engine.by_name().items()}
    host.commit(BAD)
    assert host.converge().back is not None
    assert {name: container.id for name, container in host.engine.by_name().items()} == before
    assert all(c.running for c in host.engine.containers() if c.service in ("db", "web", "side", "extra"))


@pytest.mark.parametrize("lost", ["ledger.db", "sentinels/last-successful-deploy-sha"])
def test_the_way_back_is_known_though_the_ledger_or_the_stamp_is_lost(host: CrashHost, good: str, lost: str) -> None:
    for file in host.state.glob(f"{lost}*"):
        file.unlink()
    host.commit(BAD)

    undone = host.converge()

    assert undone.back and undone.back.to == good
    assert host.engine.by_name()["app-web-1"].image == "box/web:1"


def test_a_rollback_that_fails_halts_and_is_not_rolled_back(host: CrashHost, good: str) -> None:
    host.commit(NEXT)
    host.converge()
    host.engine.refuses.add("box/web:1")

    halted = host.take("rollback", good)

    assert halted.outcome == "halted" and halted.exit_code != 0
    kept = [c for c in host.engine.containers() if c.role == "kept" and c.image == "box/web:2"]
    assert kept and not kept[0].running
    assert "box/web:2" not in {c.image for c in host.engine.containers() if c.running}


def test_a_stack_that_fails_on_a_first_deploy_does_not_stop_the_others(host: CrashHost) -> None:
    host.commit({**BEFORE, "manifests/stacks/ill/compose.yaml": one("ill", "box/stubborn:1")})
    failed = host.converge()
    assert failed.outcome in ("failed", "rolled-back")
    assert host.engine.by_name()["app-web-1"].running and host.engine.by_name()["solo-solo-1"].running


def test_a_migration_runs_once_before_its_revision_is_verified_and_never_with_a_tick(host: CrashHost) -> None:
    host.commit({**BEFORE, APP: migrating()})
    seam = Seam()
    host.converge(seam)
    assert host.engine.rows == ["migrate schema"]
    host.engine.remove(host.engine.by_name()["app-web-1"].id)
    host.converge()
    host.converge()
    assert host.engine.rows == ["migrate schema"]
    host.commit({"README.md": "words\n"})
    host.converge()
    assert len(host.engine.rows) == 2


def test_a_migration_is_not_run_again_with_every_tick_while_another_stack_is_paused(host: CrashHost) -> None:
    host.commit({**BEFORE, APP: migrating()})
    good = host.converge().revision
    signals(host).pause("solo", "disk swap", "ana", "", None)
    newer = host.commit({SOLO: one("solo", "box/solo:2"), APP: migrating("more")})

    assert host.converge().outcome == "succeeded"
    rows = list(host.engine.rows)
    ticks = [host.converge().outcome for _ in range(2)]

    assert ticks == ["unchanged", "unchanged"] and host.engine.rows == rows
    assert signals(host).stamp() == good
    signals(host).resume("solo")
    assert host.converge().outcome == "succeeded" and signals(host).stamp() == newer


# Persons


def test_a_pause_that_a_person_raises_while_a_pass_works_is_there_when_it_has_ended(host: CrashHost, good: str) -> None:
    host.commit(NEXT)

    def in_the_middle(point: str) -> None:
        if point.startswith("before engine.stop"):
            signals(host).pause("", "disk swap", "ana", "", None)

    assert host.converge(Seam(look=in_the_middle)).outcome == "succeeded"

    pause = signals(host).paused()
    assert pause and pause.holder == "ana"


@pytest.mark.parametrize("command", ["converge", "deploy", "rollback"])
def test_a_pause_of_a_person_holds_every_door_shut(host: CrashHost, good: str, command: str) -> None:
    host.commit(NEXT)
    host.converge()
    newest = host.commit({APP: app(web="box/web:3", more=EXTRA)})
    signals(host).pause("", "disk swap", "ana", "", None)
    stamp, calls = signals(host).stamp(), list(host.engine.calls)

    asked: dict[str, Callable[[], object]] = {
        "converge": host.converge,
        "deploy": lambda: host.take("deploy", newest),
        "rollback": lambda: host.take("rollback", good),
    }
    asked[command]()

    assert (signals(host).stamp(), host.engine.calls) == (stamp, calls)
    assert signals(host).paused() and not signals(host).blocked()


# Several revisions, and what of them is restarted


@pytest.mark.parametrize("point", ["before ledger.note", "after repository.check", "after engine.start", "before led"])
def test_after_a_death_between_two_pushes_the_difference_to_the_verified_revision_is_restarted(
    host: CrashHost, good: str, point: str
) -> None:
    """c1 verified, c2 (a config of web) dies, c3 changes the database: both, whoever lives in web, no other."""
    since = len(host.engine.started)
    host.commit({APP: app(motd="bye", more=EXTRA)})
    with pytest.raises(Died):
        host.converge(Seam(point))
    host.commit({APP: app(motd="bye", db="box/db:2", more=EXTRA)})

    assert host.converge().outcome == "succeeded"

    assert services(host, since) == {"db", "web", "side"}


def test_what_a_superseded_deploy_would_have_changed_goes_with_the_newer_one(host: CrashHost, good: str) -> None:
    since = len(host.engine.started)
    second = host.commit({APP: app(db="box/db:2", more=EXTRA)})
    third = host.commit({CONF: "port 8080\n"})
    host.also["deploys"] = Waiting(second, third)
    seam = Seam()

    assert host.take("deploy", second, seam).outcome == "superseded"
    assert not at(seam.trace, "repository.checkout", "engine.create") and services(host, since) == set()
    assert host.take("deploy", third).outcome == "succeeded"

    assert services(host, since) == {"db", "web", "side"}
    host.also["deploys"] = Waiting()
    assert host.take("deploy", second).outcome == "superseded", "an older one went over a newer one"


def test_what_one_push_changed_and_the_next_took_back_restarts_nothing(host: CrashHost, good: str) -> None:
    since = len(host.engine.started)
    host.commit(BOTH)
    with pytest.raises(Died):
        host.converge(Seam("after ledger.aim"))
    last = host.commit({APP: app(more=EXTRA)})
    host.converge()
    assert services(host, since) == set() and signals(host).stamp() == last


def test_a_deploy_that_has_begun_to_touch_things_does_not_step_aside(host: CrashHost, good: str) -> None:
    second, third = host.commit(NEXT), host.commit({CONF: "port 8080\n"})
    waiting = host.also["deploys"] = Waiting(second)

    def another_comes(point: str) -> None:
        if point.startswith("before repository.checkout"):
            waiting.revisions = (second, third)

    assert host.take("deploy", second, Seam(look=another_comes)).outcome == "succeeded"
    assert signals(host).stamp() == second

"""deploy, rollback, accept: one exact revision because somebody says so, and what is never deployed by any door."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from reconciler.adapters.deploys import WaitingDeploys
from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.adapters.lock import Holder, PassLock
from tests.support.gitremote import Executable
from tests.support.host import Host

pytestmark = pytest.mark.engine

APP = "services: {{web: {{image: 'test/box:1', command: sleep 1000, environment: {{A: {0}}}}}}}"
SICK = "healthcheck: {test: [CMD, 'false'], interval: 100ms, retries: 1}"
BAD = APP.replace("sleep 1000,", f"sleep 1000, {SICK},".replace("{", "{{").replace("}", "}}"))


def stamp(host: Host) -> str:
    return (host.state / "sentinels/last-successful-deploy-sha").read_text().strip()


def paused(host: Host) -> bool:
    return (host.state / "sentinels/paused").exists()


def value(host: Host) -> str:
    return host.engine.cli("inspect", "-f", "{{index .Config.Env 0}}", "app-web-1")


def only_ids(host: Host) -> dict[str, str]:
    return {name: seen[0] for name, seen in host.started().items()}


def deploy(host: Host, *arguments: str, code: int = 0) -> dict[str, object]:
    ran = host.run("deploy", "--json", *arguments)
    assert ran.code == code, f"{ran.code}\n{ran.stdout}\n{ran.stderr}"
    return {**ran.data, "error": ran.error}


def test_a_deploy_goes_for_exactly_the_commit_that_is_named(host: Host) -> None:
    one = host.push(app=APP.format(1))
    two = host.push(app=APP.format(2))

    said = deploy(host, one)

    assert (said["outcome"], said["revision"]) == ("succeeded", one)
    assert stamp(host) == one and value(host) == "A=1" and not paused(host)
    assert deploy(host)["revision"] == two  # the head, when none is named
    assert value(host) == "A=2"


def test_a_commit_that_a_newer_one_has_overtaken_steps_aside_and_ends_well(host: Host) -> None:
    one = host.push(app=APP.format(1))
    host.push(app=APP.format(2))
    host.converge()
    before = host.ids()

    said = deploy(host, one)

    assert said["outcome"] == "superseded" and host.ids() == before and not paused(host)


def test_a_deploy_that_fails_is_put_back_blocked_and_leaves_the_host_paused_for_the_timer(host: Host) -> None:
    good = host.push(app=APP.format(1))
    deploy(host)
    before = only_ids(host)
    bad = host.push(app=BAD.format(2))

    said = deploy(host, bad, code=4)

    assert said["outcome"] == "rolled-back" and only_ids(host) == before and stamp(host) == good
    assert "reconciler resume box" in said["error"]["next"]  # type: ignore[index]
    waits = host.run("converge", "--yes")
    assert waits.code == 3 and f"deploy of {bad[:7]} failed" in waits.stdout
    assert deploy(host, bad, code=1)["error"]["code"] == "E-BLOCKED"  # type: ignore[index]
    assert paused(host), "a later deploy that failed took the pause away"
    fixed = host.push(app=APP.format(3))
    assert deploy(host)["revision"] == fixed
    assert not paused(host) and not list((host.state / "sentinels/blocked").iterdir())


def test_what_failed_stays_blocked_under_another_name(host: Host) -> None:
    host.push(app=APP.format(1))
    host.converge()
    good = host.remote.head
    bad = host.push(app=BAD.format(2))
    host.converge(code=4)

    docs = host.remote.commit({"README.md": "words"})
    assert "wants the same" in host.converge().data["held"]
    assert deploy(host, docs, code=1)["error"]["code"] == "E-BLOCKED"  # type: ignore[index]
    host.remote.force(good)
    amended = host.remote.commit({"manifests/stacks/app/compose.yaml": BAD.format(2)}, "the same in other words")
    assert amended != bad and "blocked" in host.converge().data["held"]
    host.push(app=APP.format(3))
    assert host.converge().data["held"] == ""


def test_a_bad_push_of_several_commits_is_held_back_as_a_whole(host: Host) -> None:
    good = host.push(app=APP.format(1))
    host.converge()
    host.push(app=APP.format(2))
    host.push(app=BAD.format(3))
    host.converge(code=4)

    assert host.converge().data["outcome"] == "unchanged"
    assert stamp(host) == good and value(host) == "A=1"


def test_only_what_the_branch_holds_is_deployed(host: Host) -> None:
    host.push(app=APP.format(1))
    host.converge()
    host.remote.git("branch", "fork", "main")
    theirs = host.remote.commit({"manifests/stacks/app/compose.yaml": APP.format(2)}, branch="fork")
    host.remote.git("update-ref", "refs/pull/1/head", theirs)

    assert deploy(host, theirs, code=1)["error"]["code"] == "E-DEPLOY-BRANCH"  # type: ignore[index]
    found = subprocess.run(["git", "-C", host.state / "repository.git", "cat-file", "-e", theirs], capture_output=True)
    assert found.returncode != 0, "a commit of a fork was fetched"


def test_a_person_s_pause_holds_a_deploy_and_a_rollback_back(host: Host) -> None:
    host.push(app=APP.format(1))
    host.converge()
    host.push(app=APP.format(2))
    (host.state / "sentinels/paused").touch()

    deploy(host, code=3)
    assert host.run("rollback", "box", host.remote.head, "--reason", "x").code == 1  # it does not run yet
    assert value(host) == "A=1" and paused(host)


def test_a_rollback_goes_back_blocks_what_ran_and_stays_there_until_something_newer_comes(host: Host) -> None:
    one = host.push(app=APP.format(1))
    host.converge()
    two = host.push(app=APP.format(2))
    host.converge()
    assert value(host) == "A=2"

    ran = host.run("rollback", "box", "--reason", "it is slow", "--json")

    assert ran.code == 0, ran.stdout + ran.stderr
    assert (ran.data["outcome"], ran.data["revision"]) == ("succeeded", one)
    assert stamp(host) == one and value(host) == "A=1"
    assert "it is slow" in (host.state / f"sentinels/blocked/{two}").read_text()
    at_once = host.run("status", "--check", "--json")
    held = host.converge()
    assert held.data["outcome"] == "unchanged" and "it is slow" in held.data["held"]
    later = host.run("status", "--check", "--json")
    assert at_once.code == later.code == 2
    for what in ("sync", "held", "desired", "running", "health"):
        assert at_once.data[what] == later.data[what]
    assert (at_once.data["sync"], at_once.data["desired"]) == ("held", one)
    host.push(app=APP.format(3))
    host.converge()
    assert value(host) == "A=3" and not list((host.state / "sentinels/blocked").iterdir())


def test_a_rollback_needs_no_remote(host: Host) -> None:
    host.push(app=APP.format(1))
    host.converge()
    host.push(app=APP.format(2))
    host.converge()
    host.remote.path.rename(host.remote.path.with_suffix(".away"))

    assert host.run("rollback", "box", "--reason", "the forge is down, too").code == 0
    assert value(host) == "A=1"


def test_a_rollback_without_anything_before_it_says_so(host: Host) -> None:
    head = host.push(app=APP.format(1))
    host.converge()

    first = host.run("rollback", "box", "--reason", "x", "--json")
    same = host.run("rollback", "box", head[:8], "--reason", "x", "--json")
    unknown = host.run("rollback", "box", "abcdef0", "--reason", "x", "--json")
    stack = host.run("rollback", "box/app", "--reason", "x", "--json")

    assert [first.error["code"], same.error["code"]] == ["E-ROLLBACK", "E-ROLLBACK"]
    assert (unknown.code, unknown.error["code"], stack.code) == (64, "E-REVISION", 64)


def test_a_rewritten_branch_is_followed_once_a_person_accepts_it(host: Host) -> None:
    base = host.remote.head
    one = host.push(app=APP.format(1))
    host.converge()
    host.remote.force(base)
    rewritten = host.push(app=APP.format(2))

    refused = host.converge(code=1)
    assert refused.error["code"] == "E-REWRITTEN" and f"reconciler accept {rewritten}" in refused.error["next"]
    assert value(host) == "A=1"
    assert host.run("accept", one).code == 1  # not on the branch any more
    assert host.run("accept", rewritten[:9]).code == 0
    host.converge()
    assert value(host) == "A=2" and stamp(host) == rewritten
    assert not (host.state / "sentinels/accepted").exists()


@pytest.mark.parametrize("looked_meanwhile", [True, False])
def test_clearing_a_block_by_hand_is_noticed_recorded_and_obeyed(host: Host, looked_meanwhile: bool) -> None:
    host.push(app=APP.format(1))
    host.converge()
    bad = host.push(app=BAD.format(2))
    host.converge(code=4)
    if looked_meanwhile:
        host.converge()
    (host.state / "sentinels/blocked" / bad).unlink()

    ran = host.converge(code=4)  # it is tried again, as the person wanted

    assert f"blocked/{bad} was cleared by hand" in ran.stderr + ran.stdout
    shown = host.run("history", "show", ran.data["run"]).stdout
    assert f"blocked/{bad} was cleared by hand" in shown


def test_who_is_told_that_a_commit_is_blocked_is_told_what_to_clear(host: Host) -> None:
    host.push(app=APP.format(1))
    host.converge()
    bad = host.push(app=BAD.format(2))
    host.converge(code=4)
    words = host.push({"readme.md": "the same wish with other words"})

    refused = host.run("deploy", words, "--json")

    assert refused.error["code"] == "E-BLOCKED" and f"sentinels clear {bad}" in refused.error["next"]
    assert host.run("sentinels", "clear", bad).code == 0


def test_a_lost_ledger_begins_again_with_what_is_verified_and_forgets_no_block(host: Host) -> None:
    good = host.push(app=APP.format(1))
    host.converge()
    bad = host.push(app=BAD.format(2))
    host.converge(code=4)
    (host.state / "ledger.db").write_bytes(b"not a database at all")
    for rest in host.state.glob("ledger.db-*"):
        rest.unlink()

    ran = host.converge()

    assert ran.data["outcome"] == "unchanged" and bad[:7] in ran.data["held"]
    told = [json.loads(line) for line in host.run("history", "export").stdout.splitlines()]
    assert [each["run"]["command"] for each in told] == ["rebuild", "converge"]
    assert told[0]["run"]["revision"] == good and "1 block stands" in told[0]["run"]["reason"]
    assert list(host.state.glob("ledger.db.broken-*"))


def test_passes_that_die_at_a_revision_block_it_at_the_fourth_and_a_reboot_counts_anew(host: Host) -> None:
    good = host.push(app=APP.format(1))
    host.converge()
    bad = host.push(app=APP.format(2))
    ledger = SqliteLedger(host.state / "ledger.db")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    for _ in range(3):
        ledger.note_attempt(bad, "another boot")
        assert ledger.note_attempt(bad, boot) <= 3
    ledger.close()

    ran = host.converge()

    assert "3 passes died at it" in ran.data["held"] and (host.state / "sentinels/blocked" / bad).exists()
    assert stamp(host) == good and value(host) == "A=1"
    assert host.run("sentinels", "clear", bad).code == 0
    assert host.converge().data["revision"] == bad and value(host) == "A=2"


MIGRATING = """
    x-reconciler:
      migrations:
        - {{name: schema, service: db, command: [sh, -c, '{0}'], timeout: 30s}}
    services:
      db: {{image: 'test/box:1', command: sleep 1000, volumes: ['data:/data']}}
      web: {{image: 'test/box:1', command: sleep 1000, environment: {{A: {1}}}, depends_on: [db]}}
    volumes: {{data: {{}}}}
    """


def rows(host: Host) -> list[str]:
    return host.engine.cli("exec", "app-db-1", "cat", "/data/rows").split()


def test_migrations_go_with_every_revision_and_never_with_a_tick(host: Host) -> None:
    add = 'echo "$$RECONCILER_MODE" >> /data/rows'
    host.push(app=MIGRATING.format(add, 1))
    assert "> migrate app: schema" in host.run("plan").stdout
    host.converge()
    assert "> migrate" not in host.run("plan").stdout
    assert rows(host) == ["deploy"]
    host.settled()
    host.engine.cli("rm", "-f", "app-web-1")
    host.converge()  # drift is healed without one
    assert rows(host) == ["deploy"]
    host.remote.commit({"app/code.py": "x"})  # nothing of the stack changed
    ran = host.converge()
    assert rows(host) == ["deploy", "deploy"] and "1 migrated" in ran.data["reason"]
    assert "schema  migrate: ok" in host.run("history", "show", ran.data["run"]).stdout.replace("app/db  ", "schema  ")


def test_a_migration_runs_before_the_new_code_and_a_failing_one_leaves_the_old_code_serving(host: Host) -> None:
    host.push(app=MIGRATING.format("true", 1))
    host.converge()
    before = host.ids()
    bad = host.push(app=MIGRATING.format("echo half >> /data/rows; echo no such column; exit 3", 2))

    ran = host.converge(code=4)

    assert ran.error["code"] == "E-MIGRATION" and "no such column" in ran.error["why"]
    assert host.ids() == before, "the new code was started before its migration was through"
    assert rows(host) == ["half"], "a volume was touched by the way back"
    assert "schema stays ahead" in ran.error["unchanged"]
    assert (host.state / "sentinels/blocked" / bad).exists()
    assert host.converge().data["outcome"] == "unchanged"


def test_code_that_fails_after_its_migration_is_put_back_and_told_that_the_schema_is_ahead(
    host: Host,
) -> None:
    host.push(app=MIGRATING.format("true", 1))
    host.converge()
    text = MIGRATING.format("echo one >> /data/rows", 2).replace("environment", f"{SICK}, environment")
    host.push(app=text)

    ran = host.converge(code=4)

    assert ran.error["code"] == "E-VERIFY" and "schema stays ahead" in ran.error["unchanged"]
    assert rows(host) == ["one"] and value(host) == "A=1"


def test_a_migration_that_hangs_is_ended_at_its_timeout(host: Host) -> None:
    host.push(app=MIGRATING.format("true", 1))
    host.converge()
    host.push(app=MIGRATING.format("sleep 1000", 2).replace("timeout: 30s", "timeout: 1s"))

    ran = host.converge(code=4)

    assert ran.error["code"] == "E-MIGRATION-TIMEOUT" and value(host) == "A=1"
    assert set(host.containers()) == {"app-db-1", "app-web-1"}


def test_a_migration_on_the_host_runs_in_the_new_check_out_when_the_host_allows_it(host: Host, tmp_path: Path) -> None:
    text = f"""
        x-reconciler: {{migrations: [{{name: host, run: [scripts/migrate.sh, '{tmp_path}/rows'], needs: [web]}}]}}
        services: {{web: {{image: 'test/box:1', command: sleep 1000}}}}
        """
    host.remote.commit({"scripts/migrate.sh": Executable('#!/bin/sh\necho "$RECONCILER_MODE" >> "$1"\n')})
    host.push(app=text)
    assert host.converge(code=1).error["code"] == "E-GUARD-PRIVILEGED" and not host.containers()
    host.config.write_text(host.config.read_text().replace("[trust]", '[trust]\nallow_privileged = ["app"]'))

    host.converge()

    assert (tmp_path / "rows").read_text() == "deploy\n"


def test_a_deploy_steps_aside_for_a_newer_one_that_waits(host: Host) -> None:
    host.push(app=APP.format(1))
    host.converge()
    two = host.push(app=APP.format(2))
    three = host.push(app=APP.format(3))

    with WaitingDeploys(host.state).waiting_for(three, "another"):
        said = deploy(host, two)

    assert said["outcome"] == "superseded" and value(host) == "A=1" and not paused(host)
    assert deploy(host, three)["outcome"] == "succeeded"


def test_a_deploy_waits_for_the_pass_that_runs_but_not_for_ever(host: Host) -> None:
    host.push(app=APP.format(1))
    host.converge()
    two = host.push(app=APP.format(2))
    lock = PassLock(host.state)
    lock.acquire(Holder(os.getpid(), time.time(), "a test"))

    assert host.run("deploy", two, "--wait", "1s").code == 75
    waiting = host.begin("deploy", two, "--json")
    lock.release()

    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, out + err
    assert value(host) == "A=2"


def test_what_was_gone_back_to_is_looked_at_and_told_when_it_is_not_well_either(host: Host, tmp_path: Path) -> None:
    verify = f"x-reconciler: {{verify: [{{file: '{host.checkout}/ok', within: 1s, interval: 100ms}}]}}\n"
    (host.checkout / "ok").parent.mkdir(parents=True, exist_ok=True)
    (host.checkout / "ok").write_text("yes")
    host.push(app=verify + APP.format(1))
    host.converge()
    before = only_ids(host)
    (host.checkout / "ok").unlink()
    host.push(app=verify + BAD.format(2))

    ran = host.converge(code=1)

    assert (ran.data["outcome"], ran.error["code"]) == ("halted", "E-UNDO-SICK")
    assert "health check" in ran.error["why"] and only_ids(host) == before
    (host.checkout / "ok").write_text("yes")
    assert host.converge().data["outcome"] == "unchanged"


def test_a_deploy_looks_at_the_probes_as_every_pass_does(host: Host) -> None:
    """Its own pause is none for what it has to look at."""
    verify = "x-reconciler: {{verify: [{{exec: [test, -e, {0}], service: web, within: 1s, interval: 100ms}}]}}\n"
    good = host.push(app=verify.format("/bin/sh") + APP.format(1))
    deploy(host)
    bad = host.push(app=verify.format("/nothing") + APP.format(2))

    said = deploy(host, bad, code=4)

    assert said["error"]["code"] == "E-VERIFY-EXEC"  # type: ignore[index]
    assert stamp(host) == good and value(host) == "A=1" and (host.state / "sentinels/blocked" / bad).exists()

"""Being told, as a user has it: a push, a failure, its recovery, and a sign of life after every pass."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler import durable
from tests.support.discord import TOKEN, Discord, discord
from tests.support.host import Host, free_port, until

pytestmark = pytest.mark.engine

FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {{box: {{connect: local, checkout: {checkout}}}}}\n{more}"
NOTICES = 'notifications: {discord: {webhook: {secret: hook}, mention_on_failure: "<@&42>"}}\n'
PASSWORD = "correct horse battery"


def web(number: int, command: str = "sleep 600") -> str:
    return f"""
    services:
      web:
        image: test/box:{number}
        command: [sh, -c, "{command}"]
        env_file: [.env]
        stop_grace_period: 0s
        healthcheck: {{test: [CMD, "true"], interval: 200ms, timeout: 1s, retries: 1}}
    """


@pytest.fixture
def there() -> Iterator[Discord]:
    with discord() as running:
        yield running


@pytest.fixture
def told(host: Host, there: Discord, tmp_path: Path) -> Host:
    """A host that tells people, whose first stack runs."""
    etc = host.config.parent
    durable.put(etc / "secrets" / "hook", f"{there.address}\n".encode())
    durable.put(etc / "env" / "app" / ".env", f"PASSWORD={PASSWORD}\n".encode())
    with host.config.open("a") as file:
        file.write(f'\n[heartbeat]\ntextfile = "{tmp_path}/textfile/reconciler.prom"\n')
    want(host, NOTICES)
    host.push(app=web(1))
    host.converge()
    return host


def want(host: Host, notifications: str) -> None:
    host.remote.commit({"manifests/fleet.yaml": FLEET.format(checkout=host.checkout, more=notifications)}, "the fleet")


def metrics(host: Host) -> dict[str, float]:
    """The textfile by metric and labels."""
    text = (host.folder / "textfile" / "reconciler.prom").read_text()
    rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def tick(host: Host) -> str:
    """A pass as the timer asks for it."""
    ran = host.run("converge", "--yes")
    assert ran.code in (0, 1, 3, 4), ran.stderr
    return ran.stdout


def test_a_push_a_failure_and_its_recovery_are_told(told: Host, there: Discord) -> None:
    assert there.titles == ["box · app: deployed " + head(told)]
    bad = f"echo {PASSWORD} >&2; sleep 0.1; exit 3"
    told.push(app=web(2, bad))
    told.converge(code=4)
    failed = list(there.messages.values())[-1]
    assert failed["content"] == "<@&42>"
    assert failed["allowed_mentions"] == {"parse": [], "roles": ["42"]}
    assert "rolled back" in failed["embeds"][0]["title"]
    fields = {field["name"]: field["value"] for field in failed["embeds"][0]["fields"]}
    assert {"Failed step", "What runs now", "Rollback", "Next", "Revision", "Took", "By"} <= fields.keys()
    tick(told)
    assert len(there.messages) == 2, "a head that is held back is no news"

    told.push(app=web(2))
    told.converge()
    assert "well again after 1 failure" in there.titles[-1]
    assert len(there.messages) == 3
    assert not there.refused
    for asked in there.asked:
        assert PASSWORD.encode() not in asked.raw
        assert TOKEN.encode() not in asked.raw


def head(host: Host) -> str:
    return (host.state / "sentinels" / "last-successful-deploy-sha").read_text()[:7]


@pytest.mark.parametrize("mode", ["429", "500", "404", "closed", "redirect"])
def test_no_trouble_with_notices_alters_an_outcome(told: Host, there: Discord, mode: str) -> None:
    there.mode, there.retry_after = mode, 600
    told.push(app=web(2))
    assert told.converge().data["outcome"] == "succeeded"
    told.push(app=web(1, "exit 1"))
    told.converge(code=4)
    assert told.run("status", "--json").data["notices"]["waiting"] == 2
    assert metrics(told)["reconciler_notices_waiting"] == 2

    for text in (path.read_bytes() for path in told.state.rglob("*") if path.is_file() and path.stat().st_size < 1e6):
        assert TOKEN.encode() not in text


def test_a_hanging_discord_holds_a_pass_for_a_short_time_and_no_second_one(told: Host, there: Discord) -> None:
    there.mode = "hang"
    told.push(app=web(2))
    told.converge()
    asked = len(there.asked)
    tick(told)

    assert len(there.asked) == asked, "it waits half a minute at least"
    assert told.run("status", "--json").data["notices"]["waiting"] == 1


def test_what_waits_goes_with_a_later_pass_and_until_then_no_look_is_quick(told: Host, there: Discord) -> None:
    there.mode, there.retry_after = "429", 11.0
    told.push(app=web(2))
    told.converge()
    assert "quick look" not in tick(told)
    assert "quick look" not in tick(told)
    there.mode = "ok"
    until(lambda: tick(told) and len(there.messages) == 2, 60)

    until(lambda: "quick look" in tick(told))
    assert len(there.messages) == 2


def test_bad_manifests_are_told_by_the_fleet_as_it_was(told: Host, there: Discord) -> None:
    told.remote.commit({"manifests/fleet.yaml": "kind: Flotte\n"}, "oops")
    told.converge(code=78)

    assert there.titles[-1] == "box: deploy failed"
    assert "E-MANIFEST" in json.dumps(list(there.messages.values())[-1])


def test_a_host_that_tells_nobody_asks_nobody(host: Host, there: Discord) -> None:
    durable.put(host.config.parent / "env" / "app" / ".env", b"A=b\n")
    host.push(app=web(1))
    host.converge()
    host.push(app=web(1, "exit 1"))
    host.converge(code=4)

    assert not there.asked
    assert host.run("notify", "test", "--json").error["code"] == "E-NOTICE-NONE"


def test_a_test_says_what_the_other_side_answered(told: Host, there: Discord) -> None:
    fine = told.run("notify", "test", "--failure", "--json")
    assert fine.code == 0
    assert fine.data["discord"]["delivered"]
    assert there.pings == ["<@&42>"]

    there.mode = "404"
    ran = told.run("notify", "test", "--json")
    assert (ran.code, ran.error["code"]) == (1, "E-NOTICE-UNSENT")
    assert "404: Unknown Webhook" in ran.error["why"]
    assert TOKEN not in ran.stdout + ran.stderr


def test_a_webhook_that_is_gone_is_told_by_status_and_doctor_until_a_test_gets_through(
    told: Host, there: Discord
) -> None:
    there.mode = "404"
    told.push(app=web(2))
    told.converge()
    assert "no notices to discord" in told.run("status").stderr
    findings = [f for f in told.run("doctor", "--json").data["findings"] if f["check"] == "notices"]
    assert [finding["level"] for finding in findings] == ["warn", "warn"]
    assert "given up" in findings[1]["what"]

    there.mode = "ok"
    assert told.run("notify", "test").code == 0
    tick(told)
    assert len(there.messages) == 3
    assert [f["level"] for f in told.run("doctor", "--json").data["findings"] if f["check"] == "notices"] == ["ok"]


def test_every_pass_leaves_a_sign_of_life(told: Host) -> None:
    textfile = told.folder / "textfile" / "reconciler.prom"
    assert textfile.stat().st_mode & 0o777 == 0o644
    first = metrics(told)
    assert first["reconciler_last_pass_exit_code"] == 0
    assert first[f'reconciler_deployed_revision_info{{revision="{told.remote.head}"}}'] == 1

    until(lambda: "quick look" in tick(told))
    quick = metrics(told)
    assert quick["reconciler_last_success_timestamp_seconds"] > first["reconciler_last_success_timestamp_seconds"]
    assert quick['reconciler_last_pass_outcome_info{outcome="unchanged"}'] == 1

    told.push(app=web(1, "exit 1"))
    told.converge(code=4)
    failed = metrics(told)
    assert failed["reconciler_last_success_timestamp_seconds"] == quick["reconciler_last_success_timestamp_seconds"]
    assert failed["reconciler_blocked_revisions"] == 1
    assert failed["reconciler_last_pass_exit_code"] == 4
    assert any(name.startswith("reconciler_last_error_info{code=") for name in failed)

    tick(told)
    assert metrics(told)["reconciler_held"] == 1
    assert told.run("pause", "--reason", "disk swap").code == 0
    assert told.run("converge", "--yes").code == 3
    paused = metrics(told)
    assert time.time() - paused["reconciler_paused_since_timestamp_seconds"] < 600
    assert paused["reconciler_last_pass_exit_code"] == 3
    done = subprocess.run(["promtool", "check", "metrics"], input=textfile.read_text(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_node_exporter_serves_it(told: Host) -> None:
    port = free_port()
    command = ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}", "--collector.disable-defaults"]
    command += ["--collector.textfile", f"--collector.textfile.directory={told.folder / 'textfile'}"]
    exporter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def served() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    try:
        until(served)
        text = served()
    finally:
        exporter.terminate()
        exporter.wait(10)

    assert "reconciler_last_success_timestamp_seconds" in text
    assert "node_textfile_scrape_error 0" in text


def test_silence_is_noticed(told: Host) -> None:
    assert told.run("status", "--check").code == 0
    old = told.config.read_text()
    told.config.write_text(old.replace("[heartbeat]", '[heartbeat]\nstale_after = "1ms"'))
    ran = told.run("status", "--check", "--json")
    assert (ran.code, ran.error["code"]) == (1, "E-STALE")

    assert told.run("pause", "--reason", "disk swap").code == 0
    assert told.run("status", "--check").code == 2, "a pause is meant"
    told.config.write_text(old.replace("[heartbeat]", '[heartbeat]\nstale_after = "0"'))
    assert told.run("resume").code == 0
    assert told.run("status", "--check").code == 0


def test_an_old_pause_is_named(told: Host) -> None:
    paused = told.state / "sentinels" / "paused"
    now = time.time()
    old = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 2 * 3600))
    assert told.run("pause", "--reason", "disk swap").code == 0
    lines = [f"at: {old}" if line.startswith("at:") else line for line in paused.read_text().splitlines()]
    assert "already" not in told.run("status").stderr
    paused.write_text("\n".join([*lines, ""]))

    assert "paused for 2h already" in told.run("status").stderr


def test_a_pass_that_found_another_one_at_work_says_so(told: Host) -> None:
    holder = told.begin("converge", "--yes", "--json")
    busy = [told.begin("converge", "--yes", "--json") for _ in range(3)]
    codes = [process.wait(60) for process in (holder, *busy)]
    for process in (holder, *busy):
        process.communicate()

    assert 75 in codes
    told.converge()
    assert metrics(told)["reconciler_last_busy_timestamp_seconds"] > 0


def test_a_pass_that_takes_long_says_so_and_then_how_it_ended(told: Host, there: Discord) -> None:
    told.looks_on_for("21s")
    told.push(app=web(2))
    process = told.begin("converge", "--yes", "--json")
    until(lambda: there.titles[-1] == "box: deploying", 60)
    assert list(there.messages.values())[-1]["flags"] == 4096
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert len(there.messages) == 2
    assert there.titles[-1] == f"box · app: deployed {head(told)}"


def test_healing_is_told_as_healing_and_never_as_a_deploy(told: Host, there: Discord) -> None:
    told.engine.cli("rm", "-f", "app-web-1")
    told.converge()
    (embed,) = list(there.messages.values())[-1]["embeds"]
    assert embed["title"] == f"box · app: healed at {head(told)}"
    assert embed["fields"][0] == {"name": "Drift", "value": "app/web: container missing", "inline": False}

    told.engine.cli("stop", "-t", "0", "app-web-1")
    told.converge()
    assert len(there.messages) == 2
    assert there.titles[-1] == f"box · app: healed 2 times, now at {head(told)}"

    told.push(app=web(2))
    told.converge()
    assert len(there.messages) == 3
    assert there.titles[-1] == f"box · app: deployed {head(told)}"


def test_healing_that_fails_is_no_failed_deploy(told: Host, there: Discord) -> None:
    told.engine.cli("rm", "-f", "app-web-1")
    told.engine.cli("run", "-d", "--name", "app-web-1", "test/box:1")
    told.converge(code=1)
    assert there.titles[-1] == "box · app: healing failed"

    told.engine.cli("rm", "-f", "app-web-1")
    told.converge()
    assert there.titles[-1].startswith(f"box · app: healed at {head(told)}, well again after 1 failure, ")


def test_healing_that_takes_long_says_that_it_heals(told: Host, there: Discord) -> None:
    told.looks_on_for("21s")
    told.engine.cli("rm", "-f", "app-web-1")
    process = told.begin("converge", "--yes", "--json")
    until(lambda: there.titles[-1] == "box: healing", 60)
    process.communicate(timeout=60)

    assert there.titles[-1] == f"box · app: healed at {head(told)}"


def test_a_pass_that_is_killed_while_it_tells_is_told_by_the_next(told: Host, there: Discord) -> None:
    there.mode = "hang"
    told.push(app=web(2))
    asked = len(there.asked)
    process = told.begin("converge", "--yes", "--json")
    until(lambda: len(there.asked) > asked, 60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    there.mode = "ok"
    tick(told)

    assert len(there.messages) == 2
    assert "may have been told before" in list(there.messages.values())[-1]["embeds"][0]["footer"]["text"]

"""A deploy on a failing machine: the engine dies, containers change their mind, the way back is barred."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.host import Host, until

pytestmark = pytest.mark.engine

APP = """
    services:
      db: {{image: 'test/box:1', command: sleep 1000, stop_grace_period: 0s}}
      web:
        image: test/box:1
        command: {command}
        stop_grace_period: 0s
        restart: unless-stopped
        environment: {{A: {value}}}
        depends_on: [db]
        {more}
    """


def app(value: int, command: str = "sleep 1000", more: str = "") -> str:
    return APP.format(value=value, command=command, more=more)


def stamp(host: Host) -> str:
    return (host.state / "sentinels/last-successful-deploy-sha").read_text().strip()


def blocked(host: Host) -> list[str]:
    folder = host.state / "sentinels/blocked"
    return [each.name for each in folder.iterdir()] if folder.exists() else []


@pytest.fixture
def shaky(tmp_path: Path, other_engine: Engine) -> Host:
    """A host whose engine may be killed."""
    return Host(tmp_path, other_engine)


def test_an_engine_killed_mid_deploy_blocks_nothing_and_the_next_ticks_converge(shaky: Host) -> None:
    shaky.push(app=app(1))
    shaky.converge()
    slow = "healthcheck: {test: [CMD, test, -e, /ok], interval: 200ms, retries: 50}"
    head = shaky.push(app=app(2, "sh -c 'sleep 4; touch /ok; sleep 1000'", slow))
    deploying = shaky.begin("deploy", "--json")
    until(lambda: any(".kept-" in name for name in shaky.containers()))

    shaky.engine.restart(kill=True)
    out, _ = deploying.communicate(timeout=120)

    assert deploying.returncode in (1, 69), out
    assert not blocked(shaky)
    for _ in range(2):
        assert shaky.run("deploy", "--json").code in (0, 1, 69)
    assert stamp(shaky) == head and not (shaky.state / "sentinels/paused").exists()
    assert set(shaky.containers()) == {"app-db-1", "app-web-1"}
    assert all(c["State"]["Running"] for c in shaky.containers().values())


def test_a_container_that_is_healthy_and_then_sick_is_caught_by_the_window(host: Host) -> None:
    host.push(app=app(1))
    host.converge()
    check = "healthcheck: {test: [CMD, test, -e, /ok], interval: 200ms, retries: 1}"
    host.push(app=app(2, "sh -c 'touch /ok; sleep 2; rm /ok; sleep 1000'", check))
    host.looks_on_for("4s")

    ran = host.converge(code=4)

    assert "its health check fails" in ran.error["what"] and host.inspect("app-web-1")["Config"]["Env"][0] == "A=1"


def test_a_service_that_ends_well_is_no_success(host: Host) -> None:
    """One that is no job: it exits with 0 when nobody looks any more but the window."""
    host.push(app=app(1))
    host.converge()
    host.push(app=app(2, "sh -c 'sleep 1'").replace("restart: unless-stopped", 'restart: "no"'))
    host.looks_on_for("4s")

    ran = host.converge(code=4)

    assert "exited with code 0" in ran.error["what"] and "x-reconciler: {job: true}" in ran.error["what"]


def test_a_rollback_whose_target_is_broken_halts_once_and_keeps_what_there_is(host: Host) -> None:
    """The older revision cannot be well any more: the host's file that it looks for has become a folder."""
    outside = host.folder / "outside"
    outside.mkdir()
    host.config.write_text(
        host.config.read_text().replace("allow_host_mounts = [", f'allow_host_mounts = ["{outside}", ', 1)
    )
    (outside / "conf").write_text("x")
    more = f"volumes: ['{outside}:/etc/outside:ro']\n        "
    more += "healthcheck: {test: [CMD, test, -f, /etc/outside/conf], interval: 200ms, retries: 1}"
    old = host.push(app=app(1, more=more))
    host.converge()
    host.push(app=app(2))
    new = host.remote.head
    host.converge()
    (outside / "conf").unlink()
    (outside / "conf").mkdir()
    (outside / "conf" / "x").touch()

    ran = host.run("rollback", "box", old[:10], "--reason", "slow", "--json")

    assert ran.code == 1 and ran.data["outcome"] == "halted", ran.stdout
    assert stamp(host) == new and new in blocked(host)
    kept = [name for name in host.containers() if ".kept-" in name]
    assert kept or host.containers()["app-web-1"]["State"]["Running"], "the container of before is gone"
    host.converge()
    assert host.inspect("app-web-1")["State"]["Running"], "the next pass did not bring back what was verified"
    assert host.inspect("app-web-1")["Config"]["Env"][0] == "A=2"


def test_timers_and_deploys_at_once_are_one_pass_at_a_time_and_end_at_the_head(host: Host) -> None:
    host.push(app=app(1))
    host.converge()
    for value in range(2, 5):
        host.push(app=app(value))
    head = host.push(app=app(5))
    many = [
        host.begin("converge", "--yes"),
        host.begin("deploy"),
        host.begin("converge", "--yes"),
        host.begin("deploy"),
    ]

    codes = [process.wait(timeout=120) for process in many]
    said = [process.communicate() for process in many]

    assert set(codes) <= {0, 3, 75} and 0 in codes, said
    assert stamp(host) == head and host.inspect("app-web-1")["Config"]["Env"][0] == "A=5"
    assert set(host.containers()) == {"app-db-1", "app-web-1"}

"""What goes wrong in a pass: nothing is lost, the exit code is true, and the next passes do the right thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.host import Host, until

pytestmark = pytest.mark.engine

HEALTHY = """
    services:
      web:
        {{image: 'test/box:1', command: {0}, healthcheck: {{test: [CMD, test, -e, /ok], interval: 200ms, retries: 2}}}}
      db: {{image: 'test/box:1', environment: {{A: {1}}}, depends_on: {{web: {{condition: service_healthy}}}}}}
      {2}: {{image: 'test/box:1', depends_on: [db]}}
    """
GOOD, BAD = "sh -c 'touch /ok; sleep 1000'", "sleep 1000"


def test_an_image_that_cannot_be_pulled_stops_the_pass_before_anything_is_touched(host: Host) -> None:
    host.push(app="services: {web: {image: 'test/box:1'}}")
    host.converge()
    host.push(app="services: {web: {image: '127.0.0.1:9/no/such:1'}, db: {image: 'test/box:1'}}")

    before, revision = host.started(), host.remote.head
    ran = host.converge(code=1)

    assert ran.error["code"] == "E-PULL" and "127.0.0.1:9/no/such:1" in ran.error["what"]
    assert host.started() == before
    assert revision not in host.run("sentinels", "list").stdout


def test_health_that_never_comes_puts_the_old_containers_back_and_blocks_the_revision(host: Host) -> None:
    host.push(app=HEALTHY.format(GOOD, 1, "old"))
    host.converge()
    before = {name: seen[0] for name, seen in host.started().items()}

    bad = host.push(app=HEALTHY.format(BAD, 2, "new"))
    ran = host.converge(code=4)

    assert "app/web: its health check fails" in ran.error["what"] and ran.data["outcome"] == "rolled-back"
    assert {name: seen[0] for name, seen in host.started().items()} == before
    assert all(seen[1] == "running" for seen in host.started().values())
    assert f"blocked/{bad}" in host.run("sentinels", "list").stdout
    with host.quiet():
        ran = host.converge()
    assert bad[:7] in ran.data["held"] and ran.data["outcome"] == "unchanged"

    host.engine.cli("rm", "-f", "app-old-1")
    assert host.converge().reasons.keys() == {"app/old"}  # drift is healed while the head is held back

    good = host.push(app=HEALTHY.format(GOOD, 3, "new"))
    assert host.converge().data["held"] == ""
    assert f"blocked/{bad}" not in host.run("sentinels", "list").stdout
    assert (host.state / "sentinels/last-successful-deploy-sha").read_text().strip() == good
    assert set(host.containers()) == {"app-web-1", "app-db-1", "app-new-1"}
    host.settled()


def test_one_bad_stack_does_not_stop_the_others(host: Host) -> None:
    host.push(
        bad="services: {web: {image: 'test/box:1', command: 'false'}, next: {image: 'test/box:1', depends_on: [web]}}",
        good="""
        services:
          a: {image: 'test/box:1', restart: always}
          b: {image: 'test/box:1', restart: always, depends_on: [a]}
          c: {image: 'test/box:1', restart: always, depends_on: [b]}
        """,
    )
    ran = host.converge(code=1)

    assert "bad/web" in ran.error["what"] and "good" not in ran.error["what"]
    good = {name: seen for name, seen in host.started().items() if name.startswith("good")}
    assert [seen[1] for seen in good.values()] == ["running"] * 3
    assert host.inspect("good-c-1")["HostConfig"]["RestartPolicy"]["Name"] == "always"

    host.engine.cli("rm", "-f", "good-c-1")  # and it is looked after, as long as the other stack is bad
    host.converge(code=1)
    now = host.started()
    assert now["good-c-1"][1] == "running" and {n: now[n] for n in ("good-a-1", "good-b-1")}.items() <= good.items()

    host.push(bad="services: {web: {image: 'test/box:1'}}")
    host.converge()
    host.settled()


def test_drift_is_healed_in_one_stack_while_another_cannot_be(host: Host) -> None:
    host.looks_on_for("500ms")  # it ends a bit later
    host.push(
        bad="""
        services:
          web:
            image: test/box:1
            command: sh -c '[ ! -e /data/broken ] && sleep 1000'
            volumes: [data:/data]
        volumes: {data: }
        """,
        good="services: {a: {image: 'test/box:1'}, b: {image: 'test/box:1', depends_on: [a]}}",
    )
    host.converge()
    host.sh("bad-web-1", "touch /data/broken")
    host.engine.cli("restart", "-t", "0", "bad-web-1")
    until(lambda: host.inspect("bad-web-1")["State"]["Status"] == "exited")
    labels = host.inspect("good-b-1")["Config"]["Labels"]
    copied = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    host.engine.cli("rm", "-f", "good-b-1")
    host.engine.cli("run", "-d", "--name", "good-b-1", *copied, "-p", "80", "test/box:1")

    for _ in range(2):
        ran = host.converge(code=1)
        assert "bad/web" in ran.error["what"]
        assert host.inspect("good-b-1")["HostConfig"]["PortBindings"] in ({}, None)
    assert set(host.containers()) == {"bad-web-1", "good-a-1", "good-b-1"}
    assert host.run("sentinels", "list").stdout.count("blocked") == 0


def test_an_engine_that_is_gone_is_said_so(other_engine: Engine, tmp_path: Path) -> None:
    host = Host(tmp_path, other_engine)
    host.push(app="services: {web: {image: 'test/box:1', restart: always}}")
    host.converge()
    before = host.started()["app-web-1"][0]
    other_engine.stop()

    for command in (("converge", "--yes"), ("plan",)):
        ran = host.run(*command)
        assert ran.code == 69, ran.stderr
        assert "E-DOCKER-UNREACHABLE" in ran.stderr and "is it running" in ran.stderr

    other_engine.start()
    host.converge()
    assert host.started()["app-web-1"][:2] == (before, "running")
    host.settled()


def test_a_second_pass_steps_aside(host: Host) -> None:
    host.push(
        app="""
        services:
          job: {image: 'test/box:1', command: "sh -c 'until [ -e /go ]; do sleep 0.1; done'", x-reconciler: {job: true}}
        """
    )
    first = host.begin("converge", "--yes", "--json")
    try:
        until(lambda: "app-job-1" in host.containers())
        ran = host.run("converge", "--yes")
        assert ran.code == 75 and "another pass" in ran.stderr.lower()
        assert str(first.pid) in ran.stderr
    finally:
        until(lambda: host.inspect("app-job-1")["State"]["Running"])
        host.sh("app-job-1", "touch /go")
        stdout, stderr = first.communicate(timeout=30)
    assert first.returncode == 0, stdout + stderr
    assert '"outcome": "unchanged"' in stdout  # it went once more for the one that had to step aside


def test_a_pause_holds_the_host_or_one_stack(host: Host) -> None:
    stack = "services: {{web: {{image: 'test/box:{0}'}}}}"
    host.push(a=stack.format(1), b=stack.format(1))
    host.converge()
    host.push(a=stack.format(2), b=stack.format(2))

    assert host.run("pause", "--reason", "disk swap").code == 0
    with host.quiet():
        ran = host.converge(code=3)
    assert "disk swap" in ran.data["reason"] and ran.data["outcome"] == "paused"
    assert host.run("resume").code == 0

    assert host.run("pause", "box/a", "--reason", "busy").code == 0
    host.engine.cli("stop", "a-web-1")
    with host.moves("b-web-1"):
        ran = host.converge()
    assert "stack a is paused" in str(ran.data["plan"]["findings"])
    with host.quiet():
        host.converge()

    assert host.run("resume", "box/a").code == 0
    with host.moves("a-web-1"):
        host.converge()
    host.settled()


def test_what_the_health_check_itself_says_is_told(host: Host) -> None:
    said = "sh -c 'echo no index here; exit 1'"
    host.push(
        app=f"""
        services:
          web:
            image: 'test/box:1'
            command: sleep 1000
            healthcheck: {{test: "{said}", interval: 200ms, retries: 1}}
        """
    )

    assert "health check: no index here" in host.converge(code=1).error["why"]

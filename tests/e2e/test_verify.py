"""Probes of a stack, on a real engine: what does not hold is taken back, and what was good may become sick."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.host import Host, free_port, until

pytestmark = pytest.mark.engine

QUICK = "timeout: 2s, interval: 50ms, within: 3s"


def answering(port: int, version: str, *probes: str) -> str:
    """A stack whose `web` says a version over HTTP at a port of the host."""
    listed = "".join(f"\n    - {probe}" for probe in probes) or " []"
    return f"""
x-reconciler:
  verify:{listed}
services:
  web:
    image: test/box:1
    stop_grace_period: 0s
    network_mode: host
    environment: {{VERSION: '{version}'}}
    command: ["sh", "-c", 'mkdir /www; echo "{{\\"sha\\": \\"$$VERSION\\"}}" >/www/version; httpd -f -p {port} -h /www']
"""


def proves(port: int) -> str:
    return f'{{http: "http://127.0.0.1:{port}/version", json: {{sha: "${{RECONCILER_SHA}}"}}, {QUICK}}}'


def test_an_app_proves_its_version_and_is_replaced_at_every_commit(host: Host) -> None:
    port = free_port()
    stack = answering(port, "${RECONCILER_SHA}", proves(port))
    first = host.push(app=stack, other="services: {web: {image: 'test/box:1'}}")
    host.converge()
    assert first in host.sh("app-web-1", "cat /www/version")

    second = host.push({"app/words.md": "nothing that anybody mounts"})
    with host.moves("app-web-1"):
        host.converge()
    assert second in host.sh("app-web-1", "cat /www/version")
    assert host.stamp == second
    host.settled()


def test_a_version_that_is_not_the_one_deployed_is_taken_back_and_blocked(host: Host) -> None:
    port = free_port()
    good = host.push(app=answering(port, "${RECONCILER_SHA}", proves(port)))
    host.converge()
    before = host.started()["app-web-1"][0]

    bad = host.push(app=answering(port, "an old one", proves(port)))
    ran = host.converge(code=4)

    assert ran.data["outcome"] == "rolled-back" and ran.error["code"] == "E-VERIFY-HTTP"
    assert f'sha is not "{bad}"' in ran.error["what"] and '"an old one"' in ran.error["why"]
    assert host.started()["app-web-1"][0] == before and good in host.sh("app-web-1", "cat /www/version")
    assert f"blocked/{bad}" in host.run("sentinels", "list").stdout
    assert host.stamp == good


def test_words_on_top_of_a_blocked_version_do_not_bring_it_back(host: Host) -> None:
    port = free_port()
    host.push(app=answering(port, "${RECONCILER_SHA}", proves(port)))
    host.converge()
    host.push(app=answering(port, "old ${RECONCILER_SHA}", proves(port)))
    host.converge(code=4)

    words = host.push({"app/words.md": "still bad"})
    ran = host.converge()

    assert words[:7] in ran.data["held"] and "blocked" in ran.data["held"]


@pytest.mark.parametrize(
    ("probe", "code", "says"),
    [
        ("{exec: [test, -e, /no], service: web, %s}", "E-VERIFY-EXEC", "it ended with 1"),
        (
            "{exec: [sleep, '600'], service: web, timeout: 200ms, interval: 50ms, within: 400ms}",
            "E-VERIFY-EXEC",
            "time",
        ),
        ("{exec: [no-such-program], service: web, %s}", "E-VERIFY-EXEC", "exec no-such-program in web"),
        ("{tcp: '127.0.0.1:1', %s}", "E-VERIFY-TCP", "nobody takes connections"),
        ("{file: no-such-file, %s}", "E-VERIFY-FILE", "there is no such file"),
        ("{http: 'http://127.0.0.1:1/', %s}", "E-VERIFY-HTTP", "no answer"),
    ],
)
def test_a_probe_that_does_not_hold_takes_the_revision_back(host: Host, probe: str, code: str, says: str) -> None:
    host.push(app=answering(free_port(), "1"))
    host.converge()
    before = host.started()["app-web-1"][0]

    host.push(app=answering(free_port(), "2", probe.replace("%s", QUICK)))
    ran = host.converge(code=4)

    assert ran.error["code"] == code and says in ran.error["what"]
    assert host.started()["app-web-1"][0] == before


def test_every_kind_of_probe_holds_at_once(host: Host) -> None:
    port = free_port()
    host.push(
        app=answering(
            port,
            "1",
            f"{{exec: [test, -d, /www], service: web, {QUICK}}}",
            f"{{tcp: '127.0.0.1:{port}', {QUICK}}}",
            f"{{file: compose.yaml, contains: 'httpd', {QUICK}}}",
            f"{{file: no-such-file, exists: false, {QUICK}}}",
            f"{{containers: all, {QUICK}}}",
            f"{{http: 'http://127.0.0.1:{port}/version', body: sha, {QUICK}}}",
        )
    )
    host.converge()
    host.settled()


def test_a_changed_probe_restarts_nothing_and_the_revision_is_good_when_it_holds(host: Host) -> None:
    port = free_port()
    host.push(app=answering(port, "1", f"{{tcp: '127.0.0.1:{port}', {QUICK}}}"))
    host.converge()

    wrong = host.push(app=answering(port, "1", f"{{tcp: '127.0.0.1:1', {QUICK}}}"))
    with host.quiet():
        ran = host.converge(code=1)
    assert ran.data["reason"].startswith("not verified: app: tcp") and host.stamp != wrong

    mended = host.push(app=answering(port, "1", f"{{tcp: '127.0.0.1:{port}', samples: 2, {QUICK}}}"))
    with host.quiet():
        host.converge()
    assert host.stamp == mended


def test_a_first_deploy_that_does_not_hold_is_never_called_good(host: Host) -> None:
    host.push(app=answering(free_port(), "1", f"{{tcp: '127.0.0.1:1', {QUICK}}}"))

    for _ in range(2):
        host.converge(code=1)
        assert host.stamp == ""


def test_a_sick_verified_revision_is_told_blocks_nothing_and_recovers(host: Host) -> None:
    port = free_port()
    good = host.push(app=answering(port, "1", f"{{http: 'http://127.0.0.1:{port}/version', {QUICK}}}"))
    host.converge()
    host.settled()
    host.sh("app-web-1", "mv /www/version /www/gone")

    with host.quiet():
        first = host.converge("--full", code=1)
        again = host.converge(code=1)  # a sick revision leaves no record for a quick look
    assert "the verified revision is sick: app: http" in first.data["reason"] and first.error["code"] == "E-VERIFY-HTTP"
    assert again.data["reason"] == first.data["reason"]
    assert (first.data["repeat"], again.data["repeat"]) == (False, True)
    assert "blocked" not in host.run("sentinels", "list").stdout and host.stamp == good

    host.sh("app-web-1", "mv /www/gone /www/version")
    assert host.converge().data["outcome"] == "unchanged"


def test_a_probe_that_flaps_never_holds(host: Host) -> None:
    flips = "if test -e /flip; then rm /flip; else touch /flip; false; fi"
    host.push(app=answering(free_port(), "1", f'{{exec: [sh, -c, "{flips}"], service: web, {QUICK}}}'))

    ran = host.converge(code=1)

    assert ran.error["code"] == "E-VERIFY-EXEC"


def test_of_a_paused_stack_nothing_is_asked(host: Host) -> None:
    port = free_port()
    host.push(app=answering(port, "1", f"{{tcp: '127.0.0.1:{port}', {QUICK}}}"))
    host.converge()
    host.run("pause", "box/app", "--reason", "by hand")
    host.engine.cli("stop", "-t", "0", "app-web-1")
    until(lambda: host.inspect("app-web-1")["State"]["Status"] == "exited")

    assert host.converge("--full").code == 0


def test_a_probe_may_not_look_into_files_that_the_host_keeps_to_itself(host: Host, tmp_path: Path) -> None:
    host.push(app=answering(free_port(), "1", "{file: /etc/shadow, contains: root}"))
    ran = host.converge(code=1)
    assert ran.error["code"] == "E-GUARD-PROBE" and host.containers() == {}


def test_no_secret_of_the_host_is_in_what_a_probe_tells(host: Host) -> None:
    port = free_port()
    folder = host.config.parent / "env" / "app"
    folder.mkdir(parents=True)
    (folder / ".env").write_text("TOKEN=hunter2hunter2\n")
    probe = (
        f'{{http: "http://127.0.0.1:{port}/version", json: {{sha: x}}, headers: {{X-Token: "${{TOKEN}}"}}, {QUICK}}}'
    )
    host.push(app=answering(port, "${TOKEN}", probe))

    ran = host.converge(code=1)

    assert "[redacted]" in ran.error["why"]
    said = ran.stdout + ran.stderr + host.run("history", "show", ran.data["run"], "--json").stdout
    assert "hunter2hunter2" not in said

"""What a change of mounted files does to who mounts them, on a real engine (`on_change`)."""

from __future__ import annotations

import pytest

from tests.support.host import Host, until

pytestmark = pytest.mark.engine

WEB = """
    services:
      web:
        image: test/box:1
        entrypoint: [sh, -c]
        command:
          - |
            trap 'cat /conf/page >> /heard' HUP
            touch /ready
            while :; do sleep 0.05; done
        stop_grace_period: 0s
        healthcheck: {test: [CMD, test, -e, /ready], interval: 200ms, timeout: 5s, retries: 50}
        volumes: ['./conf:/conf:ro', './web.conf:/etc/web.conf:ro']
        x-reconciler:
          on_change:
            - {paths: [conf/quiet], action: none}
            - {paths: [conf/told], action: exec, command: [sh, -c, 'cp /conf/told /told; grep -v bad /told']}
            - {paths: ['conf/**'], action: signal, signal: SIGHUP, validate: ['cat /conf/page; grep good /conf/page']}
            - {paths: [web.conf], action: signal, signal: SIGHUP}
      other: {image: 'test/box:1', stop_grace_period: 0s, volumes: ['./conf:/conf:ro'], environment: {A: '1'}}
    """
FILES = {"app/conf/page": "good 1\n", "app/conf/quiet": "1\n", "app/conf/told": "1\n", "app/web.conf": "1\n"}
OTHER = "other: {image: 'test/box:1', stop_grace_period: 0s, volumes: ['./conf:/conf:ro'], environment"
ALONE = WEB.replace(OTHER, "other: {image: 'test/box:1', stop_grace_period: 0s, environment")


@pytest.fixture
def running(host: Host) -> Host:
    host.push(FILES, app=ALONE)
    host.converge()
    return host


def heard(host: Host, text: str) -> None:
    until(lambda: host.sh("app-web-1", "cat /heard 2>/dev/null || :") == text)


def test_a_signal_tells_a_running_container_of_a_changed_folder(running: Host) -> None:
    running.push({"app/conf/page": "good 2\n"})
    assert running.plan() == {"app/web": running.plan()["app/web"]}
    assert running.plan()["app/web"].startswith("signal: conf/page changed in")

    with running.moves():
        running.converge()

    heard(running, "good 2")
    running.settled()

    running.push({"app/conf/page": "good 3\n"})
    with running.moves():
        running.converge()
    heard(running, "good 2\ngood 3")


def test_who_declares_nothing_is_replaced_as_ever(host: Host) -> None:
    host.push(FILES, app=WEB)
    host.converge()
    host.push({"app/conf/page": "good 2\n"})
    with host.moves("app-other-1"):
        host.converge()
    heard(host, "good 2")


def test_a_command_is_run_in_the_container(running: Host) -> None:
    running.push({"app/conf/told": "2\n"})
    with running.moves():
        assert running.converge().reasons["app/web"].startswith("exec: conf/told changed in")
    assert running.sh("app-web-1", "cat /told") == "2"
    running.settled()


def test_a_command_that_fails_takes_all_back_and_tells_again(running: Host) -> None:
    running.push({"app/conf/told": "bad\n", "app/conf/page": "good 2\n"})
    with running.moves():
        failed = running.converge(code=4)
    assert failed.error["code"] == "E-ON-CHANGE"
    assert running.sh("app-web-1", "cat /conf/told /conf/page") == "1\ngood 1"
    assert running.sh("app-web-1", "cat /told") == "1"
    until(lambda: running.sh("app-web-1", "cat /heard 2>/dev/null || :").endswith("good 1"))
    assert running.converge().data["outcome"] == "unchanged"  # held back, and nothing is left to do


def test_none_keeps_the_container_and_is_done_with_it(running: Host) -> None:
    running.push({"app/conf/quiet": "2\n"})
    with running.moves():
        assert running.converge().reasons["app/web"].startswith("keep: conf/quiet changed in")
    assert running.sh("app-web-1", "cat /conf/quiet") == "2"
    running.settled()


def test_a_single_file_is_seen_only_after_a_restart(running: Host) -> None:
    before = running.inspect("app-web-1")["Id"]
    running.push({"app/web.conf": "2\n"})
    with running.moves("app-web-1"):
        assert "single file" in running.converge().reasons["app/web"]
    assert running.inspect("app-web-1")["Id"] == before
    assert running.sh("app-web-1", "cat /etc/web.conf") == "2"
    running.settled()


def test_a_check_that_says_no_leaves_all_untouched(running: Host) -> None:
    sha = running.push({"app/conf/page": "wrong\n"}, app=ALONE.replace("A: '1'", "A: '2'"))
    with running.moves():
        failed = running.converge(code=1)
    assert failed.error["code"] == "E-VALIDATE" and "wrong" in failed.error["why"]
    assert running.sh("app-web-1", "cat /conf/page") == "good 1"
    assert set(running.containers()) == {"app-web-1", "app-other-1"}
    assert not list((running.state / "rendered").glob("trial-*"))
    assert not (running.state / "sentinels" / "blocked" / sha).exists()

    running.push({"app/conf/page": "good 2\n"})
    with running.moves("app-other-1"):
        running.converge()
    heard(running, "good 2")


def test_a_new_service_is_checked_before_it_exists(host: Host) -> None:
    host.push(FILES | {"app/conf/page": "wrong\n"}, app=ALONE)
    assert host.converge(code=1).error["code"] == "E-VALIDATE"
    assert host.containers() == {}


def test_a_change_of_anything_else_replaces(running: Host) -> None:
    running.push(
        {"app/conf/page": "good 2\n"},
        app=ALONE.replace(
            "stop_grace_period: 0s\n        health", "user: '0'\n        stop_grace_period: 0s\n        health"
        ),
    )
    with running.moves("app-web-1"):
        assert running.converge().reasons["app/web"].startswith("replace")
    assert running.sh("app-web-1", "cat /heard 2>/dev/null || :") == ""
    running.settled()


def test_losing_the_record_repeats_the_signal_and_no_more(running: Host) -> None:
    running.push({"app/conf/page": "good 2\n"})
    running.converge()
    heard(running, "good 2")
    (running.state / "adopted.json").unlink()
    with running.moves():
        running.converge()
    heard(running, "good 2\ngood 2")
    running.settled()

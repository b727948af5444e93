"""What people do to containers behind git's back: it is seen, said in words, and healed alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.host import Host, until

pytestmark = pytest.mark.engine

STACK = """
    services:
      web:
        image: test/box:1
        restart: unless-stopped
        mem_limit: 64m
        cpus: 0.5
        pids_limit: 100
        networks: {front: {aliases: [www]}, back: }
        healthcheck: {test: [CMD, test, '!', -e, /tmp/broken], interval: 200ms, timeout: 1s, retries: 1}
        command: sh -c 'rm -f /tmp/broken; exec httpd -f -p 80 -h /etc'
      db: {image: 'test/box:1', depends_on: [web], volumes: ['./db.conf:/etc/db.conf:ro']}
      other: {image: 'test/box:1'}
    networks: {front: , back: }
    """


@pytest.fixture
def running(host: Host) -> Host:
    host.push({"app/db.conf": "from git\n", "app/README": "hello\n"}, app=STACK)
    host.converge()
    return host


def test_missing_stopped_and_frozen_containers_run_again(running: Host) -> None:
    docker = running.engine.cli
    docker("rm", "-f", "app-web-1")
    running.heals({"app/web": "create: container missing"})

    docker("stop", "app-web-1")
    docker("pause", "app-db-1")
    docker("exec", "app-other-1", "kill", "1")
    until(lambda: running.inspect("app-other-1")["State"]["Status"] == "exited")
    running.heals(
        {
            "app/web": "start: stopped (exit code",
            "app/db": "start: frozen by docker pause",
            "app/other": "start: stopped (exit code",
        }
    )


def test_a_sick_container_is_restarted(running: Host) -> None:
    running.sh("app-web-1", "touch /tmp/broken")
    until(lambda: running.inspect("app-web-1")["State"]["Health"]["Status"] == "unhealthy")

    running.heals({"app/web": "restart: unhealthy"})

    assert running.inspect("app-web-1")["State"]["Health"]["Status"] == "healthy"


def test_a_container_that_was_replaced_by_hand_is_seen_through_its_labels(running: Host) -> None:
    for slot, options, reason in (
        ("web", ["test/box:1", "sleep", "1000"], "command changed"),
        ("db", ["-v", "/etc:/etc/host:ro", "test/box:1"], "volume"),
        ("other", ["-p", "80", "test/box:1"], "port 80/tcp"),
    ):
        labels = running.inspect(f"app-{slot}-1")["Config"]["Labels"]
        copied = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
        running.engine.cli("rm", "-f", f"app-{slot}-1")
        running.engine.cli("run", "-d", "--name", f"app-{slot}-1", *copied, *options)
        planned = running.plan()
        assert planned[f"app/{slot}"].startswith("replace: "), planned
        assert "replaced by hand" in planned[f"app/{slot}"] and reason in planned[f"app/{slot}"], planned

    running.converge()
    running.settled()
    assert running.inspect("app-web-1")["Config"]["Cmd"][0] == "sh"


def test_what_docker_update_changed_is_put_right_in_place(running: Host) -> None:
    before = running.started()
    running.engine.cli(
        "update", "--memory", "32m", "--cpus", "0.2", "--pids-limit", "50", "--restart", "no", "app-web-1"
    )

    planned = running.plan()["app/web"]
    assert planned.startswith("update: ")
    for words in "restart policy no -> unless-stopped", "memory limit", "cpus", "pids limit":
        assert words in planned
    running.converge()

    assert running.started() == before
    config = running.inspect("app-web-1")["HostConfig"]
    assert _limits(config) == (64 << 20, 128 << 20, 500_000_000, 100, "unless-stopped")
    running.settled()


def _limits(config: dict[str, Any]) -> tuple[Any, ...]:
    names = ("Memory", "MemorySwap", "NanoCpus", "PidsLimit")
    return (*(config[name] for name in names), config["RestartPolicy"]["Name"])


def test_what_docker_update_added_cannot_be_taken_back_in_place(running: Host) -> None:
    running.engine.cli("update", "--cpu-shares", "512", "app-other-1")
    running.engine.cli("update", "--memory", "64m", "--memory-swap", "64m", "app-db-1")

    running.heals({"app/other": "cpu shares set by hand", "app/db": "memory limit set by hand"})

    on_host = {name: running.inspect(name)["HostConfig"] for name in ("app-other-1", "app-db-1")}
    assert (on_host["app-other-1"]["CpuShares"], on_host["app-db-1"]["Memory"]) == (0, 0)


def test_networks_are_joined_and_left_as_git_says(running: Host) -> None:
    docker, before = running.engine.cli, running.started()
    docker("network", "create", "foreign")
    docker("network", "connect", "foreign", "app-web-1")
    docker("network", "disconnect", "app_front", "app-web-1")
    docker("network", "disconnect", "app_back", "app-web-1")
    docker("network", "connect", "app_back", "app-web-1")

    found = "not connected to app_front; connected to foreign by hand; known by other names on app_back"
    running.heals({"app/web": f"update: {found}"})

    assert running.started() == before
    networks = running.inspect("app-web-1")["NetworkSettings"]["Networks"]
    assert set(networks) == {"app_front", "app_back"}
    assert {"web", "www"} <= set(networks["app_front"]["Aliases"]) and "web" in networks["app_back"]["Aliases"]
    assert "foreign" in docker("network", "ls", "--format", "{{.Name}}")


def test_a_network_that_was_removed_and_made_again_by_hand(running: Host) -> None:
    docker = running.engine.cli
    docker("network", "disconnect", "app_back", "app-web-1")
    docker("network", "rm", "app_back")
    assert "not connected to app_back" in running.plan()["app/web"]
    running.converge()
    running.settled()

    docker("network", "disconnect", "app_back", "app-web-1")
    docker("network", "rm", "app_back")
    docker("network", "create", "app_back")
    running.heals({"app/web": "not connected to app_back"})


def test_a_tag_that_moved_on_the_host_brings_its_image(running: Host) -> None:
    wanted = running.engine.cli("image", "inspect", "--format", "{{.Id}}", "test/box:2")
    first = running.engine.cli("image", "inspect", "--format", "{{.Id}}", "test/box:1")
    try:
        running.engine.cli("tag", "test/box:2", "test/box:1")
        running.heals(dict.fromkeys(("app/web", "app/db", "app/other"), "image test/box:1 is now "))
        assert running.inspect("app-web-1")["Image"] == wanted
    finally:
        running.engine.cli("tag", first, "test/box:1")


def test_a_mounted_file_that_was_edited_on_the_host_is_put_back(running: Host) -> None:
    folder = running.checkout / "manifests/stacks/app"
    (folder / "db.conf").write_text("by hand\n")
    (folder / "README").write_text("by hand\n")
    (folder / "data").write_text("not in git\n")
    assert "manifests/stacks/app/db.conf was changed on the host" in running.plan()["app/db"]

    before = running.started()
    ran = running.converge()

    assert running.sh("app-db-1", "cat /etc/db.conf") == "from git"
    assert {name for name, seen in running.started().items() if seen != before[name]} == {"app-db-1"}
    assert running.started()["app-db-1"][0] == before["app-db-1"][0]
    assert sorted(ran.data["checkout"]["displaced"]) == [f"manifests/stacks/app/{n}" for n in ("README", "db.conf")]
    copies = list((running.state / "displaced").rglob("db.conf"))
    assert [copy.read_text() for copy in copies] == ["by hand\n"]
    assert (folder / "data").read_text() == "not in git\n"
    running.settled()


def test_a_replica_of_its_own_and_a_leftover_of_a_pass_go(running: Host) -> None:
    labels = running.inspect("app-other-1")["Config"]["Labels"]
    copied = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    running.engine.cli("run", "-d", "--name", "twin", *copied, "test/box:1")
    running.engine.cli("create", "--name", "app-other-1.new-20260101-000000-abcd", *copied, "test/box:1")

    running.converge()

    assert set(running.containers()) == {"app-web-1", "app-db-1", "app-other-1"}
    running.settled()

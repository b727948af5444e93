"""What is gone from git goes from the host; what is somebody else's, and data, stays."""

from __future__ import annotations

import json

import pytest

from tests.support.host import Host

pytestmark = pytest.mark.engine


def test_what_git_no_longer_has_goes_and_everything_else_stays(host: Host) -> None:
    docker = host.engine.cli
    labels = {"com.docker.compose.project": "app", "com.docker.compose.service": "web"}
    other_fleet = [w for k, v in (labels | {"reconciler.owner": "other"}).items() for w in ("--label", f"{k}={v}")]
    docker("network", "create", "theirs")
    docker("run", "-d", "--name", "theirs", "--network", "theirs", "test/box:1")
    docker("run", "-d", "--name", "other-fleet", *other_fleet, "test/box:1")
    docker("network", "create", "--label", "reconciler.owner=other", "other-fleet")
    web = "web: {image: 'test/box:1'}"
    db = "db: {image: 'test/box:1', volumes: ['data:/data', /anonymous], networks: [inner]}"
    rest = "networks: {inner: }\nvolumes: {data: }"
    host.push(app=f"services:\n  {web}\n  {db}\n{rest}\n", extra="services: {web: {image: 'test/box:1'}}")
    host.converge()
    host.sh("app-db-1", "echo kept > /data/file")
    volumes = docker("volume", "ls", "-q")

    host.push(app=f"services:\n  {web}\n")
    with host.moves():
        assert host.converge().reasons == {"app/db": "remove: service is gone from git"}
    assert "app_inner" not in docker("network", "ls", "--format", "{{.Name}}")

    host.push(extra=None)
    with host.moves():
        gone = host.converge()
        assert gone.reasons == {"extra/web": "remove: stack extra is gone from git"}
    events = [json.loads(line) for line in gone.stdout.splitlines()[:-1]]
    phases = {event["phase"]: event["text"] for event in events if event["event"] == "phase"}
    assert phases["verify"] == "no container was touched", "there is none whose seconds could be counted"

    assert set(host.containers()) == {"app-web-1", "theirs", "other-fleet"}
    networks = set(docker("network", "ls", "--format", "{{.Name}}").split())
    assert networks == {"bridge", "host", "none", "theirs", "other-fleet", "app_default"}
    assert docker("volume", "ls", "-q") == volumes
    host.settled()

    host.push(app=f"services:\n  {web}\n  {db}\n{rest}\n")
    host.converge()
    assert host.sh("app-db-1", "cat /data/file") == "kept"


def test_too_much_at_once_is_refused_and_nothing_touched(host: Host) -> None:
    stack = "services: {web: {image: 'test/box:1'}}"
    host.push(a=stack, b=stack, c=stack)
    host.converge()

    host.push(a=None, b=None)
    with host.quiet():
        ran = host.converge(code=1)
    assert ran.error["code"] == "E-GUARD-REMOVALS" and "a, b" in ran.error["what"]

    host.push(c=None)
    with host.quiet():
        assert host.converge(code=1).error["code"] == "E-GUARD-EMPTY"
    assert host.run("sentinels", "list").stdout.count("blocked") == 0


def test_a_network_that_somebody_else_still_uses_stays_without_a_fuss(host: Host) -> None:
    host.push(a="services: {web: {image: 'test/box:1'}}", b="services: {web: {image: 'test/box:1'}}")
    host.converge()
    host.engine.cli("run", "-d", "--name", "theirs", "--network", "b_default", "test/box:1")
    host.push(b=None)

    host.converge()
    with host.quiet():
        host.converge()

    assert set(host.containers()) == {"a-web-1", "theirs"}
    host.engine.cli("rm", "-f", "theirs")
    host.converge()
    assert "b_default" not in host.engine.cli("network", "ls", "--format", "{{.Name}}")
    host.settled()


def test_a_subnet_moves_to_another_network(host: Host) -> None:
    compose = """
        services: {{web: {{image: 'test/box:1', command: {2}, networks: {{{0}: {{ipv4_address: {1}.9}}}}}}}}
        networks: {{{0}: {{ipam: {{config: [{{subnet: {1}.0/24}}]}}}}}}
        """
    host.push(app=compose.format("one", host.subnet(5), "sleep 1000"))
    host.converge()
    host.push(app=compose.format("two", host.subnet(5), "sleep 1000"))
    host.converge()
    host.settled()

    host.engine.cli("run", "-d", "--name", "theirs", "--network", "app_two", "test/box:1")
    host.push(app=compose.format("two", host.subnet(6), "sleep 1000"))
    with host.quiet():
        assert host.converge(code=1).error["code"] == "E-GUARD-NETWORK"
    host.engine.cli("rm", "-f", "theirs")

    before = host.started()["app-web-1"][0]
    host.push(app=compose.format("three", host.subnet(5), "/no/such/program"))
    host.converge(code=4)
    assert host.started()["app-web-1"][:2] == (before, "running")
    host.settled()

    host.push(app=None, renamed=compose.format("two", host.subnet(5), "sleep 1000"))
    host.converge()
    assert set(host.containers()) == {"renamed-web-1"}
    host.settled()

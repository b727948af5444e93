"""Namespaces across stacks, narrowed and paused passes, and images that a tag should not have named."""

from __future__ import annotations

import pytest

from tests.support.gitremote import Content
from tests.support.host import Host

pytestmark = pytest.mark.engine

_VPN = "services: {{vpn: {{image: 'test/box:1', container_name: tunnel, environment: {{A: '{0}'}}}}}}"
_CLIENT = """
    services:
      client: {image: 'test/box:1', command: sleep 1000, network_mode: 'container:tunnel', restart: always}
      other: {image: 'test/box:1'}
    """


def _in_one_namespace(host: Host, one: str, other: str) -> bool:
    def links(name: str) -> str:
        return host.sh(name, "readlink /proc/self/ns/net")

    return links(one) == links(other)


# Namespaces of containers by name


def test_a_container_of_another_stack_is_followed(host: Host) -> None:
    host.push(apps=_CLIENT, net=_VPN.format("1"))
    host.converge()
    assert _in_one_namespace(host, "apps-client-1", "tunnel")
    host.settled()

    host.push(net=_VPN.format("2"))
    with host.moves("tunnel", "apps-client-1"):
        ran = host.converge()
    assert "shares a namespace of vpn" in ran.reasons["apps/client"]
    assert _in_one_namespace(host, "apps-client-1", "tunnel")
    host.settled()

    host.engine.cli("restart", "-t", "0", "tunnel")
    host.heals({"apps/client": "which was restarted"})
    assert _in_one_namespace(host, "apps-client-1", "tunnel")

    host.engine.cli("rm", "-f", "tunnel")
    assert host.converge().reasons.keys() == {"net/vpn", "apps/client"}
    assert _in_one_namespace(host, "apps-client-1", "tunnel")
    host.settled()


def test_a_host_that_fails_is_put_back_with_those_who_share_its_namespace(host: Host) -> None:
    host.push(apps=_CLIENT, net=_VPN.format("1"))
    host.converge()
    before = {name: seen[0] for name, seen in host.started().items()}
    host.push(net="services: {vpn: {image: 'test/box:1', container_name: tunnel, command: 'false'}}")

    host.converge(code=4)

    assert {name: seen[0] for name, seen in host.started().items()} == before
    assert _in_one_namespace(host, "apps-client-1", "tunnel")
    host.settled()


def test_a_foreign_container_is_joined_again_when_it_is_another_one(host: Host) -> None:
    host.engine.cli("run", "-d", "--name", "tunnel", "test/box:1")
    host.push(apps=_CLIENT)
    host.converge()
    host.settled()

    host.engine.cli("rm", "-f", "tunnel")
    with host.quiet():
        ran = host.converge()
    assert "apps/client shares a namespace of tunnel, which does not exist" in ran.data["plan"]["findings"]

    host.engine.cli("run", "-d", "--name", "tunnel", "test/box:1")
    host.heals({"apps/client": "joins a container tunnel that is gone"})
    assert _in_one_namespace(host, "apps-client-1", "tunnel")

    host.engine.cli("restart", "-t", "0", "tunnel")
    host.converge()
    assert _in_one_namespace(host, "apps-client-1", "tunnel")
    host.settled()


def test_stacks_that_wait_for_each_other_are_refused(host: Host) -> None:
    one = "services: {{a: {{image: 'test/box:1', container_name: {0}, {1}: 'container:{2}'}}}}"
    host.push(one=one.format("first", "pid", "second"), two=one.format("second", "pid", "first"))

    assert host.converge(code=78).error["code"] == "E-COMPOSE-CYCLE"


# Narrowed


_SHARED = """
    services:
      vpn: {{image: 'test/box:1', environment: {{A: '{0}'}}}}
      client: {{image: 'test/box:1', command: sleep {1}, network_mode: 'service:vpn'}}
      web:
        image: test/box:1
        environment: {{A: '{2}'}}
        depends_on: {{db: {{condition: service_healthy}}}}
      db: {{image: 'test/box:1', healthcheck: {{test: 'true', interval: 200ms}}}}
    """


def test_a_narrowed_pass_takes_along_who_shares_a_namespace(host: Host) -> None:
    host.push(app=_SHARED.format("1", "1000", "1"))
    host.converge()

    host.push(app=_SHARED.format("1", "2000", "1"))
    with host.moves("app-client-1"):
        host.converge("box/app/client")
    assert _in_one_namespace(host, "app-client-1", "app-vpn-1")
    with host.moves():
        host.converge()  # the rest of the revision is looked at, and found to be right
    host.settled()

    host.push(app=_SHARED.format("2", "2000", "2"))
    with host.moves("app-client-1", "app-vpn-1"):
        host.converge("box/app/vpn")
    assert _in_one_namespace(host, "app-client-1", "app-vpn-1")

    host.push(app=_SHARED.format("3", "3000", "2"))
    with host.moves("app-client-1", "app-vpn-1"):
        host.converge("box/app/client")
    assert _in_one_namespace(host, "app-client-1", "app-vpn-1")

    with host.moves("app-web-1"):
        host.converge("box/app/web")
    host.converge()
    host.settled()


def test_a_narrowed_pass_starts_what_has_to_be_healthy_first(host: Host) -> None:
    host.push(app=_SHARED.format("1", "1000", "1"))
    host.converge()
    host.push(app=_SHARED.format("2", "1000", "2"))
    host.engine.cli("stop", "-t", "0", "app-db-1")

    with host.moves("app-web-1", "app-db-1"):
        host.converge("box/app/web")


def test_a_pause_holds_who_shares_a_namespace_across_stacks(host: Host) -> None:
    host.push(apps=_CLIENT, net=_VPN.format("1"))
    host.converge()
    verified = _stamp(host)
    assert host.run("pause", "box/apps", "--reason", "test").code == 0
    host.push(net=_VPN.format("2"))

    with host.quiet():
        ran = host.converge()
    assert "net/vpn waits for a stack that is paused" in ran.data["plan"]["findings"]
    assert _stamp(host) == verified

    assert host.run("resume", "box/apps").code == 0
    with host.moves("tunnel", "apps-client-1"):
        host.converge()
    assert _stamp(host) != verified
    host.settled()


def _stamp(host: Host) -> str:
    return (host.state / "sentinels" / "last-successful-deploy-sha").read_text().strip()


# Files under services that a pass leaves alone


_FILES = """
    services:
      web: {image: 'test/box:1', volumes: ['./web.conf:/web.conf:ro']}
      db: {image: 'test/box:1'}
    """


@pytest.mark.parametrize("way", ["narrowed", "paused"])
def test_a_file_changed_by_hand_under_a_service_that_is_left_alone_stays_so_and_is_not_forgotten(
    host: Host, way: str
) -> None:
    host.push({"app/web.conf": "one\n"}, app=_FILES, side="services: {a: {image: 'test/box:1'}}")
    host.converge()
    file = host.checkout / "manifests/stacks/app/web.conf"
    file.unlink()
    file.write_text("changed\n")
    host.engine.cli("restart", "-t", "0", "app-web-1")
    assert host.sh("app-web-1", "cat /web.conf") == "changed"
    if way == "paused":
        assert host.run("pause", "box/app", "--reason", "test").code == 0

    for _ in range(2):
        with host.quiet():
            ran = host.converge(*(["box/app/db"] if way == "narrowed" else []))
        assert ran.data["outcome"] == "unchanged"
        assert file.read_text() == "changed\n"

    if way == "paused":
        host.run("resume", "box/app")
    with host.moves("app-web-1"):
        assert "restart" in host.converge().reasons["app/web"]
    assert host.sh("app-web-1", "cat /web.conf") == "one"
    host.settled()


_SITE = """
    services:
      web: {{image: 'test/box:1', volumes: ['./site:/site:ro', './web.conf:/web.conf:ro'], restart: always}}
      db: {{image: 'test/box:1', environment: {{A: '{0}'}}}}
    """
_SIDE = "services: {{a: {{image: 'test/box:1', environment: {{A: '{0}'}}, volumes: ['./conf:/conf:ro']}}}}"


def _content(number: str) -> dict[str, Content]:
    return {"app/web.conf": f"{number}\n", "app/site/index.html": f"{number}\n", "side/conf/a": f"{number}\n"}


def _two(host: Host) -> None:
    """Two stacks that mount files, and a push that changes all of them, adds one and takes one away."""
    host.push({**_content("one"), "app/site/old.html": "old\n"}, app=_SITE.format("1"), side=_SIDE.format("1"))
    host.converge()
    changed: dict[str, Content] = {"app/site/old.html": None, "app/site/new.html": "new\n"}
    host.push({**_content("two"), **changed}, app=_SITE.format("2"), side=_SIDE.format("2"))


def _web(host: Host) -> str:
    """What the service that is left alone sees."""
    return host.sh("app-web-1", "cat /web.conf /site/index.html; ls /site")


@pytest.mark.parametrize("target", ["box/side", "box/app/db"])
def test_a_narrowed_pass_leaves_the_files_that_others_have_mounted(host: Host, target: str) -> None:
    _two(host)
    before = _web(host)
    assert before == "one\none\nindex.html\nold.html"

    with host.moves("side-a-1" if target == "box/side" else "app-db-1"):
        ran = host.converge(target)
    assert _web(host) == before
    host.engine.cli("restart", "-t", "0", "app-web-1")  # what the engine does when it dies
    assert _web(host) == before
    left = [path.removeprefix("manifests/stacks/") for path in ran.data["checkout"]["left"]]
    assert left == [
        "app/site/index.html", "app/site/new.html", "app/site/old.html", "app/web.conf",
        *([] if target == "box/side" else ["side/conf/a"]),
    ]  # fmt: skip
    if target == "box/side":
        assert host.sh("side-a-1", "cat /conf/a") == "two"

    ran = host.run("converge", "--yes")  # as the timer asks for it
    assert ran.code == 0 and "quick look" not in ran.stdout
    assert _web(host) == "two\ntwo\nindex.html\nnew.html"
    assert host.sh("side-a-1", "cat /conf/a") == "two"
    assert host.stamp == host.remote.head
    host.settled()


def test_a_paused_stack_keeps_its_files_whatever_is_pushed(host: Host) -> None:
    _two(host)
    before = _web(host)
    assert host.run("pause", "box/app", "--reason", "test").code == 0

    with host.moves("side-a-1"):
        host.converge()
    host.push(dict.fromkeys(("app/web.conf", "app/site/index.html", "app/site/new.html")), app=None)
    for _ in range(2):
        with host.quiet():
            host.converge()
        assert _web(host) == before

    assert host.run("resume", "box/app").code == 0
    host.converge()
    assert host.containers().keys() == {"side-a-1"}
    assert not (host.checkout / "manifests/stacks/app/site").exists()
    host.settled()


def test_a_narrowed_pass_that_fails_changes_nothing_for_others(host: Host) -> None:
    _two(host)
    before = _web(host)
    host.push(side=_SIDE.format("3").replace("environment", "command: 'false', environment"))
    file = host.checkout / "manifests/stacks/app/site/index.html"
    written = file.stat().st_ctime_ns

    host.converge("box/side", code=4)
    assert _web(host) == before
    assert file.stat().st_ctime_ns == written, "not even for a moment"
    assert host.sh("side-a-1", "cat /conf/a") == "one"
    host.converge()  # the head is blocked: all is as it was verified
    assert _web(host) == before
    host.settled()


_SHARED_FILE = """
    services:
      web: {{image: 'test/box:1', volumes: ['../shared:/shared:ro'], environment: {{A: '{0}'}}{1}}}
    """


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ("", "replace"),
        (", x-reconciler: {on_change: [{paths: ['../shared/**'], action: restart}]}", "restart"),
        (", x-reconciler: {on_change: [{paths: ['../shared/**'], action: signal, signal: SIGHUP}]}", "signal"),
    ],
)
def test_a_file_that_both_have_mounted_is_written_and_the_other_is_renewed_by_the_next_pass(
    host: Host, rule: str, action: str
) -> None:
    command = ", command: [sh, -c, 'trap : HUP; while :; do sleep 0.1; done']"
    one, other = _SHARED_FILE.format("1", ""), _SHARED_FILE.format("1", command + rule)
    host.push(
        {"shared/a": "one\n", "shared/compose.yaml": "services: {x: {image: 'test/box:1'}}\n"}, one=one, other=other
    )
    host.converge()
    host.push({"shared/a": "two\n"})

    with host.moves("one-web-1"):
        ran = host.converge("box/one")
    assert ran.data["checkout"]["left"] == []
    assert host.sh("other-web-1", "cat /shared/a") == "two"

    ran = host.converge()
    assert ran.reasons["other/web"].startswith(f"{action}: ")
    host.settled()


# What the engine writes in its own way


@pytest.mark.parametrize(
    "form",
    [
        "command: []",
        "command: ''",
        "entrypoint: ['']\ncommand: sleep 1000",
        "entrypoint: []",
        "entrypoint: ''",
        "entrypoint: []\ncommand: []",
        "entrypoint: []\ncommand: [sleep, '1000']",
        "environment: {A: , B: '', C: ' '}",
        "environment: [A, B=]",
        "stop_grace_period: 0s",
        "init: false",
        "restart: on-failure:3",
        "cap_add: [net_admin]",
        "shm_size: 32m",
        "ulimits: {nofile: 1024}",
    ],
)
def test_a_second_pass_has_nothing_to_do(host: Host, form: str) -> None:
    lines = "".join(f"\n    {line}" for line in form.splitlines())
    host.push(app=f"services:\n  web:\n    image: test/box:1{lines}\n")
    host.converge()
    host.settled()


# Images


def test_a_moved_tag_that_fails_is_tried_once(host: Host) -> None:
    host.engine.cli("tag", "test/box:1", "mine:1")
    host.push(app="services: {web: {image: 'mine:1', pull_policy: never}}")
    host.converge()
    before = host.started()["app-web-1"][0]
    made = host.engine.cli("build", "-q", "-t", "mine:1", "-", stdin='FROM test/box:1\nCMD ["false"]\n')

    host.converge(code=4)
    assert host.started()["app-web-1"][:2] == (before, "running")
    with host.quiet():
        ran = host.converge()
    block = f"image-{made.removeprefix('sha256:')}"
    assert ran.data["outcome"] == "unchanged"
    assert any("app/web stays as it is" in f and block in f for f in ran.data["plan"]["findings"])

    assert host.run("sentinels", "clear", block).code == 0
    host.converge(code=4)  # tried again, and blocked again
    host.engine.cli("build", "-q", "-t", "mine:1", "-", stdin="FROM test/box:1\nENV A=b\n")
    with host.moves("app-web-1"):
        assert "is now" in host.converge().reasons["app/web"]
    host.settled()

"""Published ports and mounts, short and long."""

from __future__ import annotations

import pytest

from reconciler.model.desired import Mount, Port
from tests.support.compose import HOST, problem, service, service_problem


@pytest.mark.parametrize(
    ("written", "ports"),
    [
        ('"80"', [Port(80)]),
        ("80", [Port(80)]),
        ('"8080:80"', [Port(80, host_port="8080")]),
        ('"53:53/udp"', [Port(53, "udp", host_port="53")]),
        ('"53:53/UDP"', [Port(53, "udp", host_port="53")]),
        ("22:22", [Port(22, host_port="22")]),
        ('"127.0.0.1:80:80"', [Port(80, host_ip="127.0.0.1", host_port="80")]),
        ('"127.0.0.1::80"', [Port(80, host_ip="127.0.0.1")]),
        ('"[::1]:80:80"', [Port(80, host_ip="::1", host_port="80")]),
        ('"::1:80:80"', [Port(80, host_ip="::1", host_port="80")]),
        ('"0:80"', [Port(80)]),
        ('"3000-3001:80-81"', [Port(80, host_port="3000"), Port(81, host_port="3001")]),
        ('"3000-3001"', [Port(3000), Port(3001)]),
        ('"3000-3001:80"', [Port(80, host_port="3000-3001")]),
        ("{target: 80, published: 8080, protocol: udp}", [Port(80, "udp", host_port="8080")]),
        ('{target: 80, published: "8080", host_ip: 127.0.0.1, mode: host}', [Port(80, "tcp", "127.0.0.1", "8080")]),
        ("{target: 80, name: web, app_protocol: http}", [Port(80)]),
        ('"80:80", {target: 80, published: 80}', [Port(80, host_port="80")]),
    ],
)
def test_the_forms_of_a_port(written: str, ports: list[Port]) -> None:
    assert service(f"ports: [{written}]").ports == tuple(ports)


@pytest.mark.parametrize(
    "written",
    ['"x"', '"80:x"', '"x:80"', '"70000"', '"0"', '"80/icmp"', '"1-3:1-2"', '"5-3"', '"80/"', '"1.2.3.999:80:80"',
     '"host:80:80"',
     "80.5", "true", "[80]", "{published: 80}",
      "{target: 80, publish: 81}", '"1-60000"', '"+80"', '"80:80:80:80:x"', '""'],
)  # fmt: skip
def test_a_bad_port_is_refused_with_its_place(written: str) -> None:
    error = service_problem(f"ports: [{written}]")
    assert error.code in ("E-COMPOSE-VALUE", "E-COMPOSE-KEY")
    assert error.at is not None
    assert error.at.line == 4


def test_the_host_s_network_publishes_nothing() -> None:
    assert service('network_mode: host\nports: ["80:80"]').ports == ()


FILES = {"stacks/app/conf/a.conf": "a", "shared/b.conf": "b"}


@pytest.mark.parametrize(
    ("written", "mount"),
    [
        ("./conf:/etc/x:ro", Mount("bind", "/etc/x", f"{HOST}/stacks/app/conf", "stacks/app/conf", read_only=True)),
        ("./conf/:/etc/x/", Mount("bind", "/etc/x", f"{HOST}/stacks/app/conf", "stacks/app/conf")),
        ("../../shared/b.conf:/b", Mount("bind", "/b", f"{HOST}/shared/b.conf", "shared/b.conf")),
        ("./data:/data", Mount("bind", "/data", f"{HOST}/stacks/app/data", "stacks/app/data")),
        (".:/src", Mount("bind", "/src", f"{HOST}/stacks/app", "stacks/app")),
        ("../..:/src", Mount("bind", "/src", HOST, "")),
        (f"{HOST}/shared:/s", Mount("bind", "/s", f"{HOST}/shared", "shared")),
        ("/srv//media/../tv:/tv", Mount("bind", "/tv", "/srv/tv")),
        (f"{HOST}-other/x:/x", Mount("bind", "/x", f"{HOST}-other/x")),
        ("~/x:/x:rslave", Mount("bind", "/x", "/root/x", propagation="rslave")),
        ("/a:/b:z,ro", Mount("bind", "/b", "/a", read_only=True, selinux="z")),
        ("db:/data", Mount("volume", "/data", "db")),
        ("db:/data:nocopy", Mount("volume", "/data", "db", nocopy=True)),
        ("db:/data:rw,Z", Mount("volume", "/data", "db", selinux="Z")),
        ("/data", Mount("volume", "/data")),
        ("{type: volume, source: db, target: /data, volume: {nocopy: true}}", Mount("volume", "/data",
         "db", nocopy=True)),
        ("{type: volume, target: /data, read_only: true}", Mount("volume", "/data", read_only=True)),
        ("{type: bind, source: ./conf, target: /c, bind: {create_host_path: false, propagation: rshared, selinux: Z}}",
         Mount("bind", "/c", f"{HOST}/stacks/app/conf", "stacks/app/conf", False, False, "rshared", "Z")),
        ("{type: tmpfs, target: /t, tmpfs: {size: 64m, mode: 01777}}", Mount("tmpfs",
         "/t", size=64 << 20, mode=0o1777)),
        ('{type: tmpfs, target: /t, tmpfs: {size: 5, mode: "755"}}', Mount("tmpfs", "/t", size=5, mode=0o755)),
    ],
)  # fmt: skip
def test_the_forms_of_a_volume(written: str, mount: Mount) -> None:
    quoted = written if written.startswith("{") else f'"{written}"'
    assert service(f"volumes: [{quoted}]", FILES, "volumes: {db: }").mounts == (mount,)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ('"a:b:c:d"', "E-COMPOSE-VALUE"),
        ('"db:relative"', "E-COMPOSE-VALUE"),
        ('"relative"', "E-COMPOSE-VALUE"),
        ('":/x"', "E-COMPOSE-VALUE"),
        ('"/a:/b:rx"', "E-COMPOSE-VALUE"),
        ('"/a:/b", "/c:/b"', "E-COMPOSE-VALUE"),
        ("{type: bind, target: /x}", "E-COMPOSE-VALUE"),
        ("{source: /a, target: /x}", "E-COMPOSE-VALUE"),
        ("{type: bind, source: /a, target: /x, tmpfs: {size: 1}}", "E-COMPOSE-VALUE"),
        ("{type: tmpfs, source: /a, target: /x}", "E-COMPOSE-VALUE"),
        ("{type: npipe, source: a, target: /x}", "E-COMPOSE-UNSUPPORTED"),
        ("{type: volume, source: db, target: /x, volume: {subpath: a}}", "E-COMPOSE-UNSUPPORTED"),
        ("{type: bind, source: /a, target: /x, readonly: true}", "E-COMPOSE-KEY"),
        ("5", "E-COMPOSE-VALUE"),
    ],
)
def test_a_bad_volume_is_refused_with_its_place(written: str, code: str) -> None:
    error = service_problem(f"volumes: [{written}]", rest="volumes: {db: }")
    assert error.code == code
    assert error.at is not None
    assert error.at.line == 4


def test_tmpfs_keeps_its_options() -> None:
    mounts = service('tmpfs: ["/run:size=64m,mode=755", /tmp]').mounts
    assert mounts == (Mount("tmpfs", "/run", options="size=64m,mode=755"), Mount("tmpfs", "/tmp"))
    assert service("tmpfs: /run").mounts == (Mount("tmpfs", "/run"),)


def test_the_ports_of_a_stack_are_bounded() -> None:
    rows = "".join(f'  s{i}: {{image: a, ports: ["1-1000"]}}\n' for i in range(10_000))
    assert problem(f"services:\n{rows}").code == "E-COMPOSE-VALUE"

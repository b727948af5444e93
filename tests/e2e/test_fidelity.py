"""Nearly every key of a Compose file reaches the engine as it was written, and none of them is ever taken for drift."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.host import Host, free_port

pytestmark = pytest.mark.engine

COMPOSE = """
name: all
x-base: &base {{image: 'test/box:1', restart: unless-stopped}}
services:
  all:
    <<: *base
    container_name: everything
    hostname: everything
    domainname: example.org
    user: "65534:65534"
    working_dir: /tmp
    entrypoint: [/bin/run]
    command: /bin/sleep 1000
    environment: {{A: plain, B: 'with = and $$', EMPTY: '', PATH: }}
    env_file: ./all.env
    labels: {{one: "1", two.three: "true"}}
    cap_add: [NET_ADMIN, SYS_TIME]
    cap_drop: [MKNOD]
    devices: ['/dev/null:/dev/nothing:r', /dev/zero]
    sysctls: {{net.core.somaxconn: 1024, net.ipv4.ip_unprivileged_port_start: '80'}}
    ulimits: {{nofile: {{soft: 1000, hard: 2000}}, nproc: 512, core: -1}}
    tmpfs: ['/run:size=1m', /scratch]
    shm_size: 32m
    dns: [192.0.2.1, 192.0.2.2]
    dns_search: example.org
    dns_opt: ['ndots:2']
    extra_hosts: ['db:192.0.2.3', 'six=[2001:db8::1]', 'me:host-gateway']
    logging: {{driver: json-file, options: {{max-size: 1m, max-file: '2'}}}}
    healthcheck: {{test: 'true', interval: 1s, timeout: 2s, retries: 2, start_period: 1500ms}}
    init: true
    tty: true
    stdin_open: true
    read_only: true
    security_opt: ['no-new-privileges:true', 'seccomp:unconfined', 'label:disable']
    group_add: [nogroup, '1234']
    stop_signal: SIGUSR1
    stop_grace_period: 1m30s
    pid: host
    ipc: shareable
    mac_address: 02:42:ac:11:65:43
    expose: ['9000', '9001-9002/udp']
    ports:
      - '{0}:80'
      - '127.0.0.1:{1}:81/udp'
      - '7990-7992:7000-7002'
      - {{target: 82, protocol: tcp}}
      - '83'
    networks:
      front: {{aliases: [www, alias], ipv4_address: {2}.9, priority: 10}}
      back: {{link_local_ips: [169.254.8.8]}}
    volumes:
      - data:/data
      - data:/again:ro
      - /anonymous
      - ./conf:/conf:ro
      - ./conf/one:/one:ro,rprivate
      - /srv/made-by-the-engine:/host
      - {{type: bind, source: ./conf, target: /long, read_only: true, bind: {{create_host_path: false}}}}
      - {{type: volume, source: data, target: /nocopy, volume: {{nocopy: true}}}}
      - {{type: tmpfs, target: /small, tmpfs: {{size: 1048576, mode: 0o700}}}}
    secrets: [token, {{source: token, target: other}}]
    configs: [inline, {{source: fromgit, target: /etc/fromgit}}]
    deploy:
      resources:
        limits: {{cpus: '0.25', memory: 64m, pids: 50}}
        reservations: {{memory: 32m}}
  cleared: {{<<: *base, entrypoint: [], command: [sleep, '1000'], healthcheck: {{disable: true}}, init: false}}
  emptied: {{<<: *base, command: [], stop_grace_period: 0s, restart: 'on-failure:5'}}
  onhost: {{<<: *base, network_mode: host, command: sleep 1000}}
  alone: {{<<: *base, network_mode: none}}
  bridged: {{<<: *base, network_mode: bridge}}
  joined: {{<<: *base, network_mode: 'service:all', pid: 'service:bridged', ipc: 'service:all', command: sleep 1000}}
  limited: {{<<: *base, mem_limit: 64m, security_opt: ['apparmor=unconfined']}}
  job: {{<<: *base, command: 'true', x-reconciler: {{job: true}}, deploy: {{replicas: 2}}}}
networks:
  front: {{ipam: {{config: [{{subnet: {2}.0/24, gateway: {2}.1, ip_range: {2}.128/25}}]}}, labels: {{n: '1'}}}}
  back:
    {{internal: true, driver: bridge, driver_opts: {{com.docker.network.bridge.enable_icc: 'true'}}, attachable: true}}
volumes: {{data: {{labels: {{v: '1'}}}}}}
secrets: {{token: {{external: true}}}}
configs:
  inline: {{content: "inline $$content"}}
  fromgit: {{file: ./conf/one}}
"""


@pytest.fixture
def everything(host: Host) -> tuple[Host, int]:
    text = host.config.read_text()
    host.config.write_text(text.replace("[trust]\n", '[trust]\nallow_privileged = ["all"]\n'))
    secrets = host.config.parent / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "token").write_text("s3cret")
    (secrets / "token").chmod(0o600)
    port = free_port()
    files = {"all/all.env": "FROM_FILE='a b'\n", "all/conf/one": "one\n"}
    host.push(files, all=COMPOSE.format(port, free_port(), host.subnet(7)))
    host.converge()
    return host, port


def test_every_value_is_as_asked_and_nothing_is_taken_for_drift(everything: tuple[Host, int]) -> None:
    host, port = everything
    host.settled()
    host.settled()

    seen = host.inspect("everything")
    config, on_host = seen["Config"], seen["HostConfig"]
    assert _only(config, EXPECTED_CONFIG) == EXPECTED_CONFIG
    assert _only(on_host, EXPECTED_HOST) == EXPECTED_HOST
    environment = set(config["Env"])
    assert {"A=plain", "B=with = and $", "EMPTY=", "FROM_FILE=a b"} <= environment
    assert not any(entry.startswith("PATH=") for entry in environment)
    assert config["Labels"]["one"] == "1" and config["Labels"]["two.three"] == "true"
    assert {"80/tcp", "81/udp", "9000/tcp"} <= set(config["ExposedPorts"])
    ports = on_host["PortBindings"]
    assert ports["80/tcp"] == [{"HostIp": "", "HostPort": str(port)}]
    assert ports["81/udp"][0]["HostIp"] == "127.0.0.1"
    assert [ports[f"700{n}/tcp"][0]["HostPort"] for n in range(3)] == ["7990", "7991", "7992"]
    assert set(seen["NetworkSettings"]["Networks"]) == {"all_front", "all_back"}
    front = seen["NetworkSettings"]["Networks"]["all_front"]
    assert front["IPAddress"] == f"{host.subnet(7)}.9" and {"www", "alias", "all"} <= set(front["Aliases"])
    assert front["MacAddress"] == "02:42:ac:11:65:43"
    assert _mounts(seen) == MOUNTS
    files = "/run/secrets/token", "/run/secrets/other", "/inline", "/etc/fromgit"
    assert host.engine.cli("exec", "-u", "0", "everything", "/bin/cat", *files) == "s3crets3cretinline $contentone"

    others = host.containers()
    assert others["all-cleared-1"]["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    assert others["all-cleared-1"]["HostConfig"]["Init"] is False
    assert others["all-emptied-1"]["Config"]["StopTimeout"] == 0
    assert others["all-emptied-1"]["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 5}
    assert others["all-onhost-1"]["HostConfig"]["NetworkMode"] == "host"
    assert others["all-joined-1"]["HostConfig"]["NetworkMode"] == f"container:{seen['Id']}"
    network = json.loads(host.engine.cli("network", "inspect", "all_back"))[0]
    assert (network["Internal"], network["Attachable"]) == (True, True)


def test_the_differences_of_a_new_revision_name_only_what_changed(everything: tuple[Host, int]) -> None:
    host, _ = everything
    text = host.remote.git("show", "main:manifests/stacks/all/compose.yaml").decode()
    host.push(all=text.replace("A: plain", "A: other").replace("command: 'true'", "command: 'true', labels: {a: b}"))

    planned = host.plan()

    assert planned["all/all"] == "replace: environment A changed"
    assert planned["all/job"] == planned["all/job#2"] == "replace: label a changed"
    assert planned["all/joined"] == "replace: shares a namespace of all, which is replaced"
    assert len(planned) == 4


def _only(values: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Newer engines write capabilities with their prefix."""
    found = {name: values.get(name) for name in names}
    return found | {
        n: [cap.removeprefix("CAP_") for cap in found[n] or []] for n in ("CapAdd", "CapDrop") if n in names
    }


def _mounts(seen: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {m["Destination"]: (m["Type"], m["RW"]) for m in seen["Mounts"]}


EXPECTED_CONFIG = {
    "Hostname": "everything",
    "Domainname": "example.org",
    "User": "65534:65534",
    "WorkingDir": "/tmp",
    "Entrypoint": ["/bin/run"],
    "Cmd": ["/bin/sleep", "1000"],
    "Tty": True,
    "OpenStdin": True,
    "StopSignal": "SIGUSR1",
    "StopTimeout": 90,
    "Healthcheck": {
        "Test": ["CMD-SHELL", "true"],
        "Interval": 1_000_000_000,
        "Timeout": 2_000_000_000,
        "StartPeriod": 1_500_000_000,
        "Retries": 2,
    },
}
EXPECTED_HOST = {
    "CapAdd": ["NET_ADMIN", "SYS_TIME"],
    "CapDrop": ["MKNOD"],
    "Devices": [
        {"PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "r"},
        {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/zero", "CgroupPermissions": "rwm"},
    ],
    "Sysctls": {"net.core.somaxconn": "1024", "net.ipv4.ip_unprivileged_port_start": "80"},
    "Ulimits": [
        {"Name": "core", "Soft": -1, "Hard": -1},
        {"Name": "nofile", "Soft": 1000, "Hard": 2000},
        {"Name": "nproc", "Soft": 512, "Hard": 512},
    ],
    "Tmpfs": {"/run": "size=1m", "/scratch": "", "/small": "size=1048576,mode=700"},
    "ShmSize": 32 << 20,
    "Dns": ["192.0.2.1", "192.0.2.2"],
    "DnsSearch": ["example.org"],
    "DnsOptions": ["ndots:2"],
    "ExtraHosts": ["db:192.0.2.3", "me:host-gateway", "six:2001:db8::1"],
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
    "Init": True,
    "ReadonlyRootfs": True,
    "SecurityOpt": ["no-new-privileges=true", "seccomp=unconfined", "label=disable"],
    "GroupAdd": ["nogroup", "1234"],
    "PidMode": "host",
    "IpcMode": "shareable",
    "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
    "Memory": 64 << 20,
    "MemoryReservation": 32 << 20,
    "NanoCpus": 250_000_000,
    "PidsLimit": 50,
}
MOUNTS = {
    "/data": ("volume", True),
    "/again": ("volume", False),
    "/anonymous": ("volume", True),
    "/conf": ("bind", False),
    "/one": ("bind", False),
    "/host": ("bind", True),
    "/long": ("bind", False),
    "/nocopy": ("volume", True),
    "/run/secrets/token": ("bind", False),
    "/run/secrets/other": ("bind", False),
    "/inline": ("bind", False),
    "/etc/fromgit": ("bind", False),
}

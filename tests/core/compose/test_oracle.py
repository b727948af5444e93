"""The same files through docker-compose 1.29 (`config` needs no engine): both must mean the same.

What it prints is a Compose file again, in other forms (long ports, absolute paths, merged services), so both
are loaded and compared. A missing docker-compose fails these tests, it does not skip them.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.compose.load import HostContext, load_stack
from reconciler.core.compose.service_parts import words
from reconciler.core.compose.values import parse_duration, parse_size
from reconciler.core.document import parse
from reconciler.core.trees import MemoryTree
from reconciler.errors import Position
from reconciler.model.desired import Service, Stack

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/root", "LC_ALL": "C.UTF-8"}

MEDIA = """
version: "3.8"
services:
  proxy:
    image: traefik:${TRAEFIK_TAG:-v3.0}
    restart: unless-stopped
    command:
      - --providers.docker=true
      - --entrypoints.web.address=:80
    ports: ["80:80", "443:443/tcp", "443:443/udp", "127.0.0.1:8080:8080"]
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock:ro
      - ./traefik:/etc/traefik
      - certs:/certs
    labels:
      - traefik.enable=true
      - "traefik.http.routers.x.rule=Host(`a.example`) && Path(`/x`)"
    networks: [web]
    extra_hosts: ["host.docker.internal:172.17.0.1"]
  jellyfin:
    image: "jellyfin/jellyfin:${JF}"
    container_name: jellyfin
    user: 1000:1000
    environment: {TZ: Europe/Berlin, PUID: 1000, RATIO: 1.50, MASK: 0022, EMPTY: "", DOLLAR: "$$HOME", FROM: }
    devices: ["/dev/dri:/dev/dri"]
    group_add: ["44", "video"]
    volumes: ["~/media:/media:ro", "./config:/config:z", "/cache"]
    tmpfs: ["/transcode:size=64m"]
    networks: {web: {aliases: [media], ipv4_address: 10.9.0.5}}
    depends_on: [proxy]
    healthcheck: {test: [CMD, curl, http://localhost], interval: 1m30s, timeout: 500ms, retries: 3, start_period: 1h}
    ulimits: {nofile: {soft: 1024, hard: 2048}, nproc: 65535}
    logging: {driver: json-file, options: {max-size: 10m, max-file: "3"}}
networks:
  web: {driver: bridge, ipam: {config: [{subnet: 10.9.0.0/24}]}}
volumes: {certs: }
"""
DATABASE = """
version: "3.8"
x-common: &common
  restart: on-failure:5
  env_file: [common.env, db.env]
  stop_grace_period: 1m
services:
  db:
    <<: *common
    image: postgres:16
    command: postgres -c "shared_buffers = 1GB" -c 'log_line_prefix=%m \\$$p'
    environment: [POSTGRES_DB=app, "POSTGRES_USER=${USER_NAME-nobody}", GREETING=a=b c]
    shm_size: 256mb
    deploy: {resources: {limits: {cpus: "0.50", memory: 1gb}, reservations: {memory: 512M}}}
    ports: ["5432", "6000-6002:7000-7002"]
    volumes:
      - {type: volume, source: data, target: /data, volume: {nocopy: true}}
      - {type: tmpfs, target: /t, tmpfs: {size: 64}}
    sysctls: {net.core.somaxconn: 1024}
    secrets: [{source: pw, target: password}]
    cap_drop: [ALL]
    cap_add: [CHOWN]
  job:
    <<: *common
    image: busybox
    entrypoint: ["sh", "-c"]
    command: ["echo $$(date) ${WORD:-hello world}"]
    network_mode: none
    read_only: true
    stdin_open: true
    tty: true
volumes: {data: {external: true, name: real-data}}
secrets: {pw: {file: ./pw.txt}}
"""
EXTENDING = """
services:
  web:
    extends: {file: base/base.yml, service: base}
    environment: {A: own, C: 3}
    ports: ["81:81"]
    volumes: ["./own:/etc/conf", "logs:/logs"]
    labels: {b: 2}
    mem_limit: 512m
    mem_reservation: 256m
    cpus: 1.5
    pids_limit: 100
    depends_on: {cache: {condition: service_healthy}}
  cache:
    image: redis
    healthcheck: {test: redis-cli ping, interval: 5s}
volumes: {logs: }
"""
BASE = """
services:
  base:
    image: nginx
    environment: {A: base, B: 2}
    ports: ["80:80"]
    volumes: ["./conf:/etc/conf", "./html:/html:ro"]
    labels: [a=1, b=1]
    dns: [1.1.1.1]
    expose: ["9000"]
"""
FILES = {
    "docker-compose.yml": "",
    ".env": "JF=10.9\nUSER_NAME=admin\nFROM=env file\n",
    "common.env": "A=1\n# note\nB=two words\n",
    "db.env": "B=3\n\nC=x=y\n",
    "base/base.yml": BASE,
    "pw.txt": "hush",
}


def oracle(folder: Path, text: str) -> str:
    for name, content in {**FILES, "docker-compose.yml": text}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    ran = subprocess.run(
        ["docker-compose", "--project-name", "app", "config"],
        cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def loaded(folder: Path, text: str) -> Stack:
    tree = MemoryTree({**FILES, "docker-compose.yml": text})
    return load_stack(tree, "docker-compose.yml", HostContext(str(folder)), "app").stack


def plain(service: Service) -> Service:
    """Without what the detour changes: places, and which files were read."""
    return replace(
        service,
        position=Position(""),
        reads=(),
        mounts=tuple(sorted(service.mounts, key=lambda m: m.target)),
        ports=tuple(sorted(service.ports, key=str)),
    )


@pytest.mark.parametrize("text", [MEDIA, DATABASE, EXTENDING], ids=["media", "database", "extending"])
def test_a_file_means_what_docker_compose_says_it_means(text: str, tmp_path: Path) -> None:
    theirs, ours = loaded(tmp_path, oracle(tmp_path, text)), loaded(tmp_path, text)
    assert {s.name: plain(s) for s in ours.services} == {s.name: plain(s) for s in theirs.services}
    assert set(ours.networks) == set(theirs.networks)
    assert set(ours.volumes) == set(theirs.volumes)
    assert ours.files == theirs.files


def test_the_environment_is_what_docker_compose_makes_of_it(tmp_path: Path) -> None:
    theirs = parse(oracle(tmp_path, DATABASE).encode(), "config")["services"]["db"]["environment"]
    assert dict(loaded(tmp_path, DATABASE).service("db").environment) == theirs


def utilities(expression: str, values: list[str]) -> list[object]:
    """What docker-compose's own functions make of values; it runs under the system's Python."""
    program = "import json, sys, shlex; from compose import utils; values = json.load(sys.stdin); "
    program += f"print(json.dumps([{expression} for v in values]))"
    ran = subprocess.run(
        ["/usr/bin/python3", "-c", program],
        input=json.dumps(values), env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    made = json.loads(ran.stdout)
    assert isinstance(made, list)
    return made


def test_durations_equal_those_of_docker_compose() -> None:
    values = ["1m30s", "500ms", "1h", "1h5m30s20ms", "0s", "10us", "1.5s", "2m"]
    assert [parse_duration(v) for v in values] == [
        int(str(n)) / 1e9 for n in utilities("utils.parse_nanoseconds_int(v)", values)
    ]


def test_sizes_equal_those_of_docker_compose() -> None:
    values = ["1b", "10k", "20kb", "512m", "512M", "1mb", "1g", "2GB", "1048576"]
    assert [parse_size(v) for v in values] == utilities("utils.parse_bytes(v)", values)


def test_commands_are_split_as_docker_compose_splits_them() -> None:
    values = ["sh -c 'a b' \"c d\"", "a\\ b c", "--x='y z'", "a  b", "'it'\"'\"'s'", "a #b"]
    ours = [list(words(parse(json.dumps({"command": v}).encode(), "f"), "command")) for v in values]
    assert ours == utilities("shlex.split(v)", values)

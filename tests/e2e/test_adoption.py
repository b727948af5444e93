"""A machine that already runs Compose projects: they are taken over as they run, and not one container restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.composed import Project, Version
from tests.support.engine import Engine
from tests.support.host import NAME, Host, free_port

pytestmark = pytest.mark.engine

MEDIA = """
version: "3.8"
x-common: &common
  restart: unless-stopped
  stop_grace_period: 1s
services:
  web:
    <<: *common
    image: test/box:${TAG}
    command: ["httpd", "-f", "-p", "80", "-h", "/etc"]
    ports: ["127.0.0.1:WEB_PORT:80", "UDP_PORT:443/udp"]
    volumes: ["./conf/app.conf:/etc/app.conf:ro", "./data:/data", "films:/films", "/cache"]
    env_file: [app.env]
    environment: {MODE: prod, EMPTY: ""}
    labels: {traefik.enable: "true"}
    depends_on: [db]
  db:
    <<: *common
    image: test/box:2
    container_name: the-db
    command: sleep 1000000
    volumes: ["dbdata:/var/lib/db"]
    healthcheck: {test: ["CMD", "true"], interval: 1s, retries: 3}
    networks: {back: {aliases: [database]}}
    stop_signal: SIGKILL
  side:
    <<: *common
    image: test/box:1
    command: sleep 1000000
    network_mode: service:web
  limited:
    <<: *common
    image: test/box:1
    command: sleep 1000000
    mem_limit: 64m
    cap_add: [NET_ADMIN]
    cap_drop: [CHOWN]
    tmpfs: [/run, "/tmp:size=16m"]
    read_only: true
    ulimits: {nofile: {soft: 1000, hard: 2000}, nproc: 100}
    sysctls: {net.ipv4.ip_forward: "1"}
    extra_hosts: ["foo:10.0.0.1", "bar:10.0.0.2"]
    dns: [192.0.2.1]
    logging: {driver: json-file, options: {max-size: 1m}}
    hostname: limited
    user: "1000"
    working_dir: /srv
    init: true
    shm_size: 32m
    security_opt: ["no-new-privileges:true"]
    networks: [front, back]
  secretive:
    <<: *common
    image: test/box:1
    command: sleep 1000000
    secrets: [key]
  long:
    <<: *common
    image: test/box:1
    command: sleep 1000000
    volumes:
      - {type: bind, source: ./data, target: /d}
      - {type: volume, source: shared, target: /e, read_only: true}
      - {type: tmpfs, target: /t, tmpfs: {size: 1048576}}
    networks: [proxy, default]
  host:
    <<: *common
    image: test/box:1
    command: sleep 1000000
    network_mode: host
  twice:
    <<: *common
    image: test/box:1
    entrypoint: ["sh", "-c"]
    command: ["sleep 1000000"]
    expose: ["9000"]
    deploy: {replicas: 2}
  lonely:
    <<: *common
    image: test/box:1
    network_mode: none
    command: sleep 1000000
    tty: true
    stdin_open: true
  plain:
    image: test/box:1
    stop_grace_period: 1s
networks:
  front: {driver: bridge, ipam: {config: [{subnet: SUBNET.0/24}]}}
  back: {internal: true}
  proxy: {external: true}
volumes:
  films: {}
  dbdata: {labels: {keep: "yes"}}
  shared: {external: true, name: shared-films}
secrets:
  key: {file: ./key.txt}
""".replace("WEB_PORT", str(free_port())).replace("UDP_PORT", str(free_port()))
SERVICES = 11  # containers: `twice` has two


IN_THEIR_OWN_WAY = """
version: "3.8"
x-common: &common {image: "test/checked:1", command: sleep 1000000, stop_grace_period: 1s}
services:
  vpn: {<<: *common, container_name: tunnel, networks: [proxy]}
  behind: {<<: *common, network_mode: "NETWORK", depends_on: [vpn]}
  logged: {<<: *common, logging: {options: {max-size: 1m}}, labels: {watch.enable: true}}
  checked: {<<: *common, healthcheck: {interval: 10s}, working_dir: /srv/}
  unchecked: {<<: *common, healthcheck: {disable: true}}
networks:
  proxy: {external: true}
"""


both = pytest.mark.parametrize("version", ["v1", "v2"])
"""With docker-compose 1 as well, where it matters who started the containers."""


@pytest.fixture
def version() -> Version:
    return "v2"


@pytest.fixture
def media(host: Host, engine: Engine, tmp_path: Path, version: Version) -> Project:
    """Eleven running containers of a project outside of git, whose Compose file is then committed as it stands."""
    engine.cli("network", "create", "proxy")
    engine.cli("volume", "create", "shared-films")
    project = Project(tmp_path / "home" / "media", engine, version)
    project.write("docker-compose.yml", MEDIA.replace("SUBNET", host.subnet(7)))
    project.write(".env", "TAG=1\n")
    project.write("app.env", "SECRET=hunter2\n")
    project.write("conf/app.conf", "as it was\n")
    project.write("data/film", "a film\n")
    project.write("key.txt", "the key\n")
    project.run("up", "-d")
    take_in(host, project)
    return project


def take_in(host: Host, project: Project, directories: bool = True) -> str:
    """What moving in asks of a user: the Compose file in git, env files on the host, and where the data lies."""
    name = project.folder.name
    env = host.config.parent / "env" / name
    env.mkdir(parents=True, exist_ok=True)
    for file in (".env", "app.env"):
        if (project.folder / file).exists():
            (env / file).write_bytes((project.folder / file).read_bytes())
    trust = f'allow_host_mounts = ["/opt", "/srv", "{host.checkout}", "{project.folder}"]'
    host.config.write_text("\n".join(
        trust if line.startswith("allow_host_mounts") else line for line in host.config.read_text().splitlines()
    ))  # fmt: skip
    where = f", directories: {{{name}: {project.folder}}}" if directories else ""
    fleet = f"hosts: {{{NAME}: {{connect: local, checkout: {host.checkout}{where}}}}}"
    return host.remote.commit({
        "manifests/fleet.yaml": f"apiVersion: reconciler/v1\nkind: Fleet\n{fleet}\n",
        f"manifests/stacks/{name}/docker-compose.yml": (project.folder / "docker-compose.yml").read_text(),
    })  # fmt: skip


def change(host: Host, project: Project, old: str, new: str) -> str:
    text = (project.folder / "docker-compose.yml").read_text()
    assert old in text
    project.write("docker-compose.yml", text.replace(old, new))
    return take_in(host, project)


@both
def test_a_project_is_adopted_without_a_restart(host: Host, media: Project) -> None:
    before = host.started()
    planned = host.plan()
    assert len(planned) == SERVICES
    assert {reason.partition(":")[0] for reason in planned.values()} == {"adopt"}, planned
    with host.quiet():
        ran = host.converge()
    assert len(ran.reasons) == SERVICES
    assert host.started() == before
    host.settled()


@both
def test_nothing_differs_that_compose_or_the_engine_writes_in_its_own_way(
    host: Host, engine: Engine, tmp_path: Path, version: Version
) -> None:
    engine.cli("network", "create", "proxy")
    context = tmp_path / "image"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM test/box:1\nHEALTHCHECK --interval=5s --retries=4 CMD true\n")
    engine.cli("build", "-q", "-t", "test/checked:1", str(context))
    project = Project(tmp_path / "home" / "own", engine, version)
    # Version 1 looks for the container when it reads the file.
    network = "service:vpn" if version == "v1" else "container:tunnel"
    project.write("docker-compose.yml", IN_THEIR_OWN_WAY.replace("NETWORK", network))
    project.run("up", "-d")
    take_in(host, project)
    planned = host.plan()
    assert len(planned) == 5
    assert {reason.partition(":")[0] for reason in planned.values()} == {"adopt"}, planned
    with host.moves():
        host.converge()
        host.settled()


@both
def test_the_next_change_replaces_only_what_changed(host: Host, media: Project, version: Version) -> None:
    host.converge()
    web = "media_web_1" if version == "v1" else "media-web-1"
    side = web.replace("web", "side")
    host.sh(web, "echo kept > /cache/file")
    change(host, media, "MODE: prod", "MODE: test")
    before = host.started()
    planned = host.plan()
    assert planned.keys() == {"media/web", "media/side"}, planned
    assert "environment MODE changed" in planned["media/web"]
    host.converge()
    after = host.started()
    assert {n for n in before if after.get(n) != before[n]} == {web, side}
    assert host.sh("media-web-1", "cat /cache/file /data/film /etc/app.conf") == "kept\na film\nas it was"
    host.settled()


@both
def test_compose_still_works_on_it_and_what_it_does_is_adopted_again(host: Host, media: Project) -> None:
    host.converge()
    with host.quiet():
        media.run("up", "-d")
    media.run("up", "-d", "--force-recreate", "--no-deps", "plain")
    host.converge()
    host.settled()
    media.run("stop")
    media.run("down")
    assert host.containers() == {}
    assert "media_films" in host.engine.cli("volume", "ls", "-q")


def test_what_differs_is_shown_field_by_field_and_mended(host: Host, media: Project) -> None:
    for old, new in (
        ('expose: ["9000"]', "labels: {a: b}"),
        ("hostname: limited", "hostname: unlimited"),
        ("mem_limit: 64m", "mem_limit: 128m"),
        ("[CHOWN]", "[KILL]"),
        ("- {type: tmpfs, target: /t, tmpfs: {size: 1048576}}", "- /anew"),
        ("interval: 1s", "interval: 2s"),
    ):
        change(host, media, old, new)
    planned = host.plan()
    assert "label a changed" in planned["media/twice"]
    assert "hostname limited -> unlimited" in planned["media/limited"]
    assert "cap_drop changed" in planned["media/limited"]
    assert "tmpfs /t:size=1048576 removed" in planned["media/long"]
    assert "volume /anew added" in planned["media/long"]
    assert "healthcheck changed" in planned["media/db"]
    assert planned["media/web"].startswith("adopt")
    before = host.started()
    host.converge()
    after = host.started()
    untouched = {n for n in before if after.get(n) == before[n]}
    assert len(untouched) == SERVICES - 5
    host.settled()


def test_what_was_set_by_hand_and_is_not_in_git_is_a_difference(host: Host, media: Project) -> None:
    media.run("run", "-d", "--name", "one-off", "plain")
    change(host, media, '    environment: {MODE: prod, EMPTY: ""}\n', "")
    change(host, media, "    working_dir: /srv\n", "")
    change(host, media, "    tty: true\n", "")
    planned = host.plan()
    assert "environment EMPTY, MODE not in git" in planned["media/web"]
    assert "working_dir /srv -> /" in planned["media/limited"]
    assert "tty True -> unset" in planned["media/lonely"]
    one_off = host.inspect("one-off")["Id"]
    host.converge()
    assert host.inspect("one-off")["Id"] == one_off, "somebody's own run is nobody's service"
    host.settled()


def test_a_limit_is_set_without_a_restart(host: Host, media: Project) -> None:
    change(host, media, "mem_limit: 64m", "mem_limit: 128m")
    planned = host.plan()
    if "memory" not in " ".join(planned["media/limited"].split()):
        assert planned["media/limited"].startswith("adopt"), "this kernel has no memory limits"
    before = host.started()
    host.converge()
    assert host.started() == before


def test_a_bind_that_would_leave_its_data_behind_is_refused(host: Host, media: Project) -> None:
    take_in(host, media, directories=False)
    with host.quiet():
        ran = host.converge(code=1)
    assert ran.error["code"] == "E-GUARD-DATA"
    assert str(media.folder) in ran.error["why"]


def test_a_bad_revision_puts_the_adopted_containers_back(host: Host, media: Project) -> None:
    host.converge()
    before = host.ids()
    change(host, media, 'command: ["sleep 1000000"]', 'command: ["exit 3"]')
    host.converge(code=4)
    after = host.containers()
    assert {n: c["Id"] for n, c in after.items()} == {n: ids[0] for n, ids in before.items()}
    assert all(c["State"]["Running"] for c in after.values())
    with host.moves():
        host.converge()
    change(host, media, 'command: ["exit 3"]', 'command: ["sleep 1000000"]')
    with host.moves():
        host.converge()
    host.settled()


def test_a_stack_that_leaves_git_takes_its_adopted_containers_and_networks_along(host: Host, media: Project) -> None:
    host.push(other="services: {idle: {image: 'test/box:1'}}")
    host.converge()
    host.remote.commit({"manifests/stacks/media/docker-compose.yml": None})
    host.converge()
    assert host.containers().keys() == {"other-idle-1"}
    networks = host.engine.cli("network", "ls", "--format", "{{.Name}}").split()
    assert "media_back" not in networks
    assert "proxy" in networks
    assert {"media_films", "media_dbdata", "shared-films"} <= set(host.engine.cli("volume", "ls", "-q").split())
    host.settled()


def test_what_was_adopted_for_a_revision_that_failed_is_let_go(host: Host, engine: Engine, tmp_path: Path) -> None:
    host.push(first="services: {web: {image: 'test/box:1'}}")
    host.converge()
    project = Project(tmp_path / "home" / "late", engine, "v1")
    project.write("docker-compose.yml", "services: {app: {image: 'test/box:1', stop_grace_period: 1s}}\n")
    project.run("up", "-d")
    late = host.inspect("late_app_1")["Id"]
    take_in(host, project)
    host.push(first="services: {web: {image: 'test/box:1', entrypoint: [], command: ['false']}}")
    host.converge(code=4)
    assert host.inspect("late_app_1")["Id"] == late
    host.settled()
    assert host.inspect("late_app_1")["State"]["Running"]


def test_two_replicas_more_are_made_beside_those_adopted(host: Host, engine: Engine, tmp_path: Path) -> None:
    project = Project(tmp_path / "home" / "app", engine, "v2")
    text = "services: {web: {image: 'test/box:1', stop_grace_period: 1s, deploy: {replicas: 1}}}\n"
    project.write("docker-compose.yml", text)
    project.run("up", "-d")
    take_in(host, project)
    with host.moves():
        change(host, project, "replicas: 1", "replicas: 2")
        assert host.plan() == {
            "app/web": "adopt: started by compose, and as git wants it",
            "app/web#2": "create: new",
        }
        host.converge()
    host.settled()


@both
def test_an_image_that_compose_built_is_not_built_again_until_its_context_changes(
    host: Host, engine: Engine, tmp_path: Path, version: Version
) -> None:
    project = Project(tmp_path / "home" / "built", engine, version)
    text = "services: {app: {build: ./src, stop_grace_period: 1s, command: sleep 100000}}\n"
    project.write("docker-compose.yml", text)
    project.write("src/Dockerfile", "FROM test/box:1\nCOPY file /file\n")
    project.write("src/file", "one\n")
    project.run("up", "-d", "--build")
    sources = {
        f"manifests/stacks/built/src/{n}": (project.folder / "src" / n).read_text() for n in ("Dockerfile", "file")
    }
    host.remote.commit(dict(sources))
    take_in(host, project)
    with host.moves():
        assert {r.partition(":")[0] for r in host.plan().values()} == {"adopt"}
        host.converge()
        host.settled()
    host.remote.commit({"manifests/stacks/built/src/file": "two\n"})
    host.converge()
    assert host.sh("built-app-1", "cat /file") == "two"
    host.settled()

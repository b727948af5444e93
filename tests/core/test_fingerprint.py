"""The fingerprint changes when, and only when, a container must be made anew; a secret cannot be guessed from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.core.fingerprint import (
    Sealer,
    external_secrets,
    network_fingerprint,
    repository_paths,
    version_of,
    volume_fingerprint,
)
from reconciler.core.trees import Content
from reconciler.model.desired import Network, Volume
from tests.support.planning import Wish, assembled, wish

MOUNT = "services: {web: {image: box, volumes: ['./conf:/conf']}}\n"


ORDINARY = """
services:
  plain: {image: box}
  full:
    image: box:2
    command: [run, 'now']
    entrypoint: []
    environment: {A: 1, B: }
    labels: {a: b}
    ports: ['80:80', '127.0.0.1:53:53/udp', '9000']
    expose: [81]
    volumes: [data:/data, './conf:/conf:ro', /cache, {type: tmpfs, target: /t, tmpfs: {size: 1m}}]
    tmpfs: /run
    networks: {default: {aliases: [x]}, back: }
    healthcheck: {test: 'true', interval: 5s}
    user: '1000'
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    devices: ['/dev/null:/dev/x:r']
    security_opt: ['no-new-privileges:true']
    read_only: true
    dns: 192.0.2.1
    sysctls: {net.core.somaxconn: 1024}
    init: false
    logging: {driver: json-file, options: {max-size: 1m}}
    shm_size: 32m
    ulimits: {nofile: 1000}
    extra_hosts: ['db:192.0.2.3']
    group_add: ['44']
    stop_grace_period: 90s
    pid: host
    ipc: shareable
    platform: linux/amd64
    deploy: {resources: {limits: {cpus: '0.5', memory: 64m, pids: 50}, reservations: {memory: 32m}}}
  joined: {image: box, network_mode: 'service:plain', mem_limit: 1g, restart: always, depends_on: [full]}
networks: {back: {internal: true}}
volumes: {data: }
"""


def of(text: str, files: Mapping[str, Content] | None = None, host: Mapping[str, bytes] | None = None) -> str:
    return next(iter(wish(text, files, host).wants.values())).spec.fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("image: box", "image: box:2"),
        ("image: box", "image: box\n    command: []"),
        ("image: box\n    command: []", "image: box\n    command: ['']"),
        ("image: box", "image: box\n    environment: {A: ''}"),
        ("image: box\n    environment: {A: ''}", "image: box\n    environment: [A]"),
        ("image: box", "image: box\n    labels: {a: b}"),
        ("image: box", "image: box\n    mem_limit: 64m"),
        ("image: box", "image: box\n    init: false"),
        ("image: box", "image: box\n    platform: linux/arm64"),
        ("image: box", "image: box\n    gpus: all"),
        ("image: box\n    gpus: all", "image: box\n    gpus: [{count: 1}]"),
        ("image: box", "image: box\n    mem_swappiness: 0"),
        ("image: box", "image: box\n    cgroup: private"),
        ("image: box", "image: box\n    device_cgroup_rules: ['c 188:* rmw']"),
        ("image: box", "image: box\n    links: [db]"),
        ("image: box", "image: box\n    networks: {default: {aliases: [x]}}"),
    ],
)
def test_a_changed_definition_changes_it(one: str, other: str) -> None:
    rest = "  db: {image: box}\n"
    assert of(f"services:\n  web:\n    {one}\n{rest}") != of(f"services:\n  web:\n    {other}\n{rest}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("image: box", "image: box\n    restart: always"),
        ("image: box\n    command: a b", "image: box\n    command: [a, b]"),
        ("image: box\n    environment: {A: 1, B: 2}", "image: box\n    environment: [B=2, A=1]"),
        ("image: box\n    mem_limit: 1g", "image: box\n    mem_limit: 1024m"),
        ("image: box", "image: box # a comment"),
        ("image: box", "image: box\n    attach: false"),
        ("image: box", "image: box\n    develop: {}"),
        ("image: box", "image: box\n    scale: 1"),
        ("image: box", "image: box\n    oom_kill_disable: false"),
        ("image: box", "image: box\n    gpus: []"),
    ],
)
def test_what_is_said_otherwise_or_mended_in_place_does_not(one: str, other: str) -> None:
    assert of(f"services:\n  web:\n    {one}\n") == of(f"services:\n  web:\n    {other}\n")


def test_a_new_version_of_reconciler_gives_what_was_there_before_the_same_one() -> None:
    """Else an upgrade would make every container anew. These were made before the keys of `Tuning` were read."""
    prints = {str(slot): want.spec.fingerprint for slot, want in wish(ORDINARY).wants.items()}

    assert prints == {
        "app/plain": "v1:18909f49cf8d142ef02301433105c5155927fa55",
        "app/full": "v1:86744b4b46d72b1f6b3c4923020ce74e43029ea9",
        "app/joined": "v1:2af272008f2005f85fdeea1f8c274620dc63e1fd",
    }


def test_a_mounted_file_counts_and_one_beside_it_does_not() -> None:
    before = of(MOUNT, {"stacks/app/conf/a": "1", "stacks/app/other": "1"})

    assert of(MOUNT, {"stacks/app/conf/a": "1", "stacks/app/other": "2"}) == before
    assert of(MOUNT, {"stacks/app/conf/a": "2", "stacks/app/other": "1"}) != before
    assert of(MOUNT, {"stacks/app/conf/a": "1", "stacks/app/conf/b": "", "stacks/app/other": "1"}) != before


def test_the_build_counts() -> None:
    text = "services: {web: {build: .}}\n"

    assert of(text, {"stacks/app/Dockerfile": "FROM a\n"}) != of(text, {"stacks/app/Dockerfile": "FROM b\n"})


def test_a_commit_or_another_owner_alone_does_not_change_it() -> None:
    made = assembled({"app": MOUNT}, {"stacks/app/conf/a": "1"})
    later = replace(made, desired=replace(made.desired, revision="b" * 40, owner="other"))

    prints = [[want.spec.fingerprint for want in Wish(each).wants.values()] for each in (made, later)]

    assert prints[0] == prints[1]


def test_a_value_from_the_host_seals_it_with_the_hosts_own_key() -> None:
    text = "services: {web: {image: box, environment: {A: '${A}'}}}\n"
    made = assembled({"app": text}, None, {".env": b"A=1\n"})
    one, other = (Wish(made, key).wants for key in (b"1" * 32, b"2" * 32))

    fingerprints = {want.spec.fingerprint for wants in (one, other) for want in wants.values()}

    assert len(fingerprints) == 2
    assert all(version_of(each) == "v1" and each.startswith("v1k:") for each in fingerprints)
    assert of("services: {web: {image: box}}\n").startswith("v1:")


def test_an_external_secret_counts_by_its_sealed_content() -> None:
    made = assembled({"app": "services: {web: {image: box, secrets: [s]}}\nsecrets: {s: {external: true}}\n"})
    stack = made.desired.stacks[0]
    sealer = Sealer(b"k" * 32)

    one, other = (Wish(made, secrets={"s": sealer.seal(value)}).wants for value in (b"a", b"b"))

    assert external_secrets(stack.services[0], stack) == ("s",)
    assert [w.spec.fingerprint for w in one.values()] != [w.spec.fingerprint for w in other.values()]


def test_which_paths_a_container_sees() -> None:
    volumes = "volumes: ['./conf:/c', '/srv:/s']"
    text = f"services: {{web: {{image: box, {volumes}, configs: [c]}}}}\nconfigs: {{c: {{file: ./c.ini}}}}\n"
    stack = assembled({"app": text}, {"stacks/app/c.ini": "", "stacks/app/conf/x": ""}).desired.stacks[0]

    assert repository_paths(stack.services[0], stack) == ("stacks/app/c.ini", "stacks/app/conf")


def test_networks_and_volumes_have_one_too() -> None:
    network, volume = Network("n", "app_n"), Volume("v", "app_v")

    assert network_fingerprint(network) == network_fingerprint(Network("n", "app_n"))
    assert network_fingerprint(network) != network_fingerprint(replace(network, internal=True))
    assert volume_fingerprint(volume) != volume_fingerprint(replace(volume, driver_opts=(("o", "ro"),)))

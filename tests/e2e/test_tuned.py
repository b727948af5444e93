"""GPUs, runtimes and the engine's own settings: what Compose makes of them is what we make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.composed import Project
from tests.support.engine import Engine
from tests.support.host import Host

pytestmark = pytest.mark.engine

GPUS = """
services:
  one:
    image: test/box:1
    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, capabilities: [gpu]}]}}}
  more:
    image: test/box:1
    deploy:
      resources:
        reservations:
          devices:
            - {driver: nvidia, count: 1, capabilities: [gpu]}
            - {driver: nvidia, device_ids: ['0', '3'], capabilities: [gpu, compute]}
            - {capabilities: [tpu]}
"""


TUNED = """
x-base: &base {image: 'test/box:1', command: sleep 1000000, stop_grace_period: 0s}
services:
  limited:
    <<: *base
    cpuset: '0'
    cpu_shares: 512
    cpu_period: 50000
    cpu_quota: 25000
    mem_limit: 64m
    memswap_limit: 96m
    oom_score_adj: 500
  killer:
    <<: *base
    mem_limit: 64m
    mem_swappiness: 60
    oom_kill_disable: true
    cgroup_parent: /below
  apart:
    <<: *base
    runtime: runc
    uts: host
    userns_mode: host
    device_cgroup_rules: ['c 188:* rmw', 'c 189:* r']
  own: {<<: *base, cgroup: private}
  hosts: {<<: *base, cgroup: host}
  plain: {<<: *base}
"""


def on_host(host: Host, key: str) -> dict[str, Any]:
    return {name: seen["HostConfig"][key] for name, seen in host.containers().items()}


def test_gpus_are_asked_for_as_compose_asks_for_them(host: Host, engine: Engine, tmp_path: Path) -> None:
    """No engine of a test has a GPU: it makes the containers, and cannot start them."""
    project = Project(tmp_path / "media", engine, "v2")
    project.write("compose.yaml", GPUS)
    project.run("up", "--no-start")
    made = on_host(host, "DeviceRequests")
    assert {name: len(each) for name, each in made.items()} == {"media-one-1": 1, "media-more-1": 3}

    host.push(media=GPUS)
    assert host.plan() == dict.fromkeys(("media/one", "media/more"), "start: made, but never started")
    ran = host.converge(code=1)
    assert "could not select device driver" in str(ran.error), ran.error

    same, fewer = "gpus: [{driver: nvidia}]", GPUS.replace("device_ids: ['0', '3']", "device_ids: ['0']")
    host.push(media=fewer.replace("deploy: {resources", same + "\n    deploy: {x-resources"))
    assert host.plan() == {"media/one": "start: made, but never started", "media/more": "replace: gpus changed"}


def test_what_compose_tuned_is_taken_over_as_it_runs_and_a_change_is_told(
    host: Host, engine: Engine, tmp_path: Path
) -> None:
    project = Project(tmp_path / "tuned", engine, "v2")
    project.write("compose.yaml", TUNED)
    project.run("up", "-d")
    before = host.started()
    text = host.config.read_text()
    host.config.write_text(text.replace("[trust]\n", '[trust]\nallow_privileged = ["tuned"]\n'))

    host.push(tuned=TUNED)
    planned = host.plan()
    assert len(planned) == 6
    assert {reason.partition(":")[0] for reason in planned.values()} == {"adopt"}, planned
    host.converge()
    assert host.started() == before
    host.settled()

    engine.cli("update", "--cpu-shares", "100", "--memory", "32m", "--memory-swap", "32m", "tuned-limited-1")
    host.heals({
        "tuned/limited": "update: memory limit 33554432 -> 67108864; cpu shares 100 -> 512; "
        "swap limit 33554432 -> 100663296"
    })  # fmt: skip
    assert host.started() == before

    changed = TUNED.replace("cpu_shares: 512", "cpu_shares: 256").replace("memswap_limit: 96m", "memswap_limit: -1")
    changed = changed.replace("uts: host", "tty: false").replace("cgroup: host", "tty: false")
    changed = changed.replace("cgroup_parent: /below", "cgroup_parent: /above")
    host.push(tuned=changed)
    assert host.plan() == {
        "tuned/limited": "replace: cpu_shares 512 -> 256; memswap_limit 100663296 -> -1",
        "tuned/killer": "replace: cgroup_parent /below -> /above",
        "tuned/apart": "replace: uts host -> unset",
        "tuned/hosts": "replace: definition changed",  # it is this engine's choice, too
    }
    host.converge()
    host.settled()


def test_what_git_does_not_say_of_what_compose_made_is_told(host: Host, engine: Engine, tmp_path: Path) -> None:
    project = Project(tmp_path / "tuned", engine, "v2")
    project.write("compose.yaml", TUNED)
    project.run("up", "-d")
    base = TUNED.partition("services:")[0]
    names = ("limited", "killer", "apart", "own", "hosts")
    host.push(tuned=base + "services:\n" + "".join(f"  {name}: *base\n" for name in names))

    by_hand = "memory limit set by hand"
    assert host.plan() == {
        "tuned/limited": f"replace: oom_score_adj 500 -> unset; {by_hand}; cpu shares set by hand; "
        "cpu period set by hand; cpu quota set by hand; cpuset set by hand",
        "tuned/killer": "replace: cgroup_parent /below -> unset; mem_swappiness 60 -> unset; "
        f"oom_kill_disable True -> unset; {by_hand}",
        "tuned/apart": "replace: device_cgroup_rules changed; uts host -> unset; userns_mode host -> unset",
        "tuned/own": "replace: cgroup private -> unset",
        "tuned/hosts": "adopt: started by compose, and as git wants it",
    }
    host.converge()
    host.settled()


BUILT = """
services:
  app:
    build: {context: ./src, network: host, shm_size: 5m, extra_hosts: ['db.example:192.0.2.7'], no_cache: true,
      cache_from: ['test/box:1']}
    command: sleep 1000000
    stop_grace_period: 0s
"""


def test_a_build_has_the_network_the_hosts_and_the_memory_that_it_asks_for(host: Host) -> None:
    dockerfile = "FROM test/box:1\nRUN cat /etc/hosts > /hosts; df -k /dev/shm > /shm\n"
    host.push({"app/src/Dockerfile": dockerfile}, app=BUILT)
    host.converge()
    host.settled()
    said = host.engine.cli("exec", "app-app-1", "cat", "/hosts", "/shm")
    assert "192.0.2.7\tdb.example" in said and " 5120 " in said

    host.push(app=BUILT.replace("192.0.2.7", "192.0.2.8").replace("cache_from: ['test/box:1']", "pull: false"))
    assert host.plan()["app/app"].startswith("replace: "), host.plan()
    host.converge()
    host.settled()
    assert "192.0.2.8\tdb.example" in host.engine.cli("exec", "app-app-1", "cat", "/hosts")

    host.push(app=BUILT.replace("192.0.2.7", "192.0.2.8"))
    assert not host.plan(), "where its cache comes from changes nothing of an image"

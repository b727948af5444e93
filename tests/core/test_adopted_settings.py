"""What Compose told the engine about a container, beside what git says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.adopting import ADOPTED, actions, composed, planned
from tests.support.planning import wish

GPUS = [{"Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": None}]


@pytest.mark.parametrize(
    ("asked", "host", "differs"),
    [
        ("gpus: all", {"DeviceRequests": GPUS}, ""),
        ("gpus: [{capabilities: [gpu]}]", {"DeviceRequests": [{**GPUS[0], "Capabilities": [["gpu", "gpu"]]}]}, ""),
        ("gpus: [{count: 1}]", {"DeviceRequests": GPUS}, "gpus changed"),
        ("gpus: all", {}, "gpus changed"),
        ("tty: false", {"DeviceRequests": GPUS}, "gpus changed"),
        ("tty: false", {"Runtime": "runc"}, ""),
        ("runtime: nvidia", {"Runtime": "nvidia"}, ""),
        ("runtime: nvidia", {"Runtime": "runc"}, "runtime runc -> nvidia"),
        ("tty: false", {"Runtime": "nvidia"}, "runtime nvidia -> unset"),
        ("tty: false", {"CgroupnsMode": "private"}, ""),
        ("tty: false", {"CgroupnsMode": "host"}, "cgroup host -> unset"),
        ("privileged: true", {"CgroupnsMode": "host", "Privileged": True}, ""),
        ("cgroup: host", {"CgroupnsMode": "host"}, ""),
        ("cgroup: host", {"CgroupnsMode": "private"}, "cgroup private -> host"),
        ("uts: host", {"UTSMode": "host"}, ""),
        ("tty: false", {"UTSMode": "host"}, "uts host -> unset"),
        ("userns_mode: host", {"UsernsMode": "host"}, ""),
        ("tty: false", {"UsernsMode": "host"}, "userns_mode host -> unset"),
        ("tty: false", {"DeviceCgroupRules": ["c 188:* rmw"]}, "device_cgroup_rules changed"),
        ("device_cgroup_rules: [a *:* r, 'c 188:* rmw']", {"DeviceCgroupRules": ["c 188:* rmw", "a *:* r"]}, ""),
        ("storage_opt: {size: 1G}", {"StorageOpt": {"size": "1G"}}, ""),
        ("tty: false", {"StorageOpt": {"size": "1G"}}, "storage_opt changed"),
        ("oom_kill_disable: true", {"OomKillDisable": True}, ""),
        ("tty: false", {"OomKillDisable": True}, "oom_kill_disable True -> unset"),
        ("tty: false", {"OomKillDisable": False, "MemorySwappiness": -1}, ""),
        ("mem_swappiness: 60", {"MemorySwappiness": 60}, ""),
        ("tty: false", {"MemorySwappiness": 60}, "mem_swappiness 60 -> unset"),
        ("tty: false", {"CpuPeriod": 50000}, "cpu period set by hand"),
    ],
)  # fmt: skip
def test_what_the_engine_was_told_is_compared_with_git(asked: str, host: dict[str, Any], differs: str) -> None:
    wanted = wish(f"services: {{web: {{image: box, {asked}}}}}")
    live = {"HostConfig": {"NetworkMode": "app_default", **host}}
    observed = replace(composed(wanted, definition=live), defaults={"Runtime": "runc", "CgroupnsMode": "private"})
    assert actions(planned(wanted, observed)) == (ADOPTED if not differs else {"app/web": f"replace: {differs}"})


LIMITED = "mem_limit: 64m, memswap_limit: 96m, cpu_shares: 512, cpuset: '0', cpu_period: 50000, cpu_quota: 25000"
ASKED = {"Memory": 64 << 20, "MemorySwap": 96 << 20, "CpuShares": 512, "CpusetCpus": "0", "CpuPeriod": 50000,
         "CpuQuota": 25000}  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "host", "mended"),
    [
        (LIMITED, ASKED, ""),
        (LIMITED, {**ASKED, "CpuShares": 0, "CpusetCpus": ""}, "cpu shares unset -> 512; cpuset unset -> 0"),
        (LIMITED, {**ASKED, "CpuQuota": 1000, "CpuPeriod": 0}, "cpu period unset -> 50000; cpu quota 1000 -> 25000"),
        (LIMITED, {**ASKED, "MemorySwap": -1}, "swap limit -1 -> 100663296"),
        ("mem_limit: 64m", {"Memory": 64 << 20, "MemorySwap": 128 << 20}, ""),
        ("mem_limit: 64m, memswap_limit: 128m", {"Memory": 64 << 20, "MemorySwap": 128 << 20}, ""),
        ("mem_limit: 64m, memswap_limit: -1", {"Memory": 64 << 20, "MemorySwap": -1}, ""),
        ("mem_limit: 64m", {"Memory": 64 << 20, "MemorySwap": 64 << 20}, "swap limit 67108864 -> 134217728"),
        ("mem_limit: 64m", {"Memory": 64 << 20}, ""),
    ],
)
def test_limits_that_a_running_container_can_be_given_are_mended_in_place(
    asked: str, host: dict[str, Any], mended: str
) -> None:
    wanted = wish(f"services: {{web: {{image: box, {asked}}}}}")
    observed = composed(wanted, definition={"HostConfig": {"NetworkMode": "app_default", **host}})
    assert actions(planned(wanted, observed)) == (ADOPTED if not mended else {"app/web": f"update: {mended}"})


COMPOSE_LINKS = ["app-db-1:d", "app-db-1:db-1", "app-db-1:app-db-1"]


@pytest.mark.parametrize(
    ("asked", "links", "mended"),
    [
        ("links: ['db:d']", COMPOSE_LINKS, ""),
        ("links: ['db:d']", ["app_db_1:d", "app_db_1:app_db_1", "app_db_1:db_1"], ""),
        ("links: ['db:d']", ["app-db-1:d", "app-db-1:db-2", "app-db-1:app-db-2"], ""),
        ("links: ['db:d']", ["db:d"], ""),
        ("links: ['db:d']", None, "linked otherwise on app_default"),
        ("links: [db]", COMPOSE_LINKS, "linked otherwise on app_default"),
        ("tty: false", COMPOSE_LINKS, "linked otherwise on app_default"),
        ("tty: false", [], ""),
    ],
)
def test_other_links_are_mended_in_place(asked: str, links: list[str] | None, mended: str) -> None:
    wanted = wish(f"services: {{web: {{image: box, {asked}}}, db: {{image: box}}}}")
    endpoints = {"app_default": {"Aliases": ["web", "db"], "Links": links}}
    found = composed(wanted, definition={"NetworkingConfig": {"EndpointsConfig": endpoints}})
    (web,) = (c for c in found.containers if c.service == "web")
    (db,) = (c for c in composed(wanted).containers if c.service == "db")
    assert actions(planned(wanted, replace(found, containers=(web, db))))["app/web"] == (
        f"update: {mended}" if mended else ADOPTED["app/web"]
    )


def test_what_an_engine_may_have_chosen_itself_is_no_difference_where_nobody_knows_its_choice() -> None:
    wanted = wish("services: {web: {image: box}}")
    live = {"HostConfig": {"NetworkMode": "app_default", "Runtime": "nvidia"}}
    assert actions(planned(wanted, composed(wanted, definition=live))) == ADOPTED

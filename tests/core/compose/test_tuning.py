"""GPUs, the runtime and the settings of the engine that a service may ask for."""

from __future__ import annotations

from dataclasses import fields

import pytest

from reconciler.core.tuned import TUNED
from reconciler.model.resources import DeviceRequest, Tuning
from tests.support.compose import load, service, service_problem
from tests.support.planning import wish

GPU = ("gpu",)


def reserved(devices: str) -> str:
    return f"deploy: {{resources: {{reservations: {{devices: {devices}}}}}}}"


@pytest.mark.parametrize(
    ("body", "devices"),
    [
        ("gpus: all", [DeviceRequest("", -1, (), GPU)]),
        ("gpus: []", []),
        ("gpus: [{count: 2}]", [DeviceRequest("", 2, (), GPU)]),
        ("gpus: [{count: all, driver: nvidia, capabilities: [utility, gpu], options: {a: 1}}]",
         [DeviceRequest("nvidia", -1, (), ("utility", "gpu"), (("a", "1"),))]),
        ("gpus: [{device_ids: ['0', '0', 'GPU-x']}]", [DeviceRequest("", 0, ("0", "GPU-x"), GPU)]),
        (reserved("[{driver: nvidia, count: 1, capabilities: [gpu]}]"), [DeviceRequest("nvidia", 1, (), GPU)]),
        (reserved("[{capabilities: [gpu]}]"), [DeviceRequest("", -1, (), GPU)]),
        (reserved("[{count: '3', capabilities: [tpu], options: [a=b]}]"),
         [DeviceRequest("", 3, (), ("tpu",), (("a", "b"),))]),
        (reserved("[{device_ids: ['1'], capabilities: [gpu]}]") + "\ngpus: all",
         [DeviceRequest("", 0, ("1",), GPU), DeviceRequest("", -1, (), GPU)]),
    ],
)  # fmt: skip
def test_devices_that_the_engine_gives(body: str, devices: list[DeviceRequest]) -> None:
    assert service(body).resources.devices == tuple(devices)


def test_reserved_devices_of_two_files_are_all_wanted() -> None:
    base = "services: {web: {image: a, " + reserved("[{capabilities: [gpu], count: 1}]") + "}}"
    text = "services: {web: {extends: {file: base.yaml, service: web}, " + reserved("[{capabilities: [tpu]}]") + "}}"
    web = load(text, {"stacks/app/base.yaml": base}).stack.service("web")
    assert [each.capabilities for each in web.resources.devices] == [GPU, ("tpu",)]


def test_what_is_sent_for_a_gpu() -> None:
    text = "services: {web: {image: a, gpus: [{count: 2, driver: nvidia, options: {a: b}}], runtime: nvidia}}"
    (want,) = wish(text).wants.values()
    host = want.spec.body["HostConfig"]
    assert host["Runtime"] == "nvidia"
    assert host["DeviceRequests"] == [
        {"Driver": "nvidia", "Count": 2, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {"a": "b"}}
    ]


@pytest.mark.parametrize(
    ("body", "tuning"),
    [
        ("runtime: nvidia", Tuning(runtime="nvidia")),
        ("hostname: a", Tuning()),
        ("cpuset: 0-3,5", Tuning(cpuset="0-3,5")),
        ("cpu_shares: 512", Tuning(cpu_shares=512)),
        ("cpu_period: 50000\ncpu_quota: '25000'", Tuning(cpu_period=50000, cpu_quota=25000)),
        ("cpu_quota: -1", Tuning()),
        ("mem_limit: 1g\nmemswap_limit: 2g", Tuning(memswap_limit=2 << 30)),
        ("deploy: {resources: {limits: {memory: 1g}}}\nmemswap_limit: 1g", Tuning(memswap_limit=1 << 30)),
        ("mem_limit: 1g\nmemswap_limit: -1", Tuning(memswap_limit=-1)),
        ("memswap_limit: '-1'", Tuning(memswap_limit=-1)),
        ("mem_swappiness: 0", Tuning(mem_swappiness=0)),
        ("oom_kill_disable: true\nmem_limit: 1g", Tuning(oom_kill_disable=True)),
        ("oom_score_adj: -500", Tuning(oom_score_adj=-500)),
        ("device_cgroup_rules: ['c 188:* rmw', 'c 188:* rmw', 'a 7:* r']",
         Tuning(device_cgroup_rules=("c 188:* rmw", "a 7:* r"))),
        ("uts: host", Tuning(uts="host")),
        ("userns_mode: host", Tuning(userns_mode="host")),
        ("cgroup: private", Tuning(cgroup="private")),
        ("cgroup_parent: m-executor-abcd", Tuning(cgroup_parent="m-executor-abcd")),
        ("storage_opt: {size: 1G}", Tuning(storage_opt=(("size", "1G"),))),
    ],
)  # fmt: skip
def test_what_the_engine_is_told(body: str, tuning: Tuning) -> None:
    assert service(body).tuning == tuning


def test_every_setting_is_sent_and_compared_under_its_own_name() -> None:
    assert sorted(TUNED.values()) == sorted(field.name for field in fields(Tuning))


def test_whoever_switches_the_killer_off_without_a_limit_is_warned() -> None:
    (warning,) = load("services: {web: {image: a, oom_kill_disable: true}}").warnings
    assert "stacks/app/compose.yaml:1:28: oom_kill_disable without a limit of memory" in warning


@pytest.mark.parametrize(
    ("body", "code", "says", "at"),
    [
        ("gpus: some", "VALUE", "all, or a list", "4:11"),
        ("gpus: {count: 1}", "VALUE", "all, or a list", "4:11"),
        ("gpus: [all]", "VALUE", "a mapping", "4:12"),
        ("gpus: [{count: 0}]", "VALUE", "at least 1", "4:20"),
        ("gpus: [{count: many}]", "VALUE", "at least 1", "4:20"),
        ("gpus: [{count: 1, device_ids: ['0']}]", "VALUE", "exclude each other", "4:13"),
        ("gpus: [{device_ids: [0]}]", "VALUE", 'put it in quotes: "0"', "4:26"),
        ("gpus: [{capability: [gpu]}]", "KEY", "'capabilities'", "4:13"),
        (reserved("[{count: 1}]"), "VALUE", "needs capabilities", "4:51"),
        (reserved("[{capabilities: []}]"), "VALUE", "empty", "4:66"),
        (reserved("[{capabilities: }]"), "VALUE", "a list", "4:66"),
        (reserved("[{capabilities: [gpu], ids: []}]"), "KEY", "'ids'", "4:73"),
        ("cpuset: 0", "VALUE", 'put it in quotes: "0"', "4:13"),
        ("cpuset: all", "VALUE", "such as 0-3", "4:13"),
        ("cpu_shares: many", "VALUE", "whole number", "4:17"),
        ("cpu_period: 10", "VALUE", "from 1000 to 1000000", "4:17"),
        ("cpu_period: 1000\ncpus: 1", "VALUE", "exclude each other", "4:5"),
        ("cpu_quota: 1000\ncpus: 1", "VALUE", "exclude each other", "4:5"),
        ("memswap_limit: 1g", "VALUE", "needs a limit of memory", "4:5"),
        ("memswap_limit: 1g\nmem_limit: 2g", "VALUE", "less than the limit of memory", "4:5"),
        ("memswap_limit: lots", "VALUE", "a size", "4:20"),
        ("mem_swappiness: 101", "VALUE", "from 0 to 100", "4:21"),
        ("oom_kill_disable: maybe", "VALUE", "true or false", "4:23"),
        ("oom_score_adj: 1001", "VALUE", "from -1000 to 1000", "4:20"),
        ("device_cgroup_rules: ['c 188:* x']", "VALUE", "a rule for devices", "4:27"),
        ("device_cgroup_rules: c 1:3 r", "VALUE", "a list", "4:26"),
        ("uts: private", "VALUE", "one of host", "4:10"),
        ("uts: host\nhostname: a", "VALUE", "uts: host and hostname exclude", "4:5"),
        ("userns_mode: keep-id", "VALUE", "one of host", "4:18"),
        ("cgroup: shared", "VALUE", "one of host, private", "4:13"),
        ("cgroup_parent: ''", "VALUE", "empty", "4:20"),
        ("storage_opt: [size=1G]", "VALUE", "a mapping", "4:18"),
        ("runtime: ''", "VALUE", "empty", "4:14"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(body: str, code: str, says: str, at: str) -> None:
    error = service_problem(body)
    assert error.code == f"E-COMPOSE-{code}"
    assert says in f"{error.what} {error.next}"
    assert str(error.at) == f"stacks/app/compose.yaml:{at}"

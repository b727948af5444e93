"""GPUs, the runtime and the settings of the engine that a service may ask for."""

from __future__ import annotations

import pytest

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
    ],
)
def test_what_the_engine_is_told(body: str, tuning: Tuning) -> None:
    assert service(body).tuning == tuning


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
        ("runtime: ''", "VALUE", "empty", "4:14"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(body: str, code: str, says: str, at: str) -> None:
    error = service_problem(body)
    assert error.code == f"E-COMPOSE-{code}"
    assert says in f"{error.what} {error.next}"
    assert str(error.at) == f"stacks/app/compose.yaml:{at}"

"""What an engine says of itself, and what follows for the containers that it makes."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.adapters.docker.engine import DockerEngine
from reconciler.adapters.docker.read import defaults, lacks
from tests.support.engine import Engine

ALL = dict.fromkeys(
    ("MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota", "CpuCfsPeriod", "CPUShares", "CPUSet", "OomKillDisable"),
    True,
)


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({}, set()),
        (ALL, set()),
        ({**ALL, "SwapLimit": False}, {"MemorySwap"}),
        ({**ALL, "CPUShares": False, "CPUSet": False}, {"CpuShares", "CpusetCpus"}),
        ({**ALL, "CpuCfsQuota": False}, {"NanoCpus", "CpuQuota"}),
        ({**ALL, "MemoryLimit": False}, {"Memory", "MemoryReservation", "MemorySwap"}),
        ({**ALL, "CgroupVersion": "2", "OomKillDisable": False}, {"OomKillDisable", "MemorySwappiness"}),
    ],
)
def test_what_a_kernel_cannot_enforce(info: dict[str, Any], found: set[str]) -> None:
    assert lacks(info) == found


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({}, {}),
        ({"DefaultRuntime": "nvidia"}, {"Runtime": "nvidia"}),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=cgroupns"]}, {"CgroupnsMode": "private"}),
        ({"SecurityOptions": None}, {"CgroupnsMode": "host"}),
    ],
)
def test_what_an_engine_chooses_by_itself(info: dict[str, Any], found: dict[str, str]) -> None:
    assert defaults(info) == found


@pytest.mark.engine
def test_a_container_has_what_its_engine_says_that_it_chooses(engine: Engine) -> None:
    engine.cli("create", "--name", "plain", "test/box:1")
    docker = DockerEngine(engine.url)
    (plain,) = docker.look(["plain"])

    chosen = docker.observe("box", "nobody").defaults

    assert chosen.keys() == {"Runtime", "CgroupnsMode"}
    assert chosen == {key: plain.definition["HostConfig"][key] for key in chosen}

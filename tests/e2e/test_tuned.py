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

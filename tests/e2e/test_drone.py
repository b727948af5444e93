"""A wish becomes binary packages: asked, resolved, built by the real emerge, and installed by another machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.binhost import index_of
from tests.support.drones import DroneProcess
from tests.support.gentoo import LIBRARY, Machine
from tests.support.serving import Orchestrator, eventually, orchestrator_at


@pytest.fixture
def orchestrator(tmp_path: Path) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path / "orchestrator") as orchestrator:
        yield orchestrator


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "machine")
    machine.ebuild("dev-libs/liba-1.1", LIBRARY, SLOT="0/1", IUSE="extra")
    machine.ebuild("app-misc/foo-1.0", IUSE="doc ssl", DEPEND="dev-libs/liba:=", RDEPEND="dev-libs/liba:=")
    return machine


@pytest.fixture
def drone(orchestrator: Orchestrator, machine: Machine, tmp_path: Path) -> Iterator[DroneProcess]:
    drone = DroneProcess(orchestrator, tmp_path / "drone", machine.environment)
    drone.enroll()
    yield drone.start()
    drone.leave()
    assert drone.trouble() == []


def test_a_wish_is_resolved_built_in_its_order_and_installed_elsewhere(
    orchestrator: Orchestrator, machine: Machine, drone: DroneProcess, tmp_path: Path
) -> None:
    wish = {"atoms": ["app-misc/foo"], "use": {"app-misc/foo": ["doc"]}, "profile": "default"}
    request = orchestrator.ask("POST", "/api/queue", wish).data["request"]["id"]

    eventually(lambda: ended(orchestrator, request), "the request has ended", 120)

    told = orchestrator.get(f"/api/requests/{request}").data
    assert told["request"]["state"] == "complete", told
    built = [each for each in told["builds"] if each["kind"] == "package"]
    assert {f"{each['package']['name']}-{each['package']['version']}" for each in built} == {"liba-1.1", "foo-1.0"}
    assert all(each["state"] == "succeeded" and each["attempt"] == 1 for each in built)
    paths = [entry["PATH"] for entry in index_of(orchestrator.state / "binhost", "default").entries]
    assert paths == ["app-misc/foo/foo-1.0-1.gpkg.tar", "dev-libs/liba/liba-1.1-1.gpkg.tar"]
    foo = next(each["id"] for each in built if each["package"]["name"] == "foo")
    log = orchestrator.get(f"/api/builds/{foo}/log").data["text"]
    assert ">>> Emerging (1 of 1) app-misc/foo-1.0::gentoo" in log, "liba was there already"

    client = Machine(tmp_path / "client", machine.repository)
    client.follow(f"{orchestrator.url}/binhost/default")
    done = client.take("--binpkg-respect-use=y", "app-misc/foo", use="doc")

    assert done.returncode == 0, done.stdout + done.stderr
    assert client.told("foo") == "1.0 doc"
    assert client.has("dev-libs/liba-1.1")
    again = orchestrator.ask("POST", "/api/queue", {**wish, "use": {"app-misc/foo": ["doc"]}}).data["request"]["id"]
    eventually(lambda: ended(orchestrator, again), "it is answered at once", 60)
    assert orchestrator.get(f"/api/requests/{again}").data["deduplicated"], "nothing is built a second time"


def ended(orchestrator: Orchestrator, request: str) -> bool:
    found = orchestrator.get(f"/api/requests/{request}").data["request"]
    return bool(found["ended"])

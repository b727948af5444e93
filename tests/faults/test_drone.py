"""Drones and orchestrators that die, are cut off, are asked to stop: nothing is lost, and nothing is stored twice.

Real processes, and a real engine and binhost between them; emerge alone is a script: it waits where a test wants it to.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.process_group import marked
from tests.support.binhost import index_of
from tests.support.drones import DroneProcess, FakePortage
from tests.support.serving import Orchestrator, eventually, listing, orchestrator_at


@pytest.fixture
def orchestrator(tmp_path: Path) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path / "orchestrator") as orchestrator:
        yield orchestrator


@pytest.fixture
def portage(tmp_path: Path) -> FakePortage:
    return FakePortage(tmp_path / "portage")


@pytest.fixture
def drone(orchestrator: Orchestrator, portage: FakePortage, tmp_path: Path) -> Iterator[DroneProcess]:
    """Enrolled, and not started yet."""
    drone = DroneProcess(orchestrator, tmp_path / "drone", portage.environment)
    drone.enroll()
    yield drone
    drone.leave()
    assert drone.trouble() == []
    assert left_of(portage) == []


def left_of(portage: FakePortage) -> list[object]:
    """Processes and unpacked sources of a build."""
    (builds,) = list((portage.folder / "tmp").iterdir()) or [portage.folder]
    return [*marked(f"PORTAGE_TMPDIR={builds}"), *builds.glob("portage/*")]


def wanted(orchestrator: Orchestrator, *cpvs: str) -> list[str]:
    """Submitted; the ids of the builds."""
    told = orchestrator.submit(listing(*cpvs))
    return [each["build"] for each in told["accepted"]]


def build(orchestrator: Orchestrator, id: str) -> Any:
    return orchestrator.get(f"/api/builds/{id}").data


def state(orchestrator: Orchestrator, id: str) -> str:
    return str(build(orchestrator, id)["build"]["state"])


def succeeds(orchestrator: Orchestrator, id: str) -> None:
    eventually(lambda: state(orchestrator, id) == "succeeded", f"{id} succeeded")


def stored(orchestrator: Orchestrator) -> list[str]:
    """By what clients see, once per package."""
    return [entry["PATH"] for entry in index_of(orchestrator.state / "binhost", "default").entries]


def at_work(portage: FakePortage, count: int = 1) -> None:
    eventually(lambda: len(portage.begun()) >= count, f"emerge was begun {count} times")


def test_what_is_asked_for_is_built_brought_and_served(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    first, second = wanted(orchestrator, "app-misc/foo-1", "app-misc/bar-2")
    drone.start()

    succeeds(orchestrator, first)
    succeeds(orchestrator, second)

    assert stored(orchestrator) == ["app-misc/bar/bar-2-1.gpkg.tar", "app-misc/foo/foo-1-1.gpkg.tar"]
    assert orchestrator.get("/binhost/default/app-misc/foo/foo-1-1.gpkg.tar").body == b"what app-misc/foo-1 is\n"
    eventually(lambda: "Compiling source" in orchestrator.get(f"/api/builds/{first}/log").data["text"], "its log")
    assert list((drone.state / "packages").iterdir()) == []
    drone.ask_to_stop()
    assert drone.ended() == 0


def test_a_failed_build_says_why(orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess) -> None:
    portage.tell("fail")
    (id,) = wanted(orchestrator, "app-misc/foo-1")
    drone.start()

    eventually(lambda: state(orchestrator, id) == "failed", "all tries failed")

    assert "app-misc/foo-1 failed in its compile phase: it was told to" in build(orchestrator, id)["build"]["reason"]
    assert "it was told to" in orchestrator.get(f"/api/builds/{id}/log").data["text"]
    assert stored(orchestrator) == []


def test_what_is_cancelled_is_ended_and_the_next_is_taken_on(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    portage.tell("hold")
    (id,) = wanted(orchestrator, "app-misc/foo-1")
    drone.start()
    at_work(portage)
    eventually(lambda: orchestrator.get("/api/drones/tau").data["phase"] == "compile", "its phase is known")

    assert orchestrator.ask("DELETE", f"/api/queue/{id}").status == 200

    drone.says("it was withdrawn")
    eventually(lambda: left_of(portage) == [], "nothing of it runs")
    portage.tell_no_more("hold")
    (other,) = wanted(orchestrator, "app-misc/bar-1")
    succeeds(orchestrator, other)
    assert portage.ended() == ["app-misc/bar-1"]


def test_a_drone_that_is_cut_off_builds_on_and_delivers_later(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    portage.tell("hold")
    (id,) = wanted(orchestrator, "app-misc/foo-1")
    drone.start()
    at_work(portage)

    orchestrator.stop(signal.SIGKILL)
    portage.tell_no_more("hold")
    drone.says("it is kept, and tried again")
    orchestrator.start()

    succeeds(orchestrator, id)
    assert portage.begun() == ["app-misc/foo-1"], "it was not built twice"
    assert stored(orchestrator) == ["app-misc/foo/foo-1-1.gpkg.tar"]


def test_an_outcome_outlives_the_drone(orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess) -> None:
    portage.tell("hold")
    (id,) = wanted(orchestrator, "app-misc/foo-1")
    drone.start()
    at_work(portage)
    orchestrator.stop(signal.SIGKILL)
    portage.tell_no_more("hold")
    drone.says("it is kept, and tried again")
    drone.kill()

    orchestrator.start()
    drone.start()

    succeeds(orchestrator, id)
    assert portage.begun() == ["app-misc/foo-1"]
    assert stored(orchestrator) == ["app-misc/foo/foo-1-1.gpkg.tar"]


def test_an_outcome_that_is_not_wanted_any_more_is_dropped(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    portage.tell("hold")
    (id,) = wanted(orchestrator, "app-misc/foo-1")
    drone.start()
    at_work(portage)
    orchestrator.stop(signal.SIGKILL)
    portage.tell_no_more("hold")
    drone.says("it is kept, and tried again")
    drone.kill()
    orchestrator.start()
    orchestrator.ask("DELETE", f"/api/queue/{id}")

    drone.start()

    drone.says("the lease is gone")
    eventually(lambda: not (drone.state / "taken.json").exists(), "it is forgotten")
    assert stored(orchestrator) == []
    assert list((drone.state / "packages").iterdir()) == []


def test_a_killed_drone_is_cleaned_up_after_and_what_it_built_is_built_again(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    portage.tell("hold")
    (id,) = wanted(orchestrator, "app-misc/foo-1")
    drone.start()
    at_work(portage)
    drone.kill()
    assert left_of(portage) != [], "nobody ended it"
    before = left_of(portage)

    drone.start()

    drone.says("the drone was started anew while it was at the build of =app-misc/foo-1")
    at_work(portage, 2)
    assert not set(before) & set(marked_only(portage))
    portage.tell_no_more("hold")
    succeeds(orchestrator, id)
    assert portage.ended() == ["app-misc/foo-1"], "only the second one came to its end"
    told = build(orchestrator, id)
    assert [each["result"] for each in told["attempts"]][-1] == "succeeded"
    assert told["build"]["failures"] == [], "it was no failed try"


def marked_only(portage: FakePortage) -> list[object]:
    return [each for each in left_of(portage) if isinstance(each, int)]


def test_asked_to_stop_it_ends_what_it_builds_and_takes_nothing_new_on(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    portage.tell("hold")
    first, second = wanted(orchestrator, "app-misc/foo-1", "app-misc/bar-1")
    drone.start()
    at_work(portage)

    drone.ask_to_stop()
    eventually(lambda: orchestrator.get("/api/drones/tau").data["draining"], "it says that it drains")
    portage.tell_no_more("hold")

    assert drone.ended() == 0
    done = next(id for id in (first, second) if state(orchestrator, id) != "queued")
    succeeds(orchestrator, done)
    assert len(portage.begun()) == 1


@pytest.mark.parametrize("how", ["deadline", "twice"])
def test_what_it_cannot_end_before_it_stops_is_handed_back(
    how: str, orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    drone.more = 'drain = "300ms"\n' if how == "deadline" else ""
    portage.tell("hold")
    (id,) = wanted(orchestrator, "app-misc/foo-1")
    drone.start()
    at_work(portage)

    drone.ask_to_stop()
    if how == "twice":
        eventually(lambda: orchestrator.get("/api/drones/tau").data["draining"], "it drains")
        drone.ask_to_stop(signal.SIGINT)

    assert drone.ended() == 0
    assert left_of(portage) == []
    eventually(lambda: state(orchestrator, id) == "queued", "it waits for another one")
    told = build(orchestrator, id)
    assert (told["attempts"][0]["result"], told["build"]["failures"]) == ("returned", [])
    portage.tell_no_more("hold")
    drone.start()
    succeeds(orchestrator, id)


def test_a_drone_that_was_revoked_ends_what_it_builds_and_says_so(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    portage.tell("hold")
    wanted(orchestrator, "app-misc/foo-1")
    drone.start()
    at_work(portage)

    orchestrator.ask("POST", "/api/drones/tau/enroll")

    assert drone.ended() == 1
    assert "E-ENGINE-CREDENTIAL" in drone.said
    assert left_of(portage) == []


def test_restarted_by_the_orchestrator_it_begins_anew(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    portage.tell("hold")
    (id,) = wanted(orchestrator, "app-misc/foo-1")
    drone.start()
    at_work(portage)

    orchestrator.ask("POST", "/api/drones/tau/restart")

    at_work(portage, 2)
    portage.tell_no_more("hold")
    succeeds(orchestrator, id)
    assert portage.ended() == ["app-misc/foo-1"]


# ---- before it begins


def test_two_drones_in_one_folder_do_not_get_in_each_others_way(
    orchestrator: Orchestrator, portage: FakePortage, drone: DroneProcess
) -> None:
    drone.start().says("building for default")
    other = DroneProcess(
        orchestrator, drone.folder / "other", portage.environment, more=f'directory = "{drone.state}"\n'
    )
    other.folder.mkdir()
    (other.folder / "secrets").symlink_to(drone.folder / "secrets")
    other.more, text = "", f'directory = "{other.state}"'
    other.start().kill()
    other.config.write_text(other.config.read_text().replace(text, f'directory = "{drone.state}"'))

    done = orchestrator.run("drone", env={"RECONCILER_CONFIG": str(other.config)})

    assert done.code == 75
    assert "E-DRONE-BUSY" in done.err


def test_without_a_credential_it_says_how_to_get_one(
    orchestrator: Orchestrator, portage: FakePortage, tmp_path: Path
) -> None:
    stranger = DroneProcess(orchestrator, tmp_path / "stranger", portage.environment, name="nu").start()

    assert stranger.ended() == 1
    assert "E-DRONE-CREDENTIAL" in stranger.said
    assert "reconciler drones enroll nu" in stranger.said


def test_without_portage_it_takes_nothing_on(orchestrator: Orchestrator, tmp_path: Path) -> None:
    bare = DroneProcess(orchestrator, tmp_path / "bare", {"PATH": "/usr/bin:/bin"}, name="nu")
    bare.enroll()

    assert bare.start().ended() == 1
    assert "E-DRONE-EMERGE" in bare.said

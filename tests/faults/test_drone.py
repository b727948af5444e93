"""Drones and orchestrators that die, are cut off, are asked to stop: nothing is lost, and nothing is stored twice.

Real processes, and a real engine and binhost between them; emerge alone is a script: it waits where a test wants it to.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.process_group import marked
from tests.support.binhost import index_of
from tests.support.cli import environment, run
from tests.support.drones import DroneProcess, FakePortage
from tests.support.serving import Orchestrator, eventually, listing, orchestrator_at


@dataclass
class Site:
    """An orchestrator and one drone, which is enrolled and not started; the profile is this test's own."""

    orchestrator: Orchestrator
    portage: FakePortage
    drone: DroneProcess

    def wants(self, *cpvs: str) -> list[str]:
        """Submitted; the ids of the builds."""
        told = self.orchestrator.submit(listing(*cpvs), profile=self.drone.profile)
        return [each["build"] for each in told["accepted"]]

    def build(self, id: str) -> Any:
        return self.orchestrator.get(f"/api/builds/{id}").data

    def state(self, id: str) -> str:
        return str(self.build(id)["build"]["state"])

    def becomes(self, id: str, state: str) -> None:
        eventually(lambda: self.state(id) == state, f"{id} is {state}")

    def cancel(self, id: str) -> None:
        assert self.orchestrator.ask("DELETE", f"/api/queue/{id}").status == 200

    def log(self, id: str) -> str:
        return str(self.orchestrator.get(f"/api/builds/{id}/log").data["text"])

    def heard(self) -> Any:
        """What the orchestrator knows of the drone."""
        return self.orchestrator.get(f"/api/drones/{self.drone.name}").data

    def stored(self) -> list[str]:
        """What clients see."""
        folder = self.orchestrator.state / "binhost"
        if not (folder / self.drone.profile).exists():
            return []
        return [entry["PATH"] for entry in index_of(folder, self.drone.profile).entries]

    def left(self) -> list[object]:
        """Processes and unpacked sources of a build."""
        builds = next(iter((self.portage.folder / "tmp").iterdir()), Path("/nonexistent"))
        return [*marked(f"PORTAGE_TMPDIR={builds}"), *builds.glob("portage/*")]

    def at_work(self, count: int = 1) -> None:
        eventually(lambda: len(self.portage.begun()) >= count, f"emerge was begun {count} times")

    def starts(self, *cpvs: str) -> list[str]:
        """The drone is started, and is held in the middle of its first build."""
        self.portage.tell("hold")
        ids = self.wants(*cpvs)
        self.drone.start()
        self.at_work()
        return ids

    def put_away(self) -> None:
        """Nothing of what the drone made or took on is kept."""
        kept = (self.drone.state / "packages").iterdir
        eventually(lambda: not (self.drone.state / "taken.json").exists() and not list(kept()), "all is put away")


def site_with(orchestrator: Orchestrator, folder: Path, name: str) -> Iterator[Site]:
    portage = FakePortage(folder / "portage")
    drone = DroneProcess(orchestrator, folder / "drone", portage.environment, name=name, profile=name)
    drone.enroll()
    site = Site(orchestrator, portage, drone)
    yield site
    drone.leave()
    assert drone.trouble() == []
    assert site.left() == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path_factory.mktemp("orchestrator")) as orchestrator:
        yield orchestrator


@pytest.fixture
def site(shared: Orchestrator, tmp_path: Path) -> Iterator[Site]:
    yield from site_with(shared, tmp_path, tmp_path.name[-40:].strip("_"))


@pytest.fixture
def breakable(tmp_path: Path) -> Iterator[Site]:
    """With an orchestrator of its own."""
    with orchestrator_at(tmp_path / "orchestrator") as orchestrator:
        yield from site_with(orchestrator, tmp_path, "tau")


def test_what_is_asked_for_is_built_brought_and_served(site: Site) -> None:
    ids = site.wants("app-misc/foo-1", "app-misc/bar-2")
    site.drone.start()

    for id in ids:
        site.becomes(id, "succeeded")

    assert site.stored() == ["app-misc/bar/bar-2-1.gpkg.tar", "app-misc/foo/foo-1-1.gpkg.tar"]
    got = site.orchestrator.get(f"/binhost/{site.drone.profile}/app-misc/foo/foo-1-1.gpkg.tar")
    assert got.body == b"what app-misc/foo-1 is\n"
    assert "Compiling source" in site.log(ids[0])
    site.put_away()
    site.drone.ask_to_stop()
    assert site.drone.ended() == 0


def test_a_failed_build_says_why(site: Site) -> None:
    site.portage.tell("fail")
    (id,) = site.wants("app-misc/foo-1")
    site.drone.start()

    site.becomes(id, "failed")

    assert "app-misc/foo-1 failed in its compile phase: it was told to" in site.build(id)["build"]["reason"]
    assert "it was told to" in site.log(id)
    assert site.stored() == []


def test_what_is_cancelled_is_ended_and_the_next_is_taken_on(site: Site) -> None:
    (id,) = site.starts("app-misc/foo-1")
    eventually(lambda: site.heard()["phase"] == "compile", "its phase is known")

    site.cancel(id)

    site.drone.says("it was withdrawn")
    eventually(lambda: site.left() == [], "nothing of it runs")
    site.portage.tell_no_more("hold")
    (other,) = site.wants("app-misc/bar-1")
    site.becomes(other, "succeeded")
    assert site.portage.ended() == ["app-misc/bar-1"]


def test_restarted_by_the_orchestrator_it_begins_anew(site: Site) -> None:
    (id,) = site.starts("app-misc/foo-1")

    site.orchestrator.ask("POST", f"/api/drones/{site.drone.name}/restart")

    site.at_work(2)
    site.portage.tell_no_more("hold")
    site.becomes(id, "succeeded")
    assert site.portage.ended() == ["app-misc/foo-1"]


def test_a_drone_that_was_revoked_ends_what_it_builds_and_says_so(site: Site) -> None:
    site.starts("app-misc/foo-1")

    site.orchestrator.ask("POST", f"/api/drones/{site.drone.name}/enroll")

    assert site.drone.ended() == 1
    assert "E-ENGINE-CREDENTIAL" in site.drone.said
    assert site.left() == []


# ---- the orchestrator is away


def test_a_drone_that_is_cut_off_builds_on_and_delivers_later(breakable: Site) -> None:
    (id,) = breakable.starts("app-misc/foo-1")

    breakable.orchestrator.stop(signal.SIGKILL)
    breakable.portage.tell_no_more("hold")
    breakable.drone.says("it is kept, and tried again")
    breakable.orchestrator.start()

    breakable.becomes(id, "succeeded")
    assert breakable.portage.begun() == ["app-misc/foo-1"], "it was not built twice"
    assert breakable.stored() == ["app-misc/foo/foo-1-1.gpkg.tar"]


def test_an_outcome_outlives_the_drone(breakable: Site) -> None:
    (id,) = breakable.starts("app-misc/foo-1")
    breakable.orchestrator.stop(signal.SIGKILL)
    breakable.portage.tell_no_more("hold")
    breakable.drone.says("it is kept, and tried again")

    breakable.drone.kill()
    breakable.drone.start().says("it is kept, and tried again")
    breakable.orchestrator.start()

    breakable.becomes(id, "succeeded")
    assert breakable.portage.begun() == ["app-misc/foo-1"]
    assert breakable.stored() == ["app-misc/foo/foo-1-1.gpkg.tar"]
    breakable.put_away()


def test_an_outcome_that_is_not_wanted_any_more_is_dropped(breakable: Site) -> None:
    (id,) = breakable.starts("app-misc/foo-1")
    breakable.orchestrator.stop()
    breakable.portage.tell_no_more("hold")
    breakable.drone.says("it is kept, and tried again")
    breakable.drone.kill()
    breakable.orchestrator.start()
    breakable.cancel(id)

    breakable.drone.start().says("the lease is gone")

    breakable.put_away()
    assert breakable.stored() == []


# ---- the drone ends


def test_a_killed_drone_is_cleaned_up_after_and_what_it_built_is_built_again(site: Site) -> None:
    (id,) = site.starts("app-misc/foo-1")
    site.drone.kill()
    before = [each for each in site.left() if isinstance(each, int)]
    assert before, "nobody ended it"

    site.drone.start().says("the drone was started anew while it was at the build of =app-misc/foo-1")

    site.at_work(2)
    assert not set(before) & set(site.left())
    site.portage.tell_no_more("hold")
    site.becomes(id, "succeeded")
    assert site.portage.ended() == ["app-misc/foo-1"], "only the second one came to its end"
    assert site.build(id)["build"]["failures"] == [], "it was no failed try"


def test_asked_to_stop_it_ends_what_it_builds_and_takes_nothing_new_on(site: Site) -> None:
    ids = site.starts("app-misc/foo-1", "app-misc/bar-1")

    site.drone.ask_to_stop()
    eventually(lambda: site.heard()["draining"], "it says that it drains")
    site.portage.tell_no_more("hold")

    assert site.drone.ended() == 0
    eventually(lambda: site.heard()["gone"], "it has said goodbye")
    assert site.heard()["state"] == "offline"
    eventually(lambda: "succeeded" in map(site.state, ids), "one is done")
    assert len(site.portage.begun()) == 1


@pytest.mark.parametrize("how", ["deadline", "twice"])
def test_what_it_cannot_end_before_it_stops_is_handed_back(how: str, site: Site) -> None:
    site.drone.more = 'drain = "300ms"\n' if how == "deadline" else ""
    (id,) = site.starts("app-misc/foo-1")

    site.drone.ask_to_stop()
    if how == "twice":
        eventually(lambda: site.heard()["draining"], "it drains")
        site.drone.ask_to_stop(signal.SIGINT)

    assert site.drone.ended() == 0
    assert site.left() == []
    site.becomes(id, "queued")
    told = site.build(id)
    assert (told["attempts"][0]["result"], told["build"]["failures"]) == ("returned", [])


# ---- its disk is full


@pytest.fixture
def small(breakable: Site) -> Iterator[Site]:
    """All that the drone writes is on a file system of 4 MiB (needs root)."""
    breakable.drone.state.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(breakable.drone.state)], check=True)
    breakable.drone.more = f'builds = "{breakable.drone.state}/builds"\n'
    yield breakable
    breakable.drone.leave()
    subprocess.run(["umount", str(breakable.drone.state)], check=True)


def test_a_disk_that_others_fill_amid_a_build_is_no_failed_try_and_the_only_drone_builds_on_with_room(
    small: Site,
) -> None:
    (id,) = small.starts("app-misc/foo-1")
    filling = small.drone.state / "what-fills-it"
    with suppress(OSError), filling.open("ab", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass
    small.portage.tell("fill")
    small.portage.tell_no_more("hold")

    small.becomes(id, "queued")
    heard = small.heard()
    assert heard["draining"] and str(small.drone.state) in heard["unable"]
    assert small.portage.begun() == ["app-misc/foo-1"], "it does not come again at once"
    small.portage.tell_no_more("fill")
    filling.unlink()

    small.becomes(id, "succeeded")
    told = small.build(id)
    assert [each["result"] for each in told["attempts"]] == ["returned", "succeeded"]
    assert told["build"]["failures"] == []
    eventually(lambda: not small.heard()["unable"], "it is as it was")


def test_a_build_that_is_larger_than_the_disk_fails_and_the_drone_goes_on(small: Site) -> None:
    small.portage.tell("fill")
    (id,) = small.wants("app-misc/foo-1")
    small.drone.start()

    small.becomes(id, "failed")

    assert small.build(id)["build"]["failures"] == ["tau"] * 3
    small.portage.tell_no_more("fill")
    (other,) = small.wants("app-misc/bar-1")
    small.becomes(other, "succeeded")


# ---- before it begins


def test_two_drones_in_one_folder_do_not_get_in_each_others_way(site: Site) -> None:
    site.drone.start().says("building for")

    second = run("drone", "--config", site.drone.config, env={**environment(), **site.portage.environment})

    assert second.code == 75
    assert "E-DRONE-BUSY" in second.err


def test_without_a_credential_it_says_how_to_get_one(site: Site) -> None:
    (site.drone.folder / "secrets/drone").unlink()

    assert site.drone.start().ended() == 1

    assert "E-DRONE-CREDENTIAL" in site.drone.said
    assert f"reconciler drones enroll {site.drone.name}" in site.drone.said


def test_an_empty_credential_is_told_as_such(site: Site) -> None:
    site.drone.secret.write_text("\n")

    assert site.drone.start().ended() == 1

    assert "E-DRONE-CREDENTIAL" in site.drone.said and "is empty" in site.drone.said
    assert str(site.drone.secret) in site.drone.said


def test_a_credential_of_another_name_is_told_with_the_setting_that_mends_it(site: Site) -> None:
    enrolled = site.drone.name
    site.drone.name = "another"

    assert site.drone.start().ended() == 1

    assert "E-ENGINE-OTHER" in site.drone.said
    assert f"the credential is of the drone {enrolled}, and this drone is called another" in site.drone.said
    assert f'name = "{enrolled}" below [drone]' in site.drone.said
    assert "reconciler drones enroll another" in site.drone.said


def test_without_portage_it_takes_nothing_on(site: Site) -> None:
    site.drone.around = {"PATH": "/usr/bin:/bin"}
    (id,) = site.wants("app-misc/foo-1")

    assert site.drone.start().ended() == 1

    assert "E-DRONE-EMERGE" in site.drone.said
    assert site.state(id) == "queued"

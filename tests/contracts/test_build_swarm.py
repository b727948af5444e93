"""One suite for the build swarm in memory and for a real orchestrator over HTTP, whose drone does as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from reconciler.adapters.swarm.build_swarm import HttpBuildSwarm
from reconciler.adapters.swarm.build_swarm_memory import MemoryBuildSwarm
from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.package import Package
from reconciler.model.queue import RequestView
from reconciler.model.sets import Submission
from reconciler.ports import BuildSwarm
from tests.support.built import Maker
from tests.support.serving import Orchestrator, eventually, orchestrator_at

TOKEN = "a token that nobody guesses"
FOO = Package("app-misc", "foo", "1.2-r3", "0", "gentoo", ("x", "-y"))
BAR = Package("dev-libs", "bar", "2", "2", "gentoo")


class Works(Protocol):
    """What a drone does with what was handed over."""

    @property
    def swarm(self) -> BuildSwarm: ...

    def resolve(self, id: str, *packages: Package, refused: str = "") -> None: ...
    def build(self, id: str, *packages: Package) -> None: ...
    def fail(self, id: str, reason: str) -> None: ...


@dataclass
class InMemory:
    swarm: MemoryBuildSwarm

    def resolve(self, id: str, *packages: Package, refused: str = "") -> None:
        self.swarm.resolve(id, *packages, refused="app-misc/foo is masked" if refused else "")

    def build(self, id: str, *packages: Package) -> None:
        self.swarm.build(id)

    def fail(self, id: str, reason: str) -> None:
        self.swarm.fail(id, reason)


@dataclass
class OverHttp:
    swarm: HttpBuildSwarm
    maker: Maker

    def resolve(self, id: str, *packages: Package, refused: str = "") -> None:
        self.maker.resolve(*packages, refused=refused)
        eventually(lambda: self.swarm.request(id).request.state != "resolving", "it is resolved")

    def build(self, id: str, *packages: Package) -> None:
        self.maker.build(*packages)
        eventually(lambda: self.swarm.request(id).request.ended, "the request has ended")

    def fail(self, id: str, reason: str) -> None:
        self.maker.fail(reason)
        eventually(lambda: self.swarm.request(id).request.ended, "the request has ended")


@pytest.fixture
def orchestrator(tmp_path: Path) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path / "orchestrator", TOKEN) as made:
        yield made


@pytest.fixture(params=["memory", "http"])
def works(request: pytest.FixtureRequest) -> Works:
    if request.param == "memory":
        return InMemory(MemoryBuildSwarm())
    orchestrator: Orchestrator = request.getfixturevalue("orchestrator")
    return OverHttp(HttpBuildSwarm(orchestrator.url, TOKEN, 5), Maker(orchestrator, "p"))


def wish(*atoms: str, key: str = "set:desk:1:1", **more: object) -> Submission:
    use = {"app-misc/foo": ("-y", "x")}
    made = Submission("desk", "p", atoms or ("app-misc/foo", "dev-libs/bar:2"), use, key, "ana on box")
    return replace(made, **more)  # type: ignore[arg-type]


def packages(works: Works, profile: str = "p") -> dict[str, tuple[Package, int]]:
    """By path."""
    return {each.path: (each.package, each.build_id) for each in works.swarm.stored("", profile)}


def test_a_profile_without_an_index_has_nothing(works: Works) -> None:
    assert packages(works, "nobody") == {}
    assert works.swarm.requests("set:desk") == ()


def test_what_was_handed_over_is_told_by_its_origin_with_all_that_was_asked(works: Works) -> None:
    answer = works.swarm.submit(wish())
    other = works.swarm.submit(wish("app-misc/other", key="set:other:1:1", set="other"))

    assert (answer.repeated, answer.request.state) == (False, "resolving")
    (told,) = works.swarm.requests("set:desk")
    assert (told.id, told.key, told.origin, told.profile) == (answer.request.id, "set:desk:1:1", "set:desk", "p")
    assert (told.atoms, told.ended, told.actor) == (("app-misc/foo", "dev-libs/bar:2"), None, "ana on box")
    assert [each.id for each in works.swarm.requests("set:other")] == [other.request.id]
    assert works.swarm.request(told.id).request.state == "resolving"


def test_the_latest_request_comes_first(works: Works) -> None:
    ids = [works.swarm.submit(wish(key=f"set:desk:1:{n}")).request.id for n in range(3)]

    assert [each.id for each in works.swarm.requests("set:desk")] == ids[::-1]


def test_the_same_key_is_the_same_request_however_it_stands(works: Works) -> None:
    first = works.swarm.submit(wish())
    again = works.swarm.submit(wish(actor="bob on other"))
    assert (again.repeated, again.request.id) == (True, first.request.id)

    works.resolve(first.request.id, FOO, BAR)
    works.build(first.request.id, FOO, BAR)
    once_more = works.swarm.submit(wish())

    assert (once_more.repeated, once_more.request.id, once_more.request.state) == (True, first.request.id, "complete")
    assert len(works.swarm.requests("set:desk")) == 1


def test_a_key_that_comes_with_something_else_is_refused(works: Works) -> None:
    works.swarm.submit(wish())

    with pytest.raises(Terminal) as caught:
        works.swarm.submit(wish("app-misc/other"))

    assert caught.value.code == "E-SWARM-KEY"
    assert len(works.swarm.requests("set:desk")) == 1


def view(works: Works, id: str) -> RequestView:
    return works.swarm.request(id)


def test_the_way_of_a_package_ends_in_the_index_under_the_path_that_its_build_tells(works: Works) -> None:
    id = works.swarm.submit(wish()).request.id
    works.resolve(id, FOO, BAR)
    seen = view(works, id)
    assert seen.request.state == "building"
    states = {build.package.cpv: build.state for build in seen.builds if build.package}
    assert states.keys() == {FOO.cpv, BAR.cpv} and set(states.values()) <= {"queued", "leased", "building"}
    assert {(each.what, each.verdict) for each in seen.decisions} == {(FOO.cpv, "accepted"), (BAR.cpv, "accepted")}

    works.build(id, FOO, BAR)

    seen = view(works, id)
    assert (seen.request.state, seen.request.ended is not None) == ("complete", True)
    made = {build.stored: build.package.cpv for build in seen.builds if build.package}
    assert {build.state for build in seen.builds if build.package} == {"succeeded"}
    index = packages(works)
    assert {path: package.cpv for path, (package, _) in index.items()} == made
    (foo,) = [package for package, _ in index.values() if package.cpv == FOO.cpv]
    assert (foo.use, foo.slot) == (("x", "-y"), "0")
    assert packages(works, "q") == {}


def test_what_fails_is_told_with_its_reason(works: Works) -> None:
    id = works.swarm.submit(wish("app-misc/foo")).request.id
    works.resolve(id, FOO)
    works.fail(id, "emerge ended with 1")

    seen = view(works, id)

    assert seen.request.ended is not None
    (build,) = [build for build in seen.builds if build.package]
    assert build.state == "failed" and "emerge ended with 1" in build.reason
    assert packages(works) == {}


def test_what_cannot_be_built_is_refused_with_the_reason(works: Works) -> None:
    id = works.swarm.submit(wish("app-misc/foo")).request.id
    masked = '\n!!! All ebuilds that could satisfy "app-misc/foo" have been masked.\n'
    works.resolve(id, refused=masked)

    seen = view(works, id)

    assert seen.request.state == "refused" and seen.request.ended is not None
    assert any(each.verdict == "refused" and "app-misc/foo" in each.reason for each in seen.decisions)


def test_the_latest_sync_of_a_drone_of_the_profile_counts(orchestrator: Orchestrator) -> None:
    swarm = HttpBuildSwarm(orchestrator.url, TOKEN, 5)
    assert (swarm.synced("p"), MemoryBuildSwarm().synced("p")) == (0.0, 0.0)

    for name, synced in (("tau", 100.5), ("rho", 50.0)):
        Maker(orchestrator, "p", name).drone.synced = synced

    eventually(lambda: swarm.synced("p") == 100.5, "its beat has come")
    assert swarm.synced("q") == 0.0


def test_a_request_that_nobody_knows_is_an_error_of_ours(orchestrator: Orchestrator) -> None:
    with pytest.raises(ReconcilerError) as caught:
        HttpBuildSwarm(orchestrator.url, TOKEN, 5).request("nobody")

    assert caught.value.code == "E-HTTP-MISSING"


def test_without_the_token_nothing_is_handed_over_and_everything_is_seen(orchestrator: Orchestrator) -> None:
    swarm = HttpBuildSwarm(orchestrator.url, "", 5)

    assert (swarm.stored("", "p"), swarm.requests("set:desk")) == ((), ())
    with pytest.raises(Terminal) as caught:
        swarm.submit(wish())
    assert caught.value.code == "E-HTTP-TOKEN"


def test_a_binhost_of_the_fleet_is_read_where_it_lies(orchestrator: Orchestrator) -> None:
    works = OverHttp(HttpBuildSwarm(orchestrator.url, TOKEN, 5), Maker(orchestrator, "p"))
    id = works.swarm.submit(wish("app-misc/foo")).request.id
    works.resolve(id, FOO)
    works.build(id, FOO)

    elsewhere = HttpBuildSwarm("http://127.0.0.1:9", "", 5)

    assert [each.package.cpv for each in elsewhere.stored(f"{orchestrator.url}/binhost", "p")] == [FOO.cpv]

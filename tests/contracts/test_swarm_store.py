"""The store of the swarm, on a real disk: whole commits, the fence, pages, what is forgotten, and damage."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.swarm import store as swarm_store
from reconciler.adapters.swarm.store import SqliteStore
from reconciler.errors import Stale, Transient
from reconciler.model.package import Package
from reconciler.model.queue import Attempt, BuildQuery, Changes, Decision, Known, Live, Move, Took
from reconciler.model.swarm import Artifact, Beat, Build, Event, Request
from reconciler.swarm import lifecycle

FOO = Package("app-misc", "foo", "1.1", "0/2", "gentoo", ("x", "-y"))
BUILD = Build(
    "r1-1", "package", FOO, "amd64", "queued", 100.0, 100.0, use={"=app-misc/foo-1.1": ("x", "-y")}, work=12.5
)
QUESTION = Build("r1-0", "resolve", None, "amd64", "queued", 90.0, 90.0, atoms=("app-misc/foo", "dev-libs/bar:0"))
REQUEST = Request(
    "r1", "key-1", "set:web", "ana", "amd64", 90.0, ("app-misc/foo",), {"app-misc/foo": ("x",)},
    refused=(("app-misc/baz", "masked"),), builds=("r1-0", "r1-1"),
)  # fmt: skip
LEASED = lifecycle.leased(BUILD, "tau", 1, 101.0, reason="it is its turn")
ATTEMPT = Attempt("r1-1", 1, "tau", 101.0, ("r1-1",), 30.0)
ALL = Changes(builds=(QUESTION, BUILD), requests=(REQUEST,), digest="d1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swarm" / "swarm.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(path)
    yield made
    made.close()


def move(before: Build, after: Build) -> Changes:
    return Changes(moves=(Move(before, after),))


def test_a_new_store_is_empty(store: SqliteStore) -> None:
    assert store.live() == Live() and store.loss == ""
    assert store.by_key("key-1") is None and store.request("r1") is None and store.build("r1-1") is None
    assert store.requests() == [] and store.page(BuildQuery()).builds == () and store.counts() == {}


def test_everything_comes_back_as_it_was_committed_also_to_the_next_process(store: SqliteStore, path: Path) -> None:
    beat = Beat("tau", "boot", 99.0, 8, 1 << 33, "amd64", log="cc -c foo.c")
    known = Known("tau", "building", 95.0, 100.0, True, beat)
    decisions = (
        Decision("app-misc/foo-1.1", "accepted", "new", "r1-1", 4),
        Decision("app-misc/baz", "refused", "masked"),
    )
    changes = replace(ALL, edges=(("r1-0", "r1-1"),), attempts=(ATTEMPT,), drones=(known,), decisions={"r1": decisions})
    store.commit(changes)
    second = SqliteStore(path)
    for each in (store, second):
        assert each.live() == Live((QUESTION, BUILD), (("r1-0", "r1-1"),), (ATTEMPT,), (REQUEST,), (), (known,))
        assert each.by_key("key-1") == (REQUEST, "d1")
        assert each.decisions("r1") == decisions
        assert each.builds(["r1-1", "nobody", "r1-0"]) == (BUILD, QUESTION)
        assert each.around("r1-1") == (("r1-0",), (), ("r1",))
        assert each.around("r1-0") == ((), ("r1-1",), ("r1",))
    second.close()


@pytest.mark.parametrize(
    "knows",
    [
        replace(BUILD, attempt=1),
        replace(BUILD, drone="izar"),
        replace(BUILD, state="leased"),
        replace(BUILD, id="r1-2"),
    ],
    ids=["attempt", "drone", "state", "id"],
)
def test_whoever_does_not_know_a_build_as_it_is_cannot_move_it(store: SqliteStore, knows: Build) -> None:
    store.commit(ALL)
    with pytest.raises(Stale, match="E-SWARM-STALE"):
        store.commit(move(knows, LEASED))
    assert store.build("r1-1") == BUILD


def test_of_two_that_move_the_same_build_one_does(store: SqliteStore) -> None:
    store.commit(ALL)

    def take(drone: str) -> bool:
        try:
            store.commit(move(BUILD, lifecycle.leased(BUILD, drone, 1, 101.0)))
        except Stale:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, [f"drone-{number}" for number in range(8)])) == 1


def test_a_commit_happens_as_a_whole_or_not_at_all(store: SqliteStore) -> None:
    store.commit(ALL)
    other = replace(REQUEST, id="r2", key="key-2", builds=())
    rest = Changes(
        builds=(replace(BUILD, id="r2-1"),),
        requests=(other,),
        drones=(Known("tau"),),
        events=(Event("queue_update", 1.0, {}),),
        moves=(Move(BUILD, LEASED), Move(replace(QUESTION, attempt=9), replace(QUESTION, attempt=10))),
    )
    before = store.live()
    with pytest.raises(Stale):
        store.commit(rest)
    assert store.live() == before and store.unsent() == ()


def test_a_chain_of_moves_is_one_commit(store: SqliteStore) -> None:
    store.commit(ALL)
    building = lifecycle.begun(LEASED, 102.0)
    again = lifecycle.again(building, 103.0, "lost", failed_on="tau")
    store.commit(Changes(moves=(Move(BUILD, LEASED), Move(LEASED, building), Move(building, again))))
    assert store.build("r1-1") == again and again.failures == ("tau",)


def test_a_key_is_taken_once(store: SqliteStore) -> None:
    store.commit(ALL)
    with pytest.raises(Stale):
        store.commit(Changes(requests=(replace(REQUEST, id="r2", builds=()),), digest="d2"))
    assert store.by_key("key-1") == (REQUEST, "d1")


def test_what_a_new_build_needs_must_not_have_come_to_nothing_meanwhile(store: SqliteStore) -> None:
    """Another process may have seen it end, and held what needed it then."""
    store.commit(ALL)
    store.commit(move(BUILD, lifecycle.cancelled(BUILD, 101.0, "by ana")))
    with pytest.raises(Stale):
        store.commit(Changes(builds=(replace(BUILD, id="r2-1"),), edges=(("r1-1", "r2-1"),)))
    assert store.build("r2-1") is None


def test_nobody_commits_after_a_later_leader_has(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path)
    store.commit(ALL, fence=7)
    other.commit(Changes(drones=(Known("tau"),)), fence=8)
    with pytest.raises(Stale) as caught:
        store.commit(move(BUILD, LEASED), fence=7)
    assert caught.value.code == "E-SWARM-DEPOSED"
    assert store.build("r1-1") == BUILD
    store.commit(move(BUILD, LEASED))  # who does not lead is held to the builds' own fence alone
    other.close()


def test_what_another_process_writes_is_noticed(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path)
    store.commit(ALL)
    assert not store.changed(), "its own writing is nothing new"
    assert other.changed() and not other.changed()
    other.commit(move(BUILD, LEASED))
    assert store.changed() and not store.changed()
    other.close()


def test_what_has_ended_does_not_live(store: SqliteStore) -> None:
    done = lifecycle.stored(lifecycle.uploaded(LEASED, 102.0, 1.0), 103.0, "app-misc/foo/foo-1.1-1.gpkg.tar")
    store.commit(replace(ALL, edges=(("r1-1", "r1-0"),), attempts=(ATTEMPT,)))
    ended = replace(ATTEMPT, ended=103.0, result="succeeded", artifacts=(Artifact("p", 1, "0" * 64, {"CPV": "a/b-1"}),))
    request = replace(REQUEST, state="complete", reason="1 built", ended=103.0)
    store.commit(Changes(moves=(Move(BUILD, done),), attempts=(ended,), requests=(request,)))
    assert store.live() == Live((QUESTION,), untold=(request,))
    assert store.attempts("r1-1") == (ended,) and store.build("r1-1") == done
    store.commit(Changes(told=("r1",)))
    assert store.live() == Live((QUESTION,))
    assert store.request("r1") == request and store.by_key("key-1") == (request, "d1")


def test_the_attempts_of_a_cycle_are_those_of_each_member(store: SqliteStore) -> None:
    pair = replace(ATTEMPT, members=("r1-1", "r1-2"))
    alone = replace(ATTEMPT, build="r1-2", attempt=2, members=("r1-2",))
    store.commit(Changes(attempts=(alone, pair)))
    assert store.attempts("r1-1") == (pair,) and store.attempts("r1-2") == (pair, alone)


def test_events_wait_until_they_are_sent_each_under_its_own_id(store: SqliteStore, path: Path) -> None:
    first, second = Event("queue_update", 1.0, {"a": 1}), Event("build_complete", 2.0, {"b": [1]})
    store.commit(Changes(events=(first,)))
    store.commit(Changes(events=(second,)))
    waiting = store.unsent()
    assert [replace(event, id="") for event in waiting] == [first, second]
    assert len({event.id for event in waiting}) == 2
    other = SqliteStore(path)
    assert other.unsent() == waiting and store.unsent(limit=1) == waiting[:1]
    store.sent(waiting[:1])
    assert other.unsent() == waiting[1:]
    other.commit(Changes(events=(first,)))
    assert len({event.id for event in (*waiting, *other.unsent())}) == 3, "an id is never given again"
    other.close()


def test_pages_show_what_changed_last_first_and_nothing_twice(store: SqliteStore) -> None:
    builds = [replace(BUILD, id=f"r1-{number:02}", since=float(number // 3)) for number in range(25)]
    store.commit(Changes(builds=tuple(builds)))
    seen: list[Build] = []
    after = ""
    while True:
        page = store.page(BuildQuery(limit=10, after=after))
        assert page.total == 25
        seen += page.builds
        if not (after := page.next):
            break
    assert seen == sorted(builds, key=lambda build: (build.since, build.id), reverse=True)
    with pytest.raises(ValueError, match="no page"):
        store.page(BuildQuery(after="nonsense"))


def test_pages_show_what_was_asked_for(store: SqliteStore) -> None:
    bar = replace(BUILD, id="r1-2", package=replace(FOO, name="bar"), profile="arm64", since=200.0)
    taken = replace(LEASED, id="r1-3", since=300.0)
    store.commit(Changes(builds=(BUILD, bar, taken)))

    def ids(**asked: object) -> list[str]:
        return [build.id for build in store.page(BuildQuery(**asked)).builds]  # type: ignore[arg-type]

    assert ids() == ["r1-3", "r1-2", "r1-1"]
    assert ids(states=("leased",)) == ["r1-3"] and ids(states=("leased", "queued")) == ["r1-3", "r1-2", "r1-1"]
    assert ids(drone="tau") == ["r1-3"] and ids(profile="arm64") == ["r1-2"]
    assert ids(package="misc/bar") == ["r1-2"] and ids(package="%") == []
    assert ids(since=200.0) == ["r1-3", "r1-2"] and ids(until=200.0) == ["r1-1"]
    assert store.counts() == {"queued": 2, "leased": 1}


def test_history_is_bounded_and_what_lives_is_kept(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bound in (("KEPT_BUILDS", 3), ("KEPT_REQUESTS", 2), ("KEPT_TIMES", 2), ("KEPT_EVENTS", 4)):
        monkeypatch.setattr(swarm_store, name, bound)
    store.commit(replace(ALL, edges=(("r1-0", "r1-1"),), attempts=(ATTEMPT,)))
    for number in range(2, 9):
        id = f"r{number}"
        ended = replace(BUILD, id=f"{id}-1", state="succeeded", since=100.0 + number)
        request = replace(REQUEST, id=id, key=id, builds=(ended.id,), ended=100.0 + number)
        store.commit(
            Changes(
                builds=(ended,),
                requests=(request,),
                digest=id,
                attempts=(replace(ATTEMPT, build=ended.id, members=(ended.id,), ended=1.0),),
                decisions={id: (Decision("app-misc/foo-1.1", "accepted", "new"),)},
                took=(Took("app-misc/foo", "tau", 8, float(number), 100.0 + number),),
                told=(id,),
                events=(Event("build_complete", float(number), {}),),
            )
        )
    store.prune()
    assert [event.at for event in store.unsent()] == [5.0, 6.0, 7.0, 8.0]
    assert [request.id for request in store.requests()] == ["r8", "r7", "r1"]
    assert {build.id for build in store.page(BuildQuery()).builds} == {"r8-1", "r7-1", "r6-1", "r1-1", "r1-0"}
    assert store.live() == Live((QUESTION, BUILD), (("r1-0", "r1-1"),), (ATTEMPT,), (REQUEST,))
    assert store.attempts("r2-1") == () and store.decisions("r2") == () and len(store.attempts("r8-1")) == 1
    assert [took.seconds for took in store.took()] == [7.0, 8.0]


def test_a_drone_is_forgotten(store: SqliteStore) -> None:
    store.commit(Changes(drones=(Known("tau"), Known("izar"))))
    store.commit(Changes(drones=(Known("izar", "ready"),), gone=("tau",)))
    assert store.live().drones == (Known("izar", "ready"),)


def cut_in_the_middle(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def not_a_database(file: Path) -> None:
    file.write_bytes(b"these are not the bytes you are looking for\n" * 200)


def garbage_in_the_middle(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(8192))


def of_another_program(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE builds (id)")
    connection.close()


@pytest.mark.parametrize("damage", [cut_in_the_middle, not_a_database, garbage_in_the_middle, of_another_program])
def test_damage_is_set_aside_and_told(path: Path, damage: Callable[[Path], None]) -> None:
    store = SqliteStore(path)
    store.commit(ALL)
    store.close()
    damage(path)
    broken = path.read_bytes()
    again = SqliteStore(path, clock=lambda: 1_795_262_400.0)
    aside = path.with_name("swarm.db.broken-20261121T120000Z")
    assert str(aside) in again.loss and again.live() == Live()
    assert aside.read_bytes() == broken, "whoever wants to save something of it finds it as it was"
    again.commit(ALL)
    again.close()
    after = SqliteStore(path)
    assert after.loss == "" and after.live().builds == (QUESTION, BUILD)
    after.close()


def test_a_place_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Transient) as caught:
        SqliteStore(tmp_path / "file" / "swarm.db")
    assert caught.value.code == "E-SWARM-ACCESS"


def test_the_events_of_a_store_that_was_begun_anew_while_it_was_open_have_ids_of_their_own(
    store: SqliteStore, path: Path
) -> None:
    store.commit(Changes(events=(Event("queue_update", 1.0, {}),)))
    [before] = store.unsent()
    for name in ("swarm.db", "swarm.db-wal", "swarm.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    store.commit(Changes(events=(Event("queue_update", 2.0, {}),)))
    [after] = store.unsent()
    assert after.at == 2.0 and after.id != before.id

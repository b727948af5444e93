"""`python -m bench.swarm_queue`: how much the queue of the swarm moves, and how soon it notices a lost drone.

The real store and engine on a real disk, every commit durable; drones are a process that builds nothing, and says so at
once. What is measured is the queue, and not the building.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from typing import ClassVar

from reconciler.adapters.swarm.engine_embedded import EmbeddedEngine, EmbeddedLink
from reconciler.adapters.swarm.store import SqliteStore
from reconciler.model.package import Edge, Listed, Listing, Package
from reconciler.model.queue import Changes, Stored
from reconciler.model.swarm import Artifact, Beat, Offer, Outcome
from reconciler.ports.swarm import Binhost
from reconciler.swarm.orchestrator import Orchestrator
from reconciler.swarm.rules import Rules

PROFILE = "amd64"
_NOTE = """submit: one list, until its answer. transitions: what builds go through (queued, leased, building, uploaded,
succeeded), each committed with synchronous=FULL, per second of the whole run. cpu s: of the orchestrator.
commits/s: what this disk does alone, just before."""

_PAUSE = 0.03
"""Seconds between two ticks, in which drones get at the disk."""


class NoBinhost(Binhost):
    """Takes everything, and keeps nothing: the binhost is another bench's."""

    EFFECTS: ClassVar[tuple[str, ...]] = Binhost.EFFECTS

    def index(self, profile: str) -> Sequence[Stored]:
        return ()

    def publish(self, profile: str, build: str, attempt: int, artifacts: Sequence[Artifact]) -> Sequence[str]:
        return [artifact.path for artifact in artifacts]

    def discard(self, build: str, attempt: int) -> None: ...

    def staged(self) -> Sequence[tuple[str, int]]:
        return ()


class Counting(SqliteStore):
    """Counts what it commits."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.transitions = self.commits = 0

    def commit(self, changes: Changes, fence: int = 0) -> None:
        super().commit(changes, fence)
        self.transitions += len(changes.builds) + len(changes.moves)
        self.commits += 1


@dataclass(frozen=True, slots=True)
class Through:
    builds: int
    drones: int
    submit: float
    seconds: float
    transitions: int
    ticks: int
    commits: int
    cpu: float

    @property
    def rate(self) -> float:
        return self.transitions / self.seconds


def throughput(folder: Path, builds: int, drones: int) -> Through:
    """Submit, claim and finish so many builds; `drones` of them in one other process."""
    store, engine = Counting(folder / "swarm.db"), EmbeddedEngine(folder / "engine.db")
    orchestrator = Orchestrator(store, engine, NoBinhost(), Rules(), holder="bench")
    names = [f"drone-{number}" for number in range(drones)]
    credentials = {name: orchestrator.enroll(name, "bench", time.time()) for name in names}
    with _process(partial(_build_at_once, folder / "engine.db", credentials)):
        while orchestrator.status(time.time()).drones.get("ready", 0) < drones:
            orchestrator.tick(time.time())
        before, began, cpu = store.transitions, time.perf_counter(), time.process_time()
        orchestrator.submit(_listing(builds), key="k", actor="bench", profile=PROFILE, now=time.time())
        submitted, ticks, commits = time.perf_counter(), 0, store.commits
        while orchestrator.status(time.time()).requests:
            orchestrator.tick(time.time())
            ticks += 1
            time.sleep(_PAUSE)
        ended = time.perf_counter()
    made = Through(
        builds,
        drones,
        submitted - began,
        ended - began,
        store.transitions - before,
        ticks,
        store.commits - commits,
        time.process_time() - cpu,
    )
    store.close()
    engine.close()
    return made


def elsewhere_after(folder: Path, heartbeat: float) -> float:
    """Seconds from the last word of a drone until another one has taken what it built; in real time."""
    store, engine = Counting(folder / "swarm.db"), EmbeddedEngine(folder / "engine.db")
    rules = Rules(heartbeat=heartbeat)
    orchestrator = Orchestrator(store, engine, NoBinhost(), rules, holder="bench")
    names = ("one", "two")
    links = {
        name: EmbeddedLink(folder / "engine.db", orchestrator.enroll(name, "bench", time.time())) for name in names
    }
    for name, link in links.items():
        link.beat(_beat(name))
    orchestrator.tick(time.time())
    orchestrator.submit(_listing(1), key="k", actor="bench", profile=PROFILE, now=time.time())
    orchestrator.tick(time.time())
    lost = next(name for name in names if engine.outstanding(name))
    other = names[1 - names.index(lost)]
    links[lost].beat(_beat(lost, links[lost].next(5)))
    last_word = beat = time.monotonic()
    while links[other].next(0) is None:
        orchestrator.tick(time.time())
        if time.monotonic() - beat >= heartbeat:
            links[other].beat(_beat(other))
            beat = time.monotonic()
        time.sleep(rules.every)
    seconds = time.monotonic() - last_word
    for link in links.values():
        link.close()
    store.close()
    engine.close()
    return seconds


def large(folder: Path, builds: int, drones: int = 50) -> Iterator[tuple[str, float]]:
    """CPU seconds of what an orchestrator does, with so many builds in its queue."""
    store, engine = Counting(folder / "swarm.db"), EmbeddedEngine(folder / "engine.db")
    orchestrator = Orchestrator(store, engine, NoBinhost(), Rules(), holder="bench")
    for name in (f"drone-{number}" for number in range(drones)):
        link = EmbeddedLink(folder / "engine.db", orchestrator.enroll(name, "bench", time.time()))
        link.beat(_beat(name))
        link.close()
    orchestrator.tick(time.time())
    what = _listing(builds)
    yield (
        "submit",
        _cpu(lambda: orchestrator.submit(what, key="k", actor="bench", profile=PROFILE, now=time.time())),
    )
    yield "first tick after it", _cpu(lambda: orchestrator.tick(time.time()))
    yield "tick without news", _cpu(lambda: orchestrator.tick(time.time()))
    yield "queue with estimated ends", _cpu(lambda: orchestrator.queue(time.time()))
    store.close()
    engine.close()
    store, engine = Counting(folder / "swarm.db"), EmbeddedEngine(folder / "engine.db")
    orchestrator = Orchestrator(store, engine, NoBinhost(), Rules(), holder="bench")
    yield "first tick after a restart", _cpu(lambda: orchestrator.tick(time.time()))
    store.close()
    engine.close()


def _cpu(step: Callable[[], object]) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def commits_a_second(folder: Path, count: int = 200) -> float:
    """Of one small row each, by SQLite alone."""
    connection = sqlite3.connect(folder / "alone.db", isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (text);")
    began = time.perf_counter()
    for _ in range(count):
        connection.execute("INSERT INTO rows VALUES (?)", ("x" * 500,))
    seconds = time.perf_counter() - began
    connection.close()
    return count / seconds


def _listing(count: int) -> Listing:
    """Every package needs the one of half its number: a tree, wide soon."""
    packages = [Package("app-misc", f"p{number}", "1", "0", "gentoo") for number in range(count)]
    edges = tuple(Edge(packages[n].cpv, packages[n // 2].cpv) for n in range(1, count))
    return Listing(tuple(Listed(package, "ebuild", "N") for package in packages), edges=edges, tree=True)


def _build_at_once(path: Path, credentials: Mapping[str, str], end: Flag) -> None:
    links = {name: EmbeddedLink(path, credential) for name, credential in credentials.items()}
    beaten = dict.fromkeys(links, 0.0)
    while not end.is_set():
        idle = True
        for name, link in links.items():
            if time.monotonic() - beaten[name] > 10:
                link.beat(_beat(name))
                beaten[name] = time.monotonic()
            while (offer := link.next(0)) is not None:
                link.finish(offer, _outcome(offer, name))
                idle = False
        if idle:
            time.sleep(0.002)
    for link in links.values():
        link.close()


def _outcome(offer: Offer, drone: str) -> Outcome:
    made = tuple(
        Artifact(f"{cpv}-1.gpkg.tar", 1, "0" * 64, {"CPV": cpv})
        for cpv in (atom.removeprefix("=").partition("::")[0] for atom in offer.atoms)
    )
    return Outcome(offer.build, offer.attempt, drone, "succeeded", 0.01, artifacts=made)


def _beat(name: str, offer: Offer | None = None) -> Beat:
    beat = Beat(name, "boot", time.time(), 8, 8 << 30, PROFILE)
    return beat if offer is None else replace(beat, build=offer.build, attempt=offer.attempt)


@contextmanager
def _process(target: partial[None]) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    end = spawn.Event()
    process = spawn.Process(target=target, args=(end,))
    process.start()
    try:
        yield
    finally:
        end.set()
        process.join()


def main() -> None:
    options = _options()
    print(_NOTE)
    print("\nbuilds  drones  submit s  all s  cpu s  ticks  commits  transitions  transitions/s  commits/s", flush=True)
    for builds, drones in options.sizes:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            disk = commits_a_second(Path(folder))
            t = throughput(Path(folder), builds, drones)
        print(
            f"{t.builds:6}  {t.drones:6}  {t.submit:8.2f}  {t.seconds:5.1f}  {t.cpu:5.1f}  {t.ticks:5}  {t.commits:7}  "
            f"{t.transitions:11}  {t.rate:13.0f}  {disk:9.0f}",
            flush=True,
        )
    print("\nheartbeat s  what a lost drone built runs elsewhere after s  heartbeats", flush=True)
    for heartbeat in options.heartbeats:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            seconds = elsewhere_after(Path(folder), heartbeat)
        print(f"{heartbeat:11.1f}  {seconds:46.1f}  {seconds / heartbeat:10.2f}", flush=True)

    print(f"\ncpu s  of an orchestrator with {options.large} builds in its queue, and 50 drones", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name, seconds in large(Path(folder), options.large):
            print(f"{seconds:5.2f}  {name}", flush=True)


def _size(text: str) -> tuple[int, int]:
    builds, _, drones = text.partition("/")
    return int(builds), int(drones)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.swarm_queue", description="How much the queue moves.")
    parser.add_argument(
        "sizes", type=_size, nargs="*", default=[(1000, 8), (1000, 50), (5000, 50)], help="builds/drones"
    )
    parser.add_argument("--heartbeats", type=float, nargs="*", default=[0.5, 1.0, 2.0, 5.0], metavar="S")
    parser.add_argument("--large", type=int, default=20_000, metavar="N", help="builds of the last table")
    parser.add_argument("--folder", type=Path, help="on the disk that is meant; the temporary folder otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Every peer does every scenario, taking turns, so that what else the machine does falls on all alike."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.api import Api, Touch
from bench.fleet import IMAGES, Layout
from bench.measure import Cost, Daemon, Failed, measure
from bench.peers import PEERS, Peer
from bench.watch import Mark, watch
from tests.support.engine import ROOT, Engine

COLD, NOTHING, FULL, FILE, IMAGE, DOCS, DRIFT = SCENARIOS = (
    "cold converge",
    "no-op",
    "no-op, full look",
    "one file",
    "one image",
    "unrelated commit",
    "one removed by hand",
)
REMEMBERED = 256
"""Events that an engine keeps (moby's daemon/events)."""


@dataclass(frozen=True)
class Sample:
    """One pass of one peer. `needless`: services that moved without need; `missed`: those that should have and did
    not; `events`: what the engine says was changed on it, of which it remembers so many."""

    layout: str
    scenario: str
    peer: str
    cost: Cost
    needless: int
    missed: int
    events: int


@dataclass(frozen=True)
class Rounds:
    """A round is one cold converge of each peer, and `each` passes of every other scenario after it."""

    rounds: int = 3
    each: int = 2


class Contest:
    def __init__(self, engine: Engine, folder: Path, layout: Layout, names: Sequence[str]) -> None:
        self._engine, self._folder, self._layout = engine, folder, layout
        self._socket = str(engine.socket)
        self._daemon = Daemon(engine.folder, engine.socket.parent)
        engine.images(*IMAGES)
        self._peers = [self._make(name) for name in names]

    def run(self, rounds: Rounds) -> Iterator[Sample]:
        """A peer that fails is out, and says why. Raises Failed when it is reconciler."""
        for _ in range(rounds.rounds):
            for peer in list(self._peers):
                try:
                    yield from self._round(peer, rounds.each)
                except Failed as error:
                    if peer.name == "reconciler":
                        raise
                    print(f"{self._layout}: {peer.name} is out: {error}", file=sys.stderr)
                    self._peers.remove(peer)

    def watched(self) -> Iterator[Mark]:
        """Those that can stay watch a fleet on which nothing changes."""
        for peer in self._peers:
            if peer.watch:
                self._engine.clean()
                peer.forget()
                for _ in range(2):  # the second finds nothing to do
                    self._cost(peer.command)
                yield from watch(peer, str(self._layout), _environment())

    def _round(self, peer: Peer, each: int) -> Iterator[Sample]:
        self._engine.clean()
        peer.forget()
        yield self._pass(peer, COLD, lambda: peer.fleet.everything)
        for _ in range(each):
            yield from self._warm(peer)

    def _warm(self, peer: Peer) -> Iterator[Sample]:
        fleet = peer.fleet
        self._cost(peer.command)  # from now on all know that nothing changed
        happens: Mapping[str, Callable[[], set[str]]] = {
            NOTHING: set,
            FULL: set,
            FILE: fleet.change_file,
            IMAGE: fleet.change_image,
            DOCS: fleet.change_docs,
            DRIFT: lambda: self._remove_one(peer),
        }
        for scenario, change in happens.items():
            if scenario != FULL or peer.full:
                yield self._pass(peer, scenario, change)

    def _pass(self, peer: Peer, scenario: str, change: Callable[[], set[str]]) -> Sample:
        before = self._touches()
        expected = change()
        since = time.time()
        command = peer.full if scenario == FULL and peer.full else peer.command
        cost = self._cost(command)
        events = len(self._engine.events(since))
        after = self._touches()
        moved = {slot for slot in before | after if before.get(slot) != after.get(slot)}
        needless, missed = len(moved - expected), len(expected - moved)
        return Sample(str(self._layout), scenario, peer.name, cost, needless, missed, events)

    def _cost(self, command: Sequence[str]) -> Cost:
        return measure(command, self._daemon, ROOT, _environment(), self._folder)

    def _touches(self) -> dict[str, Touch]:
        with closing(Api(self._socket)) as api:
            return api.touches()

    def _remove_one(self, peer: Peer) -> set[str]:
        slot = sorted(peer.fleet.everything)[self._layout.services // 2]
        for container, _ in self._touches()[slot]:
            self._engine.cli("rm", "-f", container)
        return {slot}

    def _make(self, name: str) -> Peer:
        folder = self._folder / f"{str(self._layout).replace('/', '-')}-{name}"
        folder.mkdir()
        return PEERS[name](folder, self._layout, self._socket)


def _environment() -> dict[str, str]:
    """Ours, without what would reach into a command from outside."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "RECONCILER_", "DOCKER_", "COMPOSE_"))}

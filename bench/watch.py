"""A resident watcher with nothing to do: what a pass costs it, and whether its memory grows."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import LIMIT, Failed, cpu_of
from bench.peers import Peer

MARKS = (10, 100, 1000)
"""After how many passes it is looked at."""
BOUND = 60.0
"""Seconds after which it is enough; then the last mark is what was reached."""


@dataclass(frozen=True)
class Mark:
    """After so many passes: seconds of CPU for each since the mark before (with its children), bytes resident now."""

    layout: str
    passes: int
    cpu: float
    memory: int


def watch(peer: Peer, layout: str, environment: Mapping[str, str]) -> Iterator[Mark]:
    """Pass after pass, as fast as it goes. The fleet is converged and settled."""
    with _watching(peer, environment) as pid:
        looks = _Looks(peer.state / "own" / "quick-look")
        done, spent = looks.wait(1, LIMIT), cpu_of(pid)  # the first loads what stays loaded
        until = time.monotonic() + BOUND
        for mark in MARKS:
            count, now = looks.wait(mark, until - time.monotonic()), cpu_of(pid)
            if count > done:
                yield Mark(layout, count, (now - spent) / (count - done), _resident(pid))
            done, spent = count, now


@contextmanager
def _watching(peer: Peer, environment: Mapping[str, str]) -> Iterator[int]:
    assert peer.watch
    watcher = subprocess.Popen(
        peer.watch,
        env={**environment, "RECONCILER_WATCH_EVERY": "0.001ms"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield watcher.pid
    finally:
        watcher.terminate()
        watcher.wait(LIMIT)


class _Looks:
    """Counts quick looks: each one that holds moves the time of its record."""

    def __init__(self, record: Path) -> None:
        self._record, self._seen, self._count = record, self._at(record), 0

    def wait(self, count: int, seconds: float) -> int:
        """Until there were so many, or the time is over; how many there were. Raises Failed when none ever came."""
        until = time.monotonic() + seconds
        while self._count < count and time.monotonic() < until:
            if (at := self._at(self._record)) != self._seen:
                self._seen = at
                self._count += 1
            time.sleep(0.001)
        if not self._count:
            raise Failed(f"no look in {seconds:.0f} s")
        return self._count

    def _at(self, record: Path) -> int:
        try:
            return record.stat().st_mtime_ns
        except FileNotFoundError:
            return 0


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")

"""`Signals` over the sentinel files of this host."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sentinels
from reconciler.errors import Terminal, Transient
from reconciler.model.report import Pause
from reconciler.ports import Signals
from sentinels import Moment, SentinelFolder
from sentinels.folder import EVERYTHING, names_the_same


class Blocks(Mapping[str, str]):
    """What is blocked and why. A commit is found under its own name or an abbreviation that a person wrote."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self._reasons = dict(reasons)

    def __getitem__(self, name: str) -> str:
        for blocked, reason in self._reasons.items():
            if names_the_same(blocked, name):
                return reason
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._reasons)

    def __len__(self) -> int:
        return len(self._reasons)


class SentinelSignals(Signals):
    """`path`: the folder of sentinels; `now`: the present by both clocks. Writing raises Transient (E-SENTINEL-...)."""

    def __init__(self, path: str | Path, now: Callable[[], Moment] = sentinels.now) -> None:
        self._path, self._now = path, now
        self._folder = SentinelFolder(path)

    def paused(self, stack: str = "") -> Pause | None:
        pause = self._folder.paused(stack or None, now=self._now())
        return _told(pause) if pause else None

    def pause(self, stack: str, reason: str, holder: str, run: str, seconds: float | None) -> Pause:
        ttl = sentinels.DEFAULT_TTL if seconds is None else seconds
        with self._advice():
            pause = self._folder.pause(stack or None, reason=reason, holder=holder, now=self._now(), ttl=ttl, run=run)
        return _told(pause)

    def resume(self, stack: str) -> bool:
        with self._advice():
            return self._folder.resume(stack or None)

    def sweep(self) -> tuple[Pause, ...]:
        """Remove the pauses that ended by themselves; for the holder of the pass lock."""
        with self._advice():
            return tuple(_told(pause) for pause in self._folder.sweep(self._now()))

    def blocked(self) -> Mapping[str, str]:
        """Terminal when the folder of blocks cannot be listed: nobody knows then what may be deployed."""
        blocks = Blocks({block.name: block.reason or block.problem for block in self._folder.blocked()})
        if EVERYTHING in blocks:
            raise Terminal(
                "E-SENTINEL-BLOCKS",
                f"cannot list the blocked revisions in {self._path}",
                why="it is not a readable folder, so nobody knows what may not be deployed",
                next="look at what lies there, and make `blocked` a folder of root with mode 0700",
            )
        return blocks

    def block(self, revision: str, reason: str, run: str) -> None:
        with self._advice():
            self._folder.block(revision, reason=reason, holder="reconciler", now=self._now(), run=run)

    def clear(self, revision: str) -> bool:
        with self._advice():
            return self._folder.clear(f"blocked/{revision}")

    def stamp(self) -> str:
        return self._folder.stamp() or ""

    def write_stamp(self, revision: str) -> None:
        with self._advice():
            self._folder.write_stamp(revision)

    @contextmanager
    def _advice(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise Transient(
                "E-SENTINEL-WRITE",
                f"cannot write a sentinel in {self._path}",
                why=str(error),
                next="make room on its file system" if full else "check owner, mode and mount of the folder",
            ) from error


def _told(pause: sentinels.Pause) -> Pause:
    return Pause(pause.scope, pause.reason, pause.holder, pause.run, pause.at, pause.left, pause.problem)

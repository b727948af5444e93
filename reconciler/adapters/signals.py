"""`Signals` over the sentinel files of this host."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import sentinels
from reconciler.errors import Terminal, Transient
from reconciler.model.report import Block, Pause
from reconciler.ports import Signals
from sentinels import Moment, SentinelFolder, known
from sentinels.folder import ACCEPTED, EVERYTHING, names_the_same


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
    """`path`: the folder of sentinels; `now`: the present by both clocks. Writing raises Transient (E-SENTINEL-...).

    `person`: what is taken away is taken away by one, for the next pass to notice.
    """

    def __init__(self, path: str | Path, now: Callable[[], Moment] = sentinels.now, *, person: bool = False) -> None:
        self._path, self._now, self._person = Path(path), now, person
        self._folder = SentinelFolder(path)

    def paused(self, stack: str = "", *, alone: bool = False) -> Pause | None:
        pause = self._folder.paused(stack or None, now=self._now(), alone=alone)
        return _told(pause) if pause else None

    def pause(self, stack: str, reason: str, holder: str, run: str, seconds: float | None) -> Pause:
        ttl = sentinels.DEFAULT_TTL if seconds is None else seconds
        with self._advice():
            pause = self._folder.pause(stack or None, reason=reason, holder=holder, now=self._now(), ttl=ttl, run=run)
        return _told(pause)

    def resume(self, stack: str) -> bool:
        with self._advice():
            self._forget(f"paused.d/{stack}" if stack else "paused")
            return self._folder.resume(stack or None)

    def sweep(self) -> tuple[Pause, ...]:
        """Remove the pauses that ended by themselves; for the holder of the pass lock."""
        with self._advice():
            ended = tuple(_told(pause) for pause in self._folder.sweep(self._now()))
            for pause in ended:
                self._forget(f"paused.d/{pause.stack}" if pause.stack else "paused")
            return ended

    def blocked(self) -> Mapping[str, str]:
        """Terminal when the folder of blocks cannot be listed: nobody knows then what may be deployed."""
        return Blocks({block.name: block.reason for block in self.blocks()})

    def blocks(self) -> tuple[Block, ...]:
        blocks = tuple(Block(b.name, b.reason or b.problem, b.run, b.tree, b.desired) for b in self._folder.blocked())
        if any(block.name == EVERYTHING for block in blocks):
            raise Terminal(
                "E-SENTINEL-BLOCKS",
                f"cannot list the blocked revisions in {self._path}",
                why="it is not a readable folder, so nobody knows what may not be deployed",
                next="look at what lies there, and make `blocked` a folder of root with mode 0700",
            )
        return blocks

    def block(self, block: Block) -> None:
        with self._advice():
            self._folder.block(
                block.name,
                reason=block.reason,
                holder="reconciler",
                now=self._now(),
                run=block.run,
                tree=block.tree,
                desired=block.desired,
            )
        with suppress(OSError):  # the block holds; at worst nobody notices that it was cleared before the next pass
            known.learn(self._path, f"blocked/{block.name}")

    def clear(self, revision: str) -> bool:
        with self._advice():
            self._forget(f"blocked/{revision}")
            return self._folder.clear(f"blocked/{revision}")

    def by_hand(self) -> tuple[str, ...]:
        with self._advice():
            return known.noticed(self._path, self._folder.entries())

    def stamp(self) -> str:
        return self._folder.stamp() or ""

    def write_stamp(self, revision: str) -> None:
        with self._advice():
            self._folder.write_stamp(revision)
            self._forget(ACCEPTED)
        self.withdraw()

    def accepted(self) -> str:
        return self._folder.accepted() or ""

    def accept(self, revision: str) -> None:
        with self._advice():
            self._folder.accept(revision)

    def withdraw(self) -> bool:
        with self._advice():
            return self._folder.clear(ACCEPTED)

    def _forget(self, name: str) -> None:
        if not self._person:
            known.forget(self._path, name)

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

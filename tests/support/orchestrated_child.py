"""`python -m tests.support.orchestrated_child FOLDER`: an orchestrator as a process, which ticks until it is killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from reconciler.adapters.engine_embedded import EmbeddedEngine
from reconciler.adapters.swarm_store import SqliteStore
from reconciler.core.plain import from_json, to_json
from reconciler.durable import put
from reconciler.errors import Terminal
from reconciler.model.queue import Stored
from reconciler.model.swarm import Artifact
from reconciler.ports.swarm import Binhost
from reconciler.swarm.orchestrator import Orchestrator
from reconciler.swarm.rules import Rules
from tests.support.orchestrated import package

LEASE = 1.0
"""Seconds for which it leads: who comes after a killed one does not wait long."""


class KeptBinhost(Binhost):
    """What the port promises, in a folder that outlives its process: a file for each lease that was published."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("incoming", "published"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def stage(self, build: str, attempt: int, artifacts: Sequence[Artifact]) -> None:
        put(self._folder / "incoming" / f"{build}:{attempt}", "\n".join(map(to_json, artifacts)).encode())

    def index(self, profile: str) -> Sequence[Stored]:
        texts = [file.read_text() for file in sorted((self._folder / "published").iterdir()) if _whole(file)]
        artifacts = [from_json(Artifact, line) for text in texts for line in text.splitlines()]
        return tuple(
            Stored(package(each.entry["CPV"], slot="0", repository="gentoo"), each.path, 1) for each in artifacts
        )

    def publish(self, profile: str, build: str, attempt: int, artifacts: Sequence[Artifact]) -> Sequence[str]:
        done = self._folder / "published" / f"{build}:{attempt}"
        staged = self._folder / "incoming" / f"{build}:{attempt}"
        if not done.exists():
            if not staged.exists():
                raise Terminal("E-TEST", "there is no such upload")
            put(done, "\n".join(map(to_json, artifacts)).encode())
        staged.unlink(missing_ok=True)
        return [artifact.path for artifact in artifacts]

    def discard(self, build: str, attempt: int) -> None:
        (self._folder / "incoming" / f"{build}:{attempt}").unlink(missing_ok=True)

    def staged(self) -> Sequence[tuple[str, int]]:
        leases = [file.name.partition(":") for file in (self._folder / "incoming").iterdir() if _whole(file)]
        return tuple((build, int(attempt)) for build, _, attempt in leases if attempt.isdecimal())


def _whole(file: Path) -> bool:
    """What a killed process was about to put there has a name of its own."""
    return not file.name.startswith(".")


def main(folder: Path) -> None:
    orchestrator = Orchestrator(
        SqliteStore(folder / "swarm.db"),
        EmbeddedEngine(folder / "engine.db"),
        KeptBinhost(folder / "binhost"),
        Rules(lease=LEASE, compare=1.0),
        holder=f"child-{os.getpid()}",
    )
    told = False
    while True:
        if orchestrator.tick(time.time()).leading and not told:
            print("ticking", flush=True)
            told = True
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

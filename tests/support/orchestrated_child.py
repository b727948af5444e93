"""`python -m tests.support.orchestrated_child FOLDER`: an orchestrator as a process, which ticks until it is killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.adapters.swarm.engine_embedded import EmbeddedEngine
from reconciler.adapters.swarm.store import SqliteStore
from reconciler.swarm.orchestrator import Orchestrator
from reconciler.swarm.rules import Rules


def main(folder: Path) -> None:
    orchestrator = Orchestrator(
        SqliteStore(folder / "swarm.db"),
        EmbeddedEngine(folder / "engine.db"),
        BinhostFolder(folder / "binhost"),
        Rules(compare=1.0),
        holder="this machine",  # as in wiring/serve.py: the lock of the binhost lets one process in
    )
    told = False
    while True:
        if orchestrator.tick(time.time()).leading and not told:
            print("ticking", flush=True)
            told = True
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

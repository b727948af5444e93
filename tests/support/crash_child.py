"""One pass in its own process, killed at a point: python -m tests.support.crash_child CONFIG TRACE VERB SHA [POINT]."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn, cast

from reconciler.adapters.lock import Holder, PassLock
from reconciler.cli.progress import Silent
from reconciler.convergence.converge import Pass
from reconciler.convergence.world import Request
from reconciler.settings import load_settings
from reconciler.wiring import make_rules, make_world, new_run
from reconciler.wiring.clock import SystemClock
from tests.support.crash import Command
from tests.support.seam import Seam


def kill(_point: str) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives SIGKILL")


def main(config: str, trace: str, command: str, revision: str, point: str = "") -> int:
    """One pass; the points that were passed go to the file `trace`, if it comes to its end."""
    settings, clock = load_settings(config), SystemClock()
    seam = Seam(int(point) if point else None, end=kill)
    lock = PassLock(settings.state.directory)
    lock.acquire(Holder(os.getpid(), clock.now(), "a test"))
    world = make_world(settings, clock, Silent(), wrap=seam.wrap)
    result = Pass(
        world, make_rules(settings), Request(new_run(), cast("Command", command), "test", revision=revision)
    ).run()
    Path(trace).write_text(json.dumps(seam.trace))
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Passes that can be traced one by one: python -m tests.support.sweep_child FOLDER COMMAND REVISION.

For every line on stdin a process is forked that stops itself, so that a tracer can take hold of it, and then makes one
pass over the host below FOLDER. Its pid is told, and then how it ended (negative: by which signal). The engine is in a
file, so that it outlives the process as a real one does.
"""

from __future__ import annotations

import concurrent.futures
import os
import pickle
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self, cast


class _AtOnce(concurrent.futures.Executor):
    """One thread does it all: a tracer counts the calls of each thread by itself."""

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def __enter__(self) -> Self:
        return self

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*given, **named))
        except Exception as error:  # noqa: BLE001  whoever asks for the result gets it
            future.set_exception(error)
        return future


def main(folder: str, command: str, revision: str) -> None:
    """Until stdin ends."""
    concurrent.futures.ThreadPoolExecutor = _AtOnce  # type: ignore[assignment,misc]
    import pygit2  # noqa: F401  a pass imports these two when it needs them: with a tracer behind it, that is slow

    import reconciler.core.manifest.stack  # noqa: F401
    from tests.support.crash import Command, CrashHost

    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            _one_pass(CrashHost, Path(folder), cast("Command", command), revision, int(line))
        os.waitpid(pid, os.WUNTRACED)  # it stands; sent before that, what lets it go on would be lost
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _one_pass(host_of: Any, folder: Path, command: Any, revision: str, runs: int) -> None:
    """Never returns."""
    import secrets

    from tests.support.seam import Seam

    numbers = iter(range(1000))
    secrets.token_hex = lambda _=None: f"{next(numbers):08x}"  # type: ignore[assignment]  # so that drafts have names that
    os.getpid = lambda: PID  # a tracer can be told beforehand
    host = host_of(folder, engine=pickle.loads((folder / "engine").read_bytes()), runs=runs)

    def keep(point: str) -> None:
        if point.startswith("after engine."):
            draft = folder / "engine.new"
            draft.write_bytes(pickle.dumps(host.engine))
            draft.rename(folder / "engine")

    code = 70
    try:
        code = host.take(command, revision, Seam(look=keep)).exit_code
    finally:
        os._exit(code)


PID = 4242
"""What the traced process takes for its own; it is in the names of drafts."""


if __name__ == "__main__":
    main(*sys.argv[1:])

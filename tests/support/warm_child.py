"""The process that has loaded the whole program, and forks for every command: python -m tests.support.warm_child.

Its stdin is a socket. A request is the module, arguments, environment, directory and umask in JSON, with four
descriptors: the three streams, and a pipe on which the pid is told, and then how it ended (as Popen.returncode).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import reconciler

_LASTING = ("reconciler.web", "reconciler.wiring.serv", "reconciler.cli.swarm.serve", "reconciler.__main__")
"""Of no use to a command that comes to an end, or what it begins with."""


def _fork_on_request() -> tuple[dict[str, Any], list[int]] | None:
    """Until nobody can ask any more; in a child, what was asked of it: the request, and the streams."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running: dict[int, tuple[int, int]] = {}
    with socket.socket(fileno=0) as door, selectors.DefaultSelector() as selector:
        selector.register(door, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if (ended := key.fd) in running:
                    selector.unregister(ended)
                    pid, status = running.pop(ended)
                    _tell(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    os.close(status)
                    os.close(ended)
                    continue
                data, fds, _, _ = socket.recv_fds(door, 1 << 20, 4)
                if not data:
                    return None
                if (pid := os.fork()) == 0:
                    return json.loads(data), fds[:3]
                for fd in fds[:3]:
                    os.close(fd)
                _tell(fds[3], pid)
                watched = os.pidfd_open(pid)
                running[watched] = (pid, fds[3])
                selector.register(watched, selectors.EVENT_READ)


def _tell(status: int, number: int) -> None:
    os.write(status, f"{number}\n".encode())


def _become(request: Mapping[str, Any], streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)  # type: ignore[misc]
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    sys.path[0] = request["cwd"]
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _load() -> None:
    """All that a command may want to import."""
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        if not module.name.startswith(_LASTING):
            importlib.import_module(module.name)
    gc.freeze()  # what is never written stays shared


if __name__ == "__main__":
    _load()
    if asked := _fork_on_request():
        _become(*asked)

"""The command without the half second in which Python loads it: forked from a process that has loaded it already.

What runs is the same module from its first line, with the same arguments, environment, directory and streams. Only what
comes before that is left out, so the tests of just that (test_cli.py, test_quick_look.py) start their own processes.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import BufferedWriter, FileIO
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[2]
_AT_ONCE = ("HOME", "TZ", "LANG", "LC_", "PYTHON", "XDG_")
"""Of the environment, what Python and libgit2 look at while they are loaded."""


def run(
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    stdin: str = "",
    timeout: float = 120,
    limits: Mapping[int, int] = MappingProxyType({}),
    module: str = "reconciler",
) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS`, and what it said. `limits`: resource -> bound.

    Raises TimeoutExpired, after a SIGKILL.
    """
    if limits or _looked_at_once(env) != _looked_at_once(os.environ):
        return _cold([sys.executable, "-m", module, *arguments], cwd, env, stdin, timeout, limits)
    request = {"module": module, "arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "umask": _umask()}
    with ThreadPoolExecutor(3) as beside, ExitStack() as pipes:
        (said, out), (complained, err), (ended, status), (given, stdin_end) = (
            pipes.enter_context(_pipe()) for _ in range(4)
        )
        theirs = (given, out, err, status)
        socket.send_fds(_forker(), [json.dumps(request).encode()], [stream.fileno() for stream in theirs])
        for stream in theirs:
            stream.close()
        beside.submit(_write, stdin_end, stdin.encode())
        output, complaints = beside.submit(said.read), beside.submit(complained.read)
        pid = int(ended.readline())
        in_time = bool(select.select([ended], [], [], timeout)[0])
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        code = int(ended.readline())
        text = (output.result().decode(), complaints.result().decode())
    if not in_time:
        raise subprocess.TimeoutExpired(list(arguments), timeout, *text)
    return subprocess.CompletedProcess(list(arguments), code, *text)


def _cold(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    stdin: str,
    timeout: float,
    limits: Mapping[int, int],
) -> subprocess.CompletedProcess[str]:
    def bounded() -> None:
        for which, bound in limits.items():
            resource.setrlimit(which, (bound, bound))

    return subprocess.run(
        command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, timeout=timeout, preexec_fn=bounded
    )


def _looked_at_once(env: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in env.items() if key.startswith(_AT_ONCE) and key != "PYTHONPATH"}


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _pipe() -> Iterator[tuple[FileIO, FileIO]]:
    reading, writing = os.pipe()
    with FileIO(reading, "rb") as ours, FileIO(writing, "wb") as theirs:
        yield ours, theirs


def _write(pipe: FileIO, text: bytes) -> None:
    try:
        with BufferedWriter(pipe) as whole:
            whole.write(text)
    except BrokenPipeError:  # not everything that is offered is read
        pass


@functools.cache
def _forker() -> socket.socket:
    """The way to the process that forks; it ends with ours."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm_child"], stdin=theirs.fileno(), cwd="/", env=env
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours

"""One child process with a deadline: in a group of its own, so that what it started dies with it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reconciler.errors import Terminal, Unreachable

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Completed:
    """What a child left behind. A negative `code` is the signal that ended it; `truncated`: stdout was longer."""

    code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class DeadlineExceeded(Unreachable):
    """The child was still running at its deadline; its whole group is gone. `stderr` is what it had said."""

    def __init__(self, program: str, deadline: float, stderr: bytes) -> None:
        super().__init__(
            "E-COMMAND-TIMEOUT",
            f"{program} did not finish within {deadline:g} s and was ended",
            why=stderr.decode("utf-8", "replace").strip()[-500:],
            next="the next tick tries again; raise the deadline when this host is only slow",
        )
        self.stderr = stderr


def run(
    argv: Sequence[str],
    *,
    deadline: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: bytes = b"",
    limit: int = 1 << 20,
    grace: float = 2.0,
) -> Completed:
    """Run `argv` to its end; raise DeadlineExceeded after `deadline` seconds.

    The group gets TERM and, `grace` seconds later, KILL, also when only a grandchild is left. Kept are the
    first `limit` bytes of stdout and the last `limit` bytes of stderr; the rest is read and dropped, so that
    a talkative child never blocks. Terminal when the program cannot be started.
    """
    child = _start(argv, env, cwd, wants_input=bool(input))
    try:
        output = _Output(child, input, limit)
        if output.collect_until(time.monotonic() + deadline):
            return Completed(_end_group(child, grace=0), bytes(output.stdout), bytes(output.stderr), output.truncated)
        _end_group(child, grace)
        raise DeadlineExceeded(argv[0], deadline, bytes(output.stderr))
    finally:
        _end_group(child, grace=0)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _start(
    argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None, *, wants_input: bool
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if wants_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=env,
            cwd=cwd,
            start_new_session=True,  # a group of its own, and no terminal to ask questions on
        )
    except OSError as error:
        raise Terminal(
            "E-COMMAND-MISSING",
            f"{argv[0]} could not be started",
            why=error.strerror or str(error),
            next=f"install {argv[0]} on this host, or mend its PATH",
        ) from error


class _Output:
    """The pipes of one child, read as they fill."""

    def __init__(self, child: subprocess.Popen[bytes], input: bytes, limit: int) -> None:
        self.stdout, self.stderr, self.truncated = bytearray(), bytearray(), False
        self._child, self._limit, self._rest = child, limit, memoryview(input)

    def collect_until(self, until: float) -> bool:
        """Whether the child ended in time. Its pipes may outlive it in a grandchild: the child's end decides."""
        ended = os.pidfd_open(self._child.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(ended, selectors.EVENT_READ)
                for stream in (self._child.stdout, self._child.stderr):
                    assert stream is not None
                    os.set_blocking(stream.fileno(), False)
                    selector.register(stream, selectors.EVENT_READ)
                if self._child.stdin is not None:
                    os.set_blocking(self._child.stdin.fileno(), False)
                    selector.register(self._child.stdin, selectors.EVENT_WRITE)
                return self._loop(selector, ended, until)
        finally:
            os.close(ended)

    def _loop(self, selector: selectors.BaseSelector, ended: int, until: float) -> bool:
        while (left := until - time.monotonic()) > 0:
            ready = [key.fileobj for key, _ in selector.select(left)]
            for stream in ready:
                if stream is self._child.stdin:
                    self._feed(selector, self._child.stdin)
                elif stream != ended:
                    self._drain(selector, stream)  # type: ignore[arg-type]
            if ended in ready:
                return self._drain_the_rest(selector, until)
        return False

    def _drain_the_rest(self, selector: selectors.BaseSelector, until: float) -> bool:
        for stream in (self._child.stdout, self._child.stderr):
            while stream in selector.get_map() and self._drain(selector, stream):  # type: ignore[arg-type]
                if time.monotonic() > until:  # a grandchild that never stops talking
                    break
        return True

    def _drain(self, selector: selectors.BaseSelector, stream: IO[bytes]) -> bool:
        try:
            chunk = os.read(stream.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            selector.unregister(stream)
        elif stream is self._child.stdout:
            room = self._limit - len(self.stdout)
            self.truncated = self.truncated or len(chunk) > room
            self.stdout += chunk[:room]
        else:
            self.stderr += chunk
            del self.stderr[: -self._limit]
        return bool(chunk)

    def _feed(self, selector: selectors.BaseSelector, stream: IO[bytes]) -> None:
        try:
            self._rest = self._rest[os.write(stream.fileno(), self._rest[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # the child reads no further: its exit status tells
            self._rest = self._rest[:0]
        if not self._rest:
            selector.unregister(stream)
            stream.close()


def _end_group(child: subprocess.Popen[bytes], grace: float) -> int:
    """End all that is left of the group and reap the child.

    The child is reaped last: as long as it is not, the number of its group belongs to nobody else.
    """
    if child.returncode is not None:
        return child.returncode
    if grace > 0:
        _signal(child.pid, signal.SIGTERM)
        ended = os.pidfd_open(child.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(ended, selectors.EVENT_READ)
                selector.select(grace)
        finally:
            os.close(ended)
    _signal(child.pid, signal.SIGKILL)
    return child.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)

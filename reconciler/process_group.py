"""A long-running child with all that it starts: none of it outlives its deadline, a cancel, or the death of its parent.

The child leads a session of its own, and its environment carries a mark. Processes that left the session for another
one (Portage's namespaces) are known by the mark, which is looked at in the very process that is about to be ended, so
that a number that now belongs to somebody else is never hit. A record on the disk lets the next start of the parent end
what a killed one has left.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from reconciler.durable import put_sealed, read_sealed
from reconciler.errors import Terminal

_CHUNK = 65536
_SETTLE = 10.0
"""Seconds within which what was killed has to be gone; a process that hangs in the kernel may stay longer."""
_LOOKS = 3
"""That find nothing, 10 ms apart."""

_WHEN_TOLD = ("/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "sh")
"""Begins when its parent has written the record, and not at all when the parent died before."""


class ProcessGroup:
    """Starts `argv`. `env` holds `mark`, NAME=value; `nice`: what is added to the parent's. `record`: of this start.

    Terminal when it cannot be started, OSError when the record cannot be written. Not for several threads.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], mark: str, record: Path, nice: int = 0, cwd: str = "/"
    ) -> None:
        self._mark, self._record = mark, record
        try:
            self._child = subprocess.Popen(
                [*_WHEN_TOLD, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise Terminal(
                "E-COMMAND-MISSING",
                f"{argv[0]} could not be started",
                why=error.strerror or str(error),
                next=f"install {argv[0]} on this host, or mend its PATH",
            ) from error
        self._ended = os.pidfd_open(self._child.pid)
        assert self._child.stdout is not None
        os.set_blocking(self._child.stdout.fileno(), False)
        try:
            put_sealed(record, {"pid": self.pid, "started": _started(self.pid), "boot": _boot(), "mark": mark})
            self._go(nice)
        except BaseException:
            self.end(0)
            raise

    @property
    def pid(self) -> int:
        """Also the number of its group and of its session."""
        return self._child.pid

    def follow(self, seconds: float, take: Callable[[bytes], object]) -> int | None:
        """Give `take` what is written during that time; the exit code once it has ended. Negative: a signal did it."""
        until = time.monotonic() + seconds
        assert self._child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._ended, selectors.EVENT_READ)
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0:
                ready = [key.fileobj for key, _ in selector.select(left)]
                if self._child.stdout in ready and not self._read(take):
                    selector.unregister(self._child.stdout)
                if self._ended in ready:
                    self._rest(take)
                    return self.end(0)
        return None

    def end(self, grace: float, take: Callable[[bytes], object] = len) -> int:
        """End all of it: TERM, and KILL after `grace` seconds. When this returns, nothing of it is left.

        The child is reaped last: as long as it is not, the number of its group belongs to nobody else.
        """
        if self._child.returncode is not None:
            return self._child.returncode
        if grace > 0:
            _signal_group(self.pid, signal.SIGTERM)
            self._wait(grace, take)
        _signal_group(self.pid, signal.SIGKILL)
        _kill_marked(self._mark)
        self._rest(take)
        code = self._child.wait()
        os.close(self._ended)
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._record.unlink(missing_ok=True)
        return code

    def _go(self, nice: int) -> None:
        assert self._child.stdin is not None
        if nice:
            os.setpriority(os.PRIO_PROCESS, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)
        with contextlib.suppress(BrokenPipeError):  # it died: its exit code tells
            self._child.stdin.write(b"go\n")
            self._child.stdin.close()

    def _wait(self, seconds: float, take: Callable[[bytes], object]) -> None:
        """For its end; what it writes meanwhile is taken, or it would wait for us."""
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._ended, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0 and not selector.select(min(left, 0.05)):
                self._rest(take)

    def _rest(self, take: Callable[[bytes], object]) -> None:
        """What is in the pipe now; a grandchild that never stops talking is not waited for."""
        until = time.monotonic() + 1
        while self._read(take) and time.monotonic() < until:
            pass

    def _read(self, take: Callable[[bytes], object]) -> bool:
        assert self._child.stdout is not None
        try:
            chunk = os.read(self._child.stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        if chunk:
            take(chunk)
        return bool(chunk)


def end_recorded(record: Path, grace: float = 5.0) -> int:
    """End what a parent that died has left of the group of its record; the number that it had, 0 without a record."""
    try:
        told = read_sealed(record)
        pid, started, boot, mark = int(told["pid"]), int(told["started"]), str(told["boot"]), str(told["mark"])
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError):  # torn: it was not complete, and so nothing was begun
        record.unlink(missing_ok=True)
        return 0
    if boot == _boot():
        _end_leader(pid, started, mark, grace)
        _kill_marked(mark)
    record.unlink(missing_ok=True)
    return pid


def marked(mark: str) -> list[int]:
    """The processes with that mark, NAME=value, in their environment."""
    return [pid for pid in _pids() if _carries(pid, mark)]


def _end_leader(pid: int, started: int, mark: str, grace: float) -> None:
    """And its group, when it is the process that was recorded: by its number, its begin and its mark."""
    with contextlib.suppress(ProcessLookupError):
        leader = os.pidfd_open(pid)
        try:
            if _started(pid) == started and _carries(pid, mark):
                _signal_group(pid, signal.SIGTERM)
                with selectors.DefaultSelector() as selector:
                    selector.register(leader, selectors.EVENT_READ)
                    if not selector.select(grace):  # it is still there, so its number is still its own
                        _signal_group(pid, signal.SIGKILL)
        finally:
            os.close(leader)


def _kill_marked(mark: str) -> None:
    """Until several looks in a row find none: a process that begins another program shows no environment meanwhile."""
    until, quiet = time.monotonic() + _SETTLE, 0
    while quiet < _LOOKS and time.monotonic() < until:
        left = marked(mark)
        quiet = 0 if left else quiet + 1
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                process = os.pidfd_open(pid)
                try:
                    if _carries(pid, mark):
                        signal.pidfd_send_signal(process, signal.SIGKILL)
                finally:
                    os.close(process)
        time.sleep(0.01)


def _carries(pid: int, mark: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # gone, or another user's
        return False
    return pid != os.getpid() and mark.encode() in environment.split(b"\0")


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _started(pid: int) -> int:
    """When it began, in clock ticks since the boot (proc_pid_stat(5), field 22); 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except OSError:
        return 0


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)

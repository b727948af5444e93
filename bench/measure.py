"""What one command cost: its own time and memory, and the time that the engine spent for it.

Time and memory of the command are those of all its processes, as the kernel counts them (`wait4`). The engine's time is
read from /proc before and after: dockerd with containerd, and the shims with what they ran (runc) apart.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT = 120.0
"""Seconds after which a command is ended."""

_TICK = os.sysconf("SC_CLK_TCK")

# A process starts with the peak of memory of whoever starts it, so that is a small one.
_LAUNCHER = """
import os, sys, time
begun = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - begun
with open(sys.argv[1], "w") as out:
    print(os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, file=out)
"""


class Failed(Exception):
    """A command that is measured did not do its work."""


@dataclass(frozen=True)
class Cost:
    """Of a command: wall and CPU in seconds, peak of memory in bytes. Of the engine: seconds of CPU."""

    wall: float
    cpu: float
    memory: int
    daemon: float
    shims: float


@dataclass(frozen=True)
class Daemon:
    """A private engine's processes. `folder` is its data, `run` its runtime files."""

    folder: Path
    run: Path

    def cpu(self) -> tuple[float, dict[int, float]]:
        """Seconds of dockerd with containerd, and of each shim alive; each with the children that it waited for."""
        engine = (self.run / "pid", self.run / "exec/containerd/containerd.pid")
        return sum(cpu_of(int(file.read_text())) for file in engine), {pid: cpu_of(pid) for pid in self._shims()}

    def _shims(self) -> list[int]:
        ours = f"-namespace\0{self._namespace()}\0".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (process / "cmdline").read_bytes()
                if b"containerd-shim" in line and ours in line:
                    found.append(int(process.name))
        return found

    def _namespace(self) -> str:
        remembered = dict(line.split("=", 1) for line in (self.folder / "engine").read_text().splitlines())
        return f"rcl{remembered['number']}"


def measure(command: Sequence[str], daemon: Daemon, cwd: Path, env: Mapping[str, str], scratch: Path) -> Cost:
    """Run a command to its end. Raises Failed with the end of what it said."""
    answer, log = scratch / "cost", scratch / "log"
    before, shims_before = daemon.cpu()
    with log.open("wb") as said:
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(answer), *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            launcher.wait(LIMIT)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{' '.join(command)} did not end in {LIMIT:.0f} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(launcher.pid, signal.SIGKILL)
    after, shims_after = daemon.cpu()
    code, wall, cpu, memory = map(float, answer.read_text().split())
    if code:
        raise Failed(f"{' '.join(command)} ended with {code:.0f}:\n{log.read_text(errors='replace')[-2000:]}")
    shims = sum(spent - shims_before.get(pid, 0) for pid, spent in shims_after.items())
    return Cost(wall, cpu, int(memory), after - before, shims)


def cpu_of(pid: int) -> float:
    """User and system time, its own and that of children it waited for (proc(5), fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) / _TICK


def machine(engine: str) -> dict[str, object]:
    """What the numbers depend on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "kernel": os.uname().release,
        "python": ".".join(map(str, sys.version_info[:3])),
        "engine": engine,
        "load": round(os.getloadavg()[0], 1),
        "at": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
    }

"""No seam, but the kernel: every fsync dies or fails, every write finds the disk full; two passes later all is well."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.adapters.signals import SentinelSignals
from tests.support.crash import CrashHost
from tests.support.crash_case import Case, learned
from tests.support.crash_scenarios import SCENARIOS, Scenario
from tests.support.engine import ROOT
from tests.support.host import until
from tests.support.sweep_child import PID

COUNTS: Counter[str] = Counter()
MOST = 200
"""Nothing writes that often; a sweep without end would be a mistake of its own."""


@dataclass
class Traced:
    """A case whose pass is made by a process of its own, below strace."""

    case: Case
    process: subprocess.Popen[str]

    @property
    def folder(self) -> Path:
        return self.case.host.folder

    def runs(self, calls: str, fault: str, paths: tuple[Path, ...] = ()) -> bool:
        """From the beginning, with that fault; whether it came to it."""
        host = self.case.host
        host.restore(self.case.begin)
        (self.folder / "engine").write_bytes(pickle.dumps(host.engine))
        log = self.folder / "strace"
        pid = int(self._ask(f"{host.runs}"))
        only = [word for path in paths for word in ("-P", str(path))]
        inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
        tracer = subprocess.Popen(
            ["strace", "-qq", "-o", str(log), *inject, *only, "-p", str(pid)], stderr=subprocess.PIPE, text=True
        )
        try:
            until(lambda: _tracer_of(pid) or tracer.poll() is not None)
            assert tracer.poll() is None, tracer.communicate()[1]
            os.kill(pid, signal.SIGCONT)
            self.code = int(self._answer())
        except BaseException:
            os.kill(pid, signal.SIGKILL)  # its tracer would wait for it for ever
            raise
        finally:
            tracer.communicate(timeout=30)
        host.engine, host.runs = pickle.loads((self.folder / "engine").read_bytes()), host.runs + 1
        self.case.deaths = 1
        return self.code == -signal.SIGKILL or "(INJECTED)" in log.read_text()

    def _ask(self, line: str) -> str:
        assert self.process.stdin
        print(line, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()


def _tracer_of(pid: int) -> bool:
    return "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text()


Paths = Callable[[Path], tuple[Path, ...]]
"""Of a state directory, those that a fault is for; none: all."""


def _all(_state: Path) -> tuple[Path, ...]:
    return ()


def _ledger(state: Path) -> tuple[Path, ...]:
    return tuple(state / f"ledger.db{suffix}" for suffix in ("", "-wal", "-journal"))


def _drafts(state: Path) -> tuple[Path, ...]:
    folders = (state / "sentinels", state / "sentinels" / "blocked")
    return tuple(folder / f".{PID}-{number:08x}.new" for folder in folders for number in range(20))


@contextmanager
def traced(case: Case) -> Iterator[Traced]:
    scenario = case.scenario
    back = scenario.command == "rollback"
    revision = case.host.remote.git("rev-parse", "main~1" if back else "main").decode().strip()
    arguments = [str(case.host.folder), scenario.command, "" if scenario.command == "converge" else revision]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.sweep_child", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Traced(case, process)
            process.communicate(timeout=30)
        except BaseException:
            process.kill()
            raise


def _well(swept: Traced, how: str) -> None:
    """Two undisturbed passes, and all is as it should be; no sentinel is torn, and no block was lost on the way."""
    case, host = swept.case, swept.case.host
    signals = SentinelSignals(host.state / "sentinels")
    blocked = set(signals.blocked())
    for path in (host.state / "sentinels").rglob("*"):
        torn = path.is_file() and not path.name.startswith(".") and not path.read_bytes().endswith(b"\n")
        assert not torn, f"{path} is torn: {how}"
    expected = {name.removeprefix("blocked/") for name in case.expected.sentinels if name.startswith("blocked/")}
    try:
        case.carry_on(patient=True)
        assert blocked & expected <= set(signals.blocked())
    except AssertionError as error:
        error.add_note(f"{case.scenario}: {how}")
        raise


def _scenarios(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.name in names], ids=str)


def _sweep(scenario: Scenario, host: CrashHost, call: str, fault: str, paths: Paths = _all, step: int = 1) -> None:
    """One kind of call: strace counts each kind by itself."""
    with traced(learned(host, scenario)) as swept:
        for number in range(1, MOST, step):
            if not swept.runs(call, fault.format(number), paths(host.state)):
                assert number > 1, "the faults never came"
                return
            if scenario.command == "rollback" and swept.case.written_down is None:
                continue  # nobody asked for it, then
            _well(swept, f"{call}:{fault.format(number)}")
            COUNTS[f"{call} {fault.partition(':')[0]}"] += 1
    raise AssertionError("a sweep without end")


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
@_scenarios("deployed", "deployed with bad health, so undone", "migrated", "rolled back")
def test_killed_at_every_sync(host: CrashHost, scenario: Scenario, call: str) -> None:
    _sweep(scenario, host, call, "signal=KILL:when={}")


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
@_scenarios("one image", "bad health, so undone", "mended after an undo")
def test_every_sync_fails_once(host: CrashHost, scenario: Scenario, call: str) -> None:
    """The timer's passes: a deploy that fails says so, and leaves its pause to a person."""
    _sweep(scenario, host, call, "error=EIO:when={}")


@_scenarios("one image", "bad health, so undone", "mended after an undo")
def test_the_disk_is_full_from_any_write_of_a_sentinel_on(host: CrashHost, scenario: Scenario) -> None:
    _sweep(scenario, host, "write", "error=ENOSPC:when={}+", _drafts)


@_scenarios("deployed", "bad health, so undone", "mended after an undo")
def test_the_disk_is_full_from_any_write_of_the_ledger_on(host: CrashHost, scenario: Scenario) -> None:
    _sweep(scenario, host, "pwrite64", "error=ENOSPC:when={}+", _ledger, step=3)


def test_enough_faults_came(tell: Callable[[str], None]) -> None:
    """Runs last; only counts a whole run of this file."""
    if len(COUNTS) == 6:
        tell(f"strace sweep: {dict(COUNTS)}")
        assert COUNTS.total() >= 250

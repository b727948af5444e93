"""Who holds the pass lock, who starts passes, and what holds them back."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import sentinels
from reconciler import process
from reconciler.adapters.lock import PassLock
from reconciler.core.diagnosis.running import PATH, SERVICE, TIMER, LockFacts, PauseFacts, RunnerFacts, Unit
from reconciler.doctor.init import is_systemd
from reconciler.ports import Clock
from reconciler.settings import DEFAULT_FILE, PREFIX
from sentinels import SentinelFolder

_UNITS = (SERVICE, TIMER, PATH)
_CRON = re.compile(r"^[^#\n]*\breconciler\b[^\n]*\bconverge\b", re.MULTILINE)
_CRON_FILES = ("crontab", "cron.d/*", "cron.hourly/*", "cron.daily/*", "crontabs/*")


def probe_lock(state: str, clock: Clock) -> LockFacts:
    """Asks the kernel's list; taking the lock to see whether it is free would turn a pass away."""
    lock = Path(state) / "pass.lock"
    try:
        inode = lock.stat().st_ino
    except OSError:
        return LockFacts()
    holder = PassLock(state).holder()
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1:2] == ["FLOCK"] and words[5].rpartition(":")[2] == str(inode):
            pid = int(words[4])
            since = holder.since if holder else clock.now()
            return LockFacts(pid, _state(pid), _command(pid), clock.now() - since, holder.pid if holder else 0)
    return LockFacts()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _command(pid: int) -> str:
    return " ".join(_words(Path(f"/proc/{pid}/cmdline")))[:80]


def probe_runner(
    file: str, deadline: float, etc: Path = Path("/etc"), spool: Path = Path("/var/spool/cron")
) -> RunnerFacts:
    """The units by systemd, where that is PID 1; else the usual places of cron, and a `reconciler watch`.

    `file`: the reconciler.toml that they must be about.
    """
    program = str(Path(sys.argv[0]).resolve()) if Path(sys.argv[0]).name == "reconciler" else "reconciler"
    return RunnerFacts(
        init="systemd" if is_systemd() else "other",
        units=_units(deadline) if is_systemd() else {},
        cron=tuple(_cron(file, etc, spool)),
        watching=_watching(file),
        program=program,
        crond=(etc / "cron.d").is_dir(),
    )


def _units(deadline: float) -> Mapping[str, Unit]:
    fields = "Id,LoadState,ActiveState,UnitFileState,Result"
    done = process.run(["systemctl", "show", "-p", fields, *_UNITS], deadline=deadline)
    found = {}
    for block in done.stdout.decode("utf-8", "replace").split("\n\n"):
        told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if name := told.get("Id"):
            result = told.get("Result", "")
            found[name] = Unit(told["LoadState"], told["ActiveState"], told.get("UnitFileState", ""), result)
    return found


def _cron(about: str, etc: Path, spool: Path) -> Iterator[str]:
    files = [file for pattern in _CRON_FILES for file in etc.glob(pattern)]
    files += [*spool.glob("*"), *spool.glob("crontabs/*")]
    for file in files:
        try:
            lines = _CRON.findall(file.read_text(errors="replace")) if file.is_file() else ()
            if any(_config(line.split(), {}) == about for line in lines):
                yield str(file)
        except OSError:
            continue


def _watching(about: str) -> int:
    """The process id of a `reconciler watch` about that file; 0 when there is none."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (words := _words(folder / "cmdline")):
            named = any("reconciler" in word for word in words[:3]) and "watch" in words[1:]
            if named and _config(words, dict(w.split("=", 1) for w in _words(folder / "environ") if "=" in w)) == about:
                return int(folder.name)
    return 0


def _config(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Which reconciler.toml a command line is about."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == "--config":
            return after
        if word.startswith("--config="):
            return word.removeprefix("--config=")
    return environment.get(f"{PREFIX}_CONFIG", DEFAULT_FILE)


def _words(file: Path) -> list[str]:
    """What a file of /proc has between its zeros; nothing when it cannot be read."""
    try:
        return [word.decode("utf-8", "replace") for word in file.read_bytes().split(b"\0") if word]
    except OSError:
        return []


def probe_pauses(state: str) -> tuple[tuple[PauseFacts, ...], Mapping[str, str]]:
    """Pauses, those whose time is over among them, and what is blocked with its reason."""
    folder, now = SentinelFolder(f"{state}/sentinels"), sentinels.now()
    found = []
    for entry in folder.entries():
        kind, _, stack = entry.name.partition("/")
        if kind in ("paused", "paused.d") and stack != "*":
            pause, told = folder.paused(stack or None, now=now), dict(entry.fields)
            left = pause.left if pause else 0.0
            found.append(PauseFacts(stack, told.get("reason", ""), told.get("holder", ""), left))
    return tuple(found), {block.name: block.reason or block.problem for block in folder.blocked()}

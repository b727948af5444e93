"""What keeps passes going, and what holds them up: the lock, the timer, pauses and blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.core.diagnosis.commands import also, shell
from reconciler.model.diagnosis import Finding
from reconciler.model.settings import Watch

PASS_DEADLINE = 45 * 60.0


@dataclass(frozen=True, slots=True)
class LockFacts:
    """`held_by`: process id of who holds the pass lock (0: nobody). `state`: its letter in proc(5), "" when unknown.

    `command`: its words; `seconds`: for how long, as the lock's text has it; `named`: the process that text names.
    """

    held_by: int = 0
    state: str = ""
    command: str = ""
    seconds: float = 0.0
    named: int = 0


def lock(facts: LockFacts) -> Iterator[Finding]:
    """The kernel frees the lock of a dead process; what holds it and does not work is alive, and stopped or stuck."""
    if not facts.held_by:
        yield Finding("lock", "ok", "no pass is running")
        return
    who = f"process {facts.held_by}" + (f" ({facts.command})" if facts.command else "")
    if facts.state in ("T", "t"):
        yield Finding(
            "lock",
            "fail",
            f"{who} holds the pass lock and is stopped",
            why="somebody sent it SIGSTOP, or left it in the background of a terminal; no other pass can run",
            mend=shell("kill", "-CONT", str(facts.held_by)),
        )
    elif facts.named and facts.named != facts.held_by:
        yield Finding(
            "lock",
            "fail",
            f"{who} holds the pass lock, and is not the pass that took it (process {facts.named})",
            why="what a pass started has outlived it",
            mend=shell("kill", str(facts.held_by)),
        )
    elif facts.seconds > PASS_DEADLINE:
        yield Finding(
            "lock",
            "warn",
            f"{who} holds the pass lock for {facts.seconds / 60:.0f} minutes",
            why="a pass takes at most 45 minutes",
            next="it ends after the step at work, and the next pass carries on",
            mend=shell("kill", str(facts.held_by)),
        )
    else:
        yield Finding("lock", "ok", f"a pass is running now: {who}")


@dataclass(frozen=True, slots=True)
class Unit:
    """What `systemctl show` says. `loaded`: LoadState; `active`: ActiveState; `enabled`: UnitFileState."""

    loaded: str
    active: str = ""
    enabled: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class RunnerFacts:
    """Who starts passes. `cron`: files with a line for it; `watching`: process id of `reconciler watch`, 0: none.

    `program`: how this program is called; `crond`: whether there is a folder for such files.
    """

    init: Literal["systemd", "other"]
    units: Mapping[str, Unit]
    cron: tuple[str, ...] = ()
    watching: int = 0
    program: str = "reconciler"
    crond: bool = True


SERVICE, TIMER, PATH = "reconciler.service", "reconciler.timer", "reconciler.path"


def runner(facts: RunnerFacts) -> Iterator[Finding]:
    """Whether anything starts passes, and how the last one that systemd started ended."""
    other = f"reconciler watch (process {facts.watching})" if facts.watching else ", ".join(facts.cron)
    timer = facts.units.get(TIMER, Unit("not-found"))
    if timer.loaded != "loaded":
        yield from _without_units(facts, other)
        return
    unwell = False
    for name in (TIMER, PATH):
        unit = facts.units.get(name, Unit("not-found"))
        if unit.loaded != "loaded" or (unit.active == "active" and unit.enabled in ("enabled", "static", "linked")):
            continue
        unwell = True
        failed = unit.active == "failed"
        yield Finding(
            "systemd",
            "fail" if name == TIMER else "warn",
            f"{name} is {unit.active}, {unit.enabled}",
            why="it is what starts passes by themselves" if name == TIMER else "it starts a pass at every push",
            mend=also(
                shell("systemctl", "reset-failed", name) if failed else "",
                shell("systemctl", "enable", "--now", name),
            ),
        )
    service = facts.units.get(SERVICE, Unit("not-found"))
    if service.result not in ("", "success"):
        yield Finding(
            "systemd",
            "warn",
            f"the last pass that systemd started failed ({service.result})",
            why="the next one may do better; this is about the last",
            next="look: journalctl -u reconciler.service -n 50, reconciler history; the command runs one now",
            mend=shell("systemctl", "start", SERVICE),
        )
    elif not unwell:
        yield Finding("systemd", "ok", "the timer is on")


def _without_units(facts: RunnerFacts, other: str) -> Iterator[Finding]:
    name = "systemd" if facts.init == "systemd" else "schedule"
    if other:
        yield Finding(name, "ok", f"passes are started by {other}")
    elif facts.init == "systemd":
        yield Finding(
            name,
            "warn",
            "nothing starts passes by itself: the units are not installed",
            next="passes run when a person calls reconciler converge; run this in the checkout of reconciler",
            mend="make install",
        )
    else:
        line = crontab_line(facts.program)
        yield Finding(
            name,
            "warn",
            "nothing starts passes by itself, and there is no systemd here",
            next="run `reconciler watch` under your own init system, or from cron",
            mend=f"{shell('echo', line)} > /etc/cron.d/reconciler" if facts.crond else "",
        )


def crontab_line(program: str) -> str:
    """As often as a watch looks by itself; results say nothing new, and errors are left for cron to mail."""
    return f"*/{Watch().every / 60:.0f} * * * * root {program} converge --yes -q >/dev/null"


@dataclass(frozen=True, slots=True)
class PauseFacts:
    """`stack` "": the whole host. `left` in seconds, at most 0: its time is over, and it lies there still."""

    stack: str
    reason: str
    holder: str
    left: float


def pauses(host: str, found: Sequence[PauseFacts], blocked: Mapping[str, str]) -> Iterator[Finding]:
    """What somebody, or an earlier pass, told the passes to come."""
    for pause in found:
        where = f"{host}/{pause.stack}" if pause.stack else host
        said = f"{pause.reason or 'no reason given'} ({pause.holder or 'somebody'})"
        over = pause.left <= 0
        yield Finding(
            "pauses",
            "warn",
            f"the pause of {where} is over and lies there still" if over else f"{where} is paused: {said}",
            why="a pass takes it away when it comes; none came" if over else f"{pause.left / 3600:.1f} h are left",
            mend=shell("reconciler", "resume", where),
        )
    for name, reason in blocked.items():
        yield Finding(
            "pauses",
            "warn",
            f"{name[:20]} is blocked",
            why=reason,
            next="push something better; or, when it was not its fault, clear it and it is tried again",
            mend=shell("reconciler", "sentinels", "clear", f"blocked/{name}"),
        )
    if not found and not blocked:
        yield Finding("pauses", "ok", "nothing is paused or blocked")

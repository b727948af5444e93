"""Whether the host's clock is right, as far as the remote, the repository and this program can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.core.diagnosis.commands import shell
from reconciler.model.diagnosis import Finding

_SLIGHT, _WRONG = 30.0, 300.0
_DAY, _YEAR = 86_400.0, 365.25 * 86_400


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """Seconds since the epoch: `now` of this host, `told` by the remote (None: it did not), `newest` of the commits (0:
    none is known), `built`: the day of this version.

    `synchronized`: what systemd says, None when nobody knows; `keep`: the command that lets systemd keep it right.
    """

    now: float
    built: float
    told: float | None = None
    newest: float = 0.0
    synchronized: bool | None = None
    teller: str = ""
    keep: str = ""


def clock(facts: ClockFacts) -> Iterator[Finding]:
    """The best witness decides: the remote, then what cannot lie in the future, then systemd."""
    if facts.told is not None:
        yield from _against_the_remote(facts, facts.told)
        return
    if facts.now < facts.built - _DAY:
        yield _impossible(facts, f"this version was made on {_day(facts.built)}")
    elif facts.newest > facts.now + _YEAR:
        yield _impossible(facts, f"the newest commit is of {_day(facts.newest)}")
    elif facts.now > facts.built + 5 * _YEAR:
        yield _impossible(facts, f"this version was made on {_day(facts.built)}; if the date is right, update it")
    elif facts.synchronized is False:
        yield Finding(
            "clock",
            "warn",
            f"{_time(facts.now)}, and nothing keeps it right",
            why="systemd says that no time server was heard",
            mend=facts.keep,
        )
    elif facts.newest > facts.now + _DAY:
        yield Finding(
            "clock",
            "warn",
            f"it is {_time(facts.now)} here, and the newest commit is of {_time(facts.newest)}",
            why="this clock is slow, or that of whoever committed is fast",
            next="" if facts.keep else _keep_right,
            mend=facts.keep,
        )
    else:
        yield Finding("clock", "ok", f"{_time(facts.now)}, nothing speaks against it")


_keep_right = "set it (date --utc --set='YYYY-MM-DD HH:MM'), and install chrony or systemd-timesyncd to keep it right"


def _against_the_remote(facts: ClockFacts, told: float) -> Iterator[Finding]:
    off = facts.now - told
    if abs(off) <= _SLIGHT:
        yield Finding("clock", "ok", f"{_time(facts.now)}, as {facts.teller} says")
        return
    yield Finding(
        "clock",
        "fail" if abs(off) > _WRONG else "warn",
        f"the clock is {_span(abs(off))} {'fast' if off > 0 else 'slow'}: {_time(facts.now)} here",
        why=f"{facts.teller} says {_time(told)}; certificates and tokens are refused at the wrong time",
        next=f"and keep it right: {facts.keep or 'install chrony'}",
        mend=shell("date", f"--set={-round(off):+d} seconds"),
    )


def _impossible(facts: ClockFacts, witness: str) -> Finding:
    return Finding(
        "clock",
        "fail",
        f"the clock says {_time(facts.now)}",
        why=f"that cannot be: {witness}",
        next="" if facts.keep else _keep_right,
        mend=facts.keep,
    )


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def _span(seconds: float) -> str:
    for size, unit in ((_YEAR, "years"), (_DAY, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"

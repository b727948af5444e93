"""doctor: is everything there that a pass needs, and which command mends what is not."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options, settings_of
from reconciler.core.counting import count
from reconciler.errors import BadConfiguration, ReconcilerError, Terminal
from reconciler.model.diagnosis import Finding, Level

if TYPE_CHECKING:
    from reconciler.doctor.subject import Subject

_ORDER: tuple[Level, ...] = ("ok", "warn", "fail")
_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(cls=Helpful, short_help="Check everything that a pass needs; print what mends it.")
@global_options
@click.pass_obj
def doctor(frame: Frame) -> int:
    """Check everything that a pass needs on this host, and print the command that mends what is wrong.

    Changes nothing. What fails comes last. Exits 1 when something fails, 78 when reconciler.toml itself is wrong.
    """
    from reconciler.doctor.checks import diagnose, diagnose_without_settings

    problem: ReconcilerError | None = None
    try:
        findings = diagnose(_subject(frame))
    except BadConfiguration as error:
        problem = error
        findings = (_bad_settings(error), *diagnose_without_settings(_nobody(frame)))
    findings = tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.level)))
    counts = {level: sum(finding.level == level for finding in findings) for level in _ORDER}
    if counts["fail"] and problem is None:
        problem = _failed([finding for finding in findings if finding.level == "fail"])
    data = {"findings": [asdict(finding) for finding in findings], "counts": counts}
    lines = _lines(findings, colored=frame.color and "NO_COLOR" not in os.environ and sys.stdout.isatty())
    lines += ["", f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed"]
    names = [finding.check for finding in findings if finding.level == "fail"]
    code = problem.exit_code if problem else 0
    answer = Answer(data, lines, names, exit_code=code, ok=problem is None, error=problem if frame.machine else None)
    return give(frame, answer)


def _subject(frame: Frame) -> Subject:
    from reconciler.doctor.subject import Subject
    from reconciler.wiring.clock import SystemClock

    return Subject(_file(frame), settings_of(frame), SystemClock())


def _nobody(frame: Frame) -> Subject:
    """A host of which nothing is known but where its file should be."""
    from reconciler.doctor.subject import Subject
    from reconciler.model.settings import Repository, Settings
    from reconciler.wiring.clock import SystemClock

    return Subject(_file(frame), Settings(host="", repository=Repository(url="")), SystemClock())


def _file(frame: Frame) -> str:
    from reconciler.settings import DEFAULT_FILE, PREFIX

    return frame.config or os.environ.get(f"{PREFIX}_CONFIG") or DEFAULT_FILE


def _bad_settings(error: BadConfiguration) -> Finding:
    missing = error.code == "E-SETTINGS-FILE" and error.__cause__ is None
    return Finding("settings", "fail", f"{error}", error.why, error.next, "reconciler init" if missing else "")


def _failed(findings: list[Finding]) -> ReconcilerError:
    failing = count(len(findings), "check fails", "checks fail")
    return Terminal(
        "E-DOCTOR",
        f"{failing}: {', '.join(dict.fromkeys(finding.check for finding in findings))}",
        why=findings[0].what,
        next=findings[0].mend or findings[0].next or "reconciler doctor",
    )


def _lines(findings: tuple[Finding, ...], *, colored: bool) -> list[str]:
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        level = click.style(f"{finding.level:<4}", fg=_COLORS[finding.level]) if colored else f"{finding.level:<4}"
        lines.append(f"{level}  {finding.check:<{width}}  {finding.what}".rstrip())
        if finding.level != "ok":
            lines += _told("why", finding.why) + _told("next", finding.next) + _told("mend", finding.mend)
    return lines


def _told(title: str, text: str) -> list[str]:
    first, *rest = text.splitlines() or [""]
    return [f"      {title:<5} {first}", *(f"      {'':<5} {line}" for line in rest)] if first else []

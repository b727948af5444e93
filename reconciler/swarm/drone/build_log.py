"""What a build says about itself: how far it is, and at its end why it failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from reconciler.core.packages.lines import excerpt

_BEGINS = re.compile(
    r">>> (Emerging binary|Emerging|Installing|Running pre-merge checks for) ?(?:\(\d+ of \d+\) )?(\S+)"
)
_PHASES = (
    ("fetch", re.compile(r">>> (?:Downloading|Fetching) | \* Fetching ")),
    ("unpack", re.compile(r">>> Unpacking source")),
    ("prepare", re.compile(r">>> Preparing source")),
    ("configure", re.compile(r">>> Configuring source")),
    ("compile", re.compile(r">>> Compiling source")),
    ("test", re.compile(r">>> Test phase: ")),
    ("install", re.compile(r">>> Install \S+ into ")),
    ("package", re.compile(r">>> Creating \S*pkg|>>> Building package ")),
    ("dependencies", re.compile(r"Calculating dependencies")),
)
_BY_WORD = {"Emerging binary": "fetch", "Emerging": "setup", "Installing": "merge"}


class Phases:
    """Follows the output of emerge line by line. `package` as category/name-version."""

    __slots__ = ("_rest", "package", "phase")

    def __init__(self) -> None:
        self.package = self.phase = ""
        self._rest = b""

    def take(self, data: bytes) -> bool:
        """The next piece; whether it told of another package or phase."""
        before = self.package, self.phase
        *lines, self._rest = (self._rest + data)[-65536:].split(b"\n")
        for line in lines:
            if line.startswith((b">>> ", b" * Fetching", b"Calculating")):
                self._line(line.decode("utf-8", "replace"))
        return (self.package, self.phase) != before

    def _line(self, line: str) -> None:
        if begins := _BEGINS.match(line):
            self.package = begins[2].partition("::")[0]
            self.phase = _BY_WORD.get(begins[1], "pretend")
            return
        for phase, pattern in _PHASES:
            if pattern.match(line):
                self.phase = phase
                return


_DIED = re.compile(r" \* ERROR: (\S+?)(?:::\S+)? failed(?: \((.+) phase\))?:?")
_WORDS = re.compile(r" \* +(\S.*)")
_NOT_FETCHED = re.compile(r"!!! Couldn't download '([^.].*)'\. Aborting\.")
_BY_HAND = re.compile(r"!!! (\S+) has fetch restriction turned on\.")
_COLLIDES = re.compile(r" \* Package '(\S+)' NOT merged due to file collisions")
_MASKED = re.compile(r"- (\S+?)(?:::\S+)? \(masked by: (.+)\)")
_UNRESOLVED = (
    re.compile(
        r"emerge: there are no |!!! The \S+ selected to satisfy| \* Error: |!!! Multiple package instances"
        r"|The following \S+ changes are necessary|!!! '.*' is not a valid|!!! Digest verification failed"
    ),
    re.compile(r"!!! "),
)
_BLANK = re.compile(r"\s*(?:!!!)?\s*")


def reason_of(text: str, code: int) -> str:
    """In one line why emerge ended with that exit code (negative: a signal)."""
    lines = text.split("\n")
    for find in (_died, _not_fetched, _collides, _masked, _unresolved):
        if reason := find(lines):
            return excerpt(reason)
    how = f"a signal ended emerge ({-code})" if code < 0 else f"emerge ended with {code}"
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return excerpt(f"{how}: {last}" if last else how)


def _died(lines: Sequence[str]) -> str:
    for line, following in pairwise(lines):
        if match := _DIED.match(line):
            words = _WORDS.match(following)
            phase = f" in its {match[2]} phase" if match[2] else ""
            return f"{match[1]} failed{phase}" + (f": {words[1].rstrip()}" if words else "")
    return ""


def _not_fetched(lines: Sequence[str]) -> str:
    for line in lines:
        if match := _NOT_FETCHED.match(line):
            return f"{match[1]} could not be downloaded"
        if match := _BY_HAND.match(line):
            return f"a file of {match[1]} has to be fetched by hand"
    return ""


def _collides(lines: Sequence[str]) -> str:
    found: Callable[[str], re.Match[str] | None] = _COLLIDES.match
    match = next((match for line in lines if (match := found(line))), None)
    return f"{match[1]} would overwrite files of another package on the drone" if match else ""


def _masked(lines: Sequence[str]) -> str:
    found: Callable[[str], re.Match[str] | None] = _MASKED.match
    match = next((match for line in lines if (match := found(line))), None)
    return f"{match[1]} is masked on the drone ({match[2]})" if match else ""


def _unresolved(lines: Sequence[str]) -> str:
    """The line that says so, and what belongs to it until the next gap."""
    for pattern in _UNRESOLVED:
        for number, line in enumerate(lines):
            if pattern.match(line):
                return " ".join(_paragraph(lines[number : number + 6]))
    return ""


def _paragraph(lines: Sequence[str]) -> list[str]:
    said = [_BLANK.sub("", lines[0], count=1).strip(" *")]
    for line in lines[1:]:
        if not line.strip() and len(said) > 1:
            break
        if line.strip():
            said.append(line.strip())
    return said

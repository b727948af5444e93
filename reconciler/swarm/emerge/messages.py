"""What emerge tells beside its list: why something cannot be merged, what would have to change, what it left out."""

from __future__ import annotations

import re
from typing import Literal

from reconciler.model.package import Message, Told

LONGEST = 4000
"""Characters of one message; what is beyond is cut."""

_BEGINNINGS: tuple[tuple[Told, str], ...] = (
    ("masked", r"!!! All (?:ebuilds|binary packages) that could satisfy .* have been masked"),
    ("missing", r"emerge: [Tt]here are no (?:ebuilds|binary packages|sets)\b.* to satisfy "),
    ("needs-change", r"The following (?:USE|keyword|mask|license) changes are necessary to proceed:"),
    ("required-use", r"!!! The (?:ebuild|binary package|package) selected to satisfy .* has unmet requirements"),
    ("circular", r" \* Error: circular dependencies:"),
    ("blocked", r" \* Error: The above package list contains packages which cannot be"),
    ("slot-conflict", r"!!! Multiple package instances within a single package slot have been pulled"),
    ("unresolved", r"!!! Problem (?:resolving dependencies for|in) "),
    ("ambiguous", r"!!! The short ebuild name .* is ambiguous"),
    ("invalid", r"!!! '.*' is not a valid package atom"),
    ("binhost", r"!!! (?:\[.*\] )?Error fetching binhost package info"),
    (
        "failed",
        r" \* ERROR: \S+ failed \(.* phase\)|>>> Failed to (?:emerge|install) |Traceback \(most recent call last\):",
    ),
    (
        "skipped",
        r"WARNING: One or more updates/rebuilds have been skipped|!!! The following update\S* ha\S+ been skipped",
    ),
    ("rebuilds", r"The following packages are causing rebuilds:"),
    ("other", r"!!! |WARNING: | \* E[Rr][Rr][Oo][Rr]: "),
)
_BEGINNING = re.compile("|".join(f"({pattern})" for _, pattern in _BEGINNINGS))
_END = re.compile(
    r">>> \S|Total: |Calculating |These are the |Dependency resolution |For more information|"
    r"It (?:may|might) be possible| \* Note that"
)
_GOES_ON_BEHIND_A_GAP = re.compile(r"(?:>>>)?  +\S|\(|emerge: (?:searching|Maybe)|[A-Za-z0-9_][\w+.-]*/[\w+.-]+:\S+$")


class Messages:
    """Gathers messages. One ends where the next begins, at the list, and at a gap with nothing indented behind it."""

    __slots__ = ("_began", "_done", "_gap", "_kind", "_lines", "_room")

    def __init__(self) -> None:
        self._done: list[Message] = []
        self._kind: Told | None = None
        self._began = 0
        self._gap = False
        self._lines: list[str] = []
        self._room = LONGEST

    def take(self, line: str, number: int) -> bool:
        """A line that is no part of the list; whether it is one of a message."""
        if not line.strip():
            self._gap = True
            return self._kind is not None and self._append("")
        kind = _kind(line)
        if kind and (kind != "other" or self._kind in (None, "failed") or self._gap):
            self.end()
            self._kind, self._began = kind, number
        elif self._kind is None:
            return False
        elif not kind and (_END.match(line) or (self._gap and not _GOES_ON_BEHIND_A_GAP.match(line))):
            self.end()
            return False
        self._gap = False
        return self._append(line.rstrip())

    def _append(self, line: str) -> Literal[True]:
        if self._room > 0:
            self._lines.append(line[: self._room])
            self._room -= len(line) + 1
        return True

    def end(self) -> None:
        if self._kind is not None:
            text = "\n".join(self._lines).rstrip("\n")
            self._done.append(Message(self._kind, text if self._room >= 0 else f"{text}…", self._began))
        self._kind, self._gap, self._lines, self._room = None, False, [], LONGEST

    def all(self) -> tuple[Message, ...]:
        self.end()
        return tuple(self._done)


def _kind(line: str) -> Told | None:
    beginning = _BEGINNING.match(line[:LONGEST])
    return _BEGINNINGS[(beginning.lastindex or 1) - 1][0] if beginning else None

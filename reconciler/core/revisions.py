"""Revisions as people name them, and the one to go back to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.report import Run

_HEX = re.compile(r"[0-9a-f]{7,40}")


class UnknownRevision(ReconcilerError):
    """Nothing, or more than one thing, has that name (EX_USAGE of sysexits.h)."""

    exit_code = 64


def named(text: str, known: Iterable[str]) -> str:
    """The commit (40 hex) that a person means: in full, or by its first 7 digits and more. UnknownRevision."""
    word = text.strip().lower()
    if len(word) == 40 and _HEX.fullmatch(word):
        return word
    found = {sha for sha in known if _HEX.fullmatch(word) and sha.startswith(word)}
    if len(found) == 1:
        return found.pop()
    why = f"{len(found)} commits begin like that" if found else "it is no commit that this host knows"
    raise UnknownRevision(
        "E-REVISION", f"{text!r} names no revision", why=why, next="give 40 hex digits, or the first 7 of a known one"
    )


def verified(runs: Iterable[Run]) -> tuple[str, ...]:
    """What was once verified as a whole, newest first: whatever a run began from. A narrowed one verifies nothing."""
    return tuple(dict.fromkeys(run.base for run in runs if run.base))


def before(known: Iterable[str], base: str, fit: Callable[[str], bool]) -> str:
    """Of what was `verified`, newest first, the one to go back to from `base`. Terminal when none is fit."""
    for sha in known:
        if sha != base and fit(sha):
            return sha
    raise Terminal(
        "E-ROLLBACK",
        "there is no revision to go back to",
        why="the history of this host knows of none that was verified before what runs",
        next="name one: reconciler rollback HOST SHA --reason WHY",
    )

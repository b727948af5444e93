"""Lines of a text as a person sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator

SHOWN = 200
"""Characters of a foreign line that are repeated in what we say about it."""

_ESCAPES = re.compile(
    "\x1b(?:"
    r"\[[0-9;]*[mK]"  # colours and the rest of a line; no other: a damaged one must not take text with it
    "|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)"  # the title of a window (OSC)
    ")"
)


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Lines without their ends, colours, titles and a byte order mark, and their numbers from 1, as an editor has them.

    A carriage return within a line begins another piece of the same number: nothing of the text is dropped.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        shown = _ESCAPES.sub("", line) if "\x1b" in line else line
        for piece in shown.rstrip("\r").split("\r"):
            yield number, piece


def excerpt(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

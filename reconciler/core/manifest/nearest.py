"""The known name that somebody may have meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


def near(name: str, known: Sequence[str]) -> str:
    """To stand at the end of a sentence; "" when none is close."""
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""

"""How many of something there are, as people say it."""

from __future__ import annotations


def count(number: int, one: str, many: str = "") -> str:
    """`1 image`, `2 images`; `many` where an s does not make it."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"

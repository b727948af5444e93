"""Numbers as the reasons of the swarm say them."""

from __future__ import annotations

from collections.abc import Sequence


def span(seconds: float) -> str:
    """The two largest units that say something: `45 s`, `12 min`, `7 h 56 min`."""
    minutes = round(seconds / 60)
    if round(seconds) < 120:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def memory(size: int) -> str:
    """Bytes in the largest unit of 1024 that fits."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} B"


def some(names: Sequence[str]) -> str:
    """`a, b`, and of many `a, b and 48 others`."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]} and {len(names) - 2} others"

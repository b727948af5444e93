"""Times as people say them."""

from __future__ import annotations

import time


def ago(then: float) -> str:
    return f"{span(max(0.0, time.time() - then))} ago"


def span(seconds: float) -> str:
    """The largest fitting unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"

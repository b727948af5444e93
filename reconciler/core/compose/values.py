"""Durations and sizes as Compose writes them."""

from __future__ import annotations

import re

DURATION = r"^[0-9]{1,15}(ms|s|m|h)$"
"""What our own manifests take for a duration: a part of what Compose does."""

_DURATION = re.compile(r"(?:[0-9]{1,15}(?:\.[0-9]{0,9})?(?:ns|us|µs|μs|ms|s|m|h|d|w))+")
_PART = re.compile(r"([0-9.]+)([a-zµμ]+)")
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3,
    "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_duration(text: str) -> float | None:
    """Seconds of `1m30s`, `500ms`, `1h`; None when it is no duration (a bare number is none, save 0)."""
    if text == "0":
        return 0.0
    if len(text) > 100 or not _DURATION.fullmatch(text):
        return None
    return round(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)), 9)


def pull_interval(policy: str) -> float | None:
    """Seconds of the pull policies `daily`, `weekly` and `every_<duration>`; None for every other."""
    text = {"daily": "every_1d", "weekly": "every_1w"}.get(policy, policy)
    found = re.fullmatch(r"every_((?:[0-9]{1,9}[wdhms])+)", text)
    seconds = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(int(n) * seconds[unit] for n, unit in re.findall(r"([0-9]+)([wdhms])", found[1])) if found else None


def parse_size(text: str) -> int | None:
    """Bytes of `512M`, `1gb`, `64KiB`, `1048576` (units are powers of 1024); None when it is no size."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    factor = 1024 ** _POWERS[found[2].lower()]
    return int(float(found[1]) * factor) if "." in found[1] else int(found[1]) * factor

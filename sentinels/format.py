"""The text of a sentinel: lines of `key: value`, written by programs and by people with a shell.

Presence is the meaning and the text is a courtesy, so reading never fails: what cannot be understood is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

LARGEST = 64 * 1024
_KEY = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|s|)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}


def dump(fields: Mapping[str, str]) -> bytes:
    """UTF-8 text; a value becomes one line, empty values are left out. ValueError for a key that is no key."""
    lines = []
    for key, value in fields.items():
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of a sentinel")
        if text := one_line(value):
            lines.append(f"{key}: {text}\n")
    return "".join(lines).encode("utf-8", "replace")


def parse(data: bytes) -> dict[str, str]:
    """The fields of any bytes whatever; keys in lower case, the first of two equal keys counts."""
    fields: dict[str, str] = {}
    for line in data[:LARGEST].decode("utf-8", "replace").splitlines():
        key, colon, value = line.partition(":")
        key = key.strip().lower()
        if colon and _KEY.fullmatch(key) and (text := one_line(value)):
            fields.setdefault(key, text)
    return fields


def one_line(value: str) -> str:
    """The value on one line, without control characters, at most 4000 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())[:4000].rstrip()


def stamp_of(wall: float) -> str:
    """Seconds since the epoch as `2026-11-21T12:00:00Z`; `@<seconds>` beyond what a calendar can show."""
    try:
        return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if wall >= 0 else f"@{wall:.0f}"
    except (OverflowError, ValueError, OSError):
        return f"@{wall:.0f}"


def wall_of(text: str) -> float | None:
    """The reverse of `stamp_of`, for any ISO 8601 date (UTC when it names no zone) or `@<seconds>`; else None."""
    try:
        if text.startswith("@"):
            return _finite(text[1:])
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def seconds_of(text: str) -> float | None:
    """A duration such as `90`, `90s`, `4h`, `1h30m` or `2d` in seconds; None when it is none, or not above zero."""
    compact = text.strip().lower()
    if not compact or "".join(f"{m[0]}" for m in _PART.finditer(compact)) != compact:
        return None
    try:
        total = sum(float(m[1]) * _SECONDS[m[2]] for m in _PART.finditer(compact))
    except (ValueError, OverflowError):
        return None
    return total if 0 < total < 1e12 else None


def number_of(text: str) -> float | None:
    """A plain finite number, or None."""
    try:
        return _finite(text)
    except ValueError:
        return None


def _finite(text: str) -> float:
    value = float(text)
    if not -1e15 < value < 1e15:
        raise ValueError(text)
    return value

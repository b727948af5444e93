"""Conditions and ranges of a GET (RFC 9110, 13 and 14): values in, a decision out."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII)
_DIGITS = 18
"""More say nothing that fits a file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`length` bytes from `start` on. `partial`: it was asked for as a range."""

    start: int
    length: int
    partial: bool = False


def etag_of(size: int, modified_ns: int) -> str:
    """Strong: packages are renamed into their place whole, and never written to again."""
    return f'"{modified_ns:x}-{size:x}"'


def last_modified(modified_ns: int) -> str:
    """In whole seconds, as HTTP has it and as Portage compares it."""
    return email.utils.formatdate(modified_ns // 1_000_000_000, usegmt=True)


def is_unchanged(headers: Mapping[str, str], etag: str, modified_ns: int) -> bool:
    """Whether to answer 304. If-None-Match makes If-Modified-Since of no account (13.1.3)."""
    if (tags := headers.get("if-none-match")) is not None:
        return tags.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    since = _moment(headers.get("if-modified-since"))
    return since is not None and modified_ns // 1_000_000_000 <= since


def piece_of(headers: Mapping[str, str], size: int, etag: str, modified_ns: int) -> Piece | None:
    """What to send; None for a range beyond the end (416). Several ranges, and what is none, are the whole (14.2)."""
    whole = Piece(0, size)
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if asked is None or not (asked[1] or asked[2]) or len(asked[1]) > _DIGITS or len(asked[2]) > _DIGITS:
        return whole
    if not _is_still(headers.get("if-range"), etag, modified_ns):
        return whole
    if not asked[1]:  # the last n bytes
        length = min(int(asked[2]), size)
        return Piece(size - length, length, partial=True) if length else None
    start, last = int(asked[1]), int(asked[2]) if asked[2] else size - 1
    if asked[2] and last < start:
        return whole
    return Piece(start, min(last, size - 1) - start + 1, partial=True) if start < size else None


def _is_still(condition: str | None, etag: str, modified_ns: int) -> bool:
    """If-Range: the same, or begin anew (13.1.5); a date has to be the very one."""
    if condition is None:
        return True
    if condition.lstrip().startswith(('"', "W/")):
        return condition.strip() == etag
    return _moment(condition) == modified_ns // 1_000_000_000


def _moment(text: str | None) -> int | None:
    try:
        parsed = email.utils.parsedate_to_datetime(text) if text else None
        return int(parsed.timestamp()) if parsed else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

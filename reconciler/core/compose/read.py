"""Typed readers: take the value under a key (or index) of a positioned collection, or say what is wrong with it.

Text from interpolation is cast where Compose casts it: `read_only: ${RO}` may say "true".
"""

from __future__ import annotations

import math
import re
from typing import Any

from reconciler.core.compose.problems import FromHost, bad_value, fail, want_map
from reconciler.core.compose.values import parse_duration, parse_size
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import every
from reconciler.core.scalars import spell
from reconciler.errors import Position
from reconciler.model.desired import Pairs

_TRUE = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y", "1"))
_FALSE = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N", "0"))
_WORDS = _TRUE | _FALSE
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_REAL = re.compile(r"[0-9]{1,15}(\.[0-9]{0,12})?|\.[0-9]{1,12}")


def place(holder: Map | Seq, key: Any) -> Position:
    return holder.at(key)


def text(holder: Map | Seq, key: Any) -> str:
    """A string; numbers and booleans are refused as Compose refuses them."""
    value = holder[key]
    if not isinstance(value, str):
        advice = f'put it in quotes: "{spell(value)}"' if isinstance(value, (int, float)) else ""
        bad_value(place(holder, key), key, value, "text", next=advice)
    if "\0" in value:
        fail("E-COMPOSE-VALUE", f"{key}: a NUL character is not allowed", place(holder, key))
    return value


def filled(holder: Map | Seq, key: Any) -> str:
    """Text that is not empty."""
    value = text(holder, key)
    if not value:
        bad_value(place(holder, key), key, value, "usable: it is empty", next="give it a value, or remove the key")
    return value


def spelled(holder: Map | Seq, key: Any) -> str:
    """Any scalar, as the text that Compose makes of it."""
    value = holder[key]
    if isinstance(value, str):
        return text(holder, key)
    if value is not None and not isinstance(value, (int, float)):
        bad_value(place(holder, key), key, value, "text or a number")
    return spell(value)


def boolean(holder: Map | Seq, key: Any) -> bool:
    value = holder[key]
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in _WORDS:
        bad_value(place(holder, key), key, value, "true or false")
    return value in _TRUE


def whole(holder: Map | Seq, key: Any, least: int = 0, most: int = 2**63 - 1) -> int:
    value = holder[key]
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        limits = f" of at least {least}" if most > 2**62 else f" from {least} to {most}"
        bad_value(place(holder, key), key, holder[key], f"a whole number{limits}")
    return int(value)


def real(holder: Map | Seq, key: Any) -> float:
    """A number of at least 0, also as text (`cpus: "0.5"`)."""
    value = holder[key]
    if isinstance(value, str) and _REAL.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        bad_value(place(holder, key), key, holder[key], "a number of at least 0")
    return float(value)


def size(holder: Map | Seq, key: Any) -> int:
    """Bytes."""
    value = holder[key]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    amount = parse_size(value) if isinstance(value, str) else None
    if amount is None:
        bad_value(place(holder, key), key, value, "a size", next="write 512M, 1gb or a number of bytes")
    return amount


def duration(holder: Map | Seq, key: Any) -> float:
    """Seconds."""
    value = holder[key]
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds is None:
        advice = f"write the unit: {spell(value)}s" if isinstance(value, int) else "write 30s, 1m30s, 500ms or 1h"
        bad_value(place(holder, key), key, value, "a duration", next=advice)
    return seconds


def choice(holder: Map | Seq, key: Any, allowed: tuple[str, ...]) -> str:
    value = text(holder, key)
    if value not in allowed:
        bad_value(place(holder, key), key, value, f"one of {', '.join(allowed)}")
    return value


def strings(holder: Map | Seq, key: Any) -> tuple[str, ...]:
    """A list of text."""
    items = holder[key]
    if not isinstance(items, Seq):
        bad_value(place(holder, key), key, items, "a list")
    return tuple(every(text, items, range(len(items))))


def unique_strings(holder: Map | Seq, key: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(strings(holder, key)))


def one_or_many(holder: Map | Seq, key: Any) -> tuple[str, ...]:
    """Text or a list of text, as a tuple."""
    return (text(holder, key),) if isinstance(holder[key], str) else strings(holder, key)


def spelled_list(holder: Map | Seq, key: Any) -> tuple[str, ...]:
    """A list of text or numbers."""
    items = holder[key]
    if not isinstance(items, Seq):
        bad_value(place(holder, key), key, items, "a list")
    return tuple(every(spelled, items, range(len(items))))


def pairs_or_none(holder: Map | Seq, key: Any) -> dict[str, str | None]:
    """A mapping, or a list of `NAME=value` and `NAME`; a value that is not given is None."""
    given = holder[key]
    if isinstance(given, Map):
        return dict(zip(given, every(_spelled_or_none, given, given), strict=True))
    if not isinstance(given, Seq):
        bad_value(place(holder, key), key, given, "a mapping or a list")
    return dict(every(_pair, given, range(len(given))))


def _spelled_or_none(given: Map, name: str) -> str | None:
    return None if given[name] is None else spelled(given, name)


def _pair(given: Seq, index: int) -> tuple[str, str | None]:
    whole_text = text(given, index)
    name, sign, value = whole_text.partition("=")
    if not name:
        bad_value(given.at(index), index, whole_text, "NAME=value")
    return name, keep_seal(whole_text, value) if sign else None


def pairs(holder: Map | Seq, key: Any) -> Pairs:
    """As `pairs_or_none`, sorted, a missing value being empty."""
    return tuple(sorted((name, value or "") for name, value in pairs_or_none(holder, key).items()))


def mapping_pairs(holder: Map | Seq, key: Any) -> Pairs:
    """A mapping of scalars (not a list), sorted."""
    given = want_map(holder[key], place(holder, key), str(key))
    return tuple(sorted(zip(given, every(spelled, given, given), strict=True)))


def keep_seal(origin: str, part: str) -> str:
    """A part of a text, hidden in messages when the whole is."""
    return FromHost(part) if isinstance(origin, FromHost) else part

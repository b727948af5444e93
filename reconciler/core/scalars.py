"""What a plain YAML scalar means: the YAML 1.2 core schema as Compose's own parser (go-yaml v3) reads it.

Only true/false are booleans, `22:22` and dates stay strings, `0644` is octal.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}  # fmt: skip
_FIRST = frozenset("+-.0123456789")
_INTEGERS = (
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]{1,16}"), 16),
    (re.compile(r"[-+]?0[oO][0-7]{1,22}"), 8),
    (re.compile(r"[-+]?0[bB][01]{1,64}"), 2),
    (re.compile(r"[-+]?0[0-7]{1,22}"), 8),
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,19})"), 10),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1


def resolve(text: str) -> Scalar:
    """The value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST:
        return text
    bare = text.replace("_", "")
    whole = _integer(bare)
    if whole is not None:
        return whole
    real = _real(bare)
    return text if real is None else real


def _integer(text: str) -> int | None:
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(text):
            value = int(text, base) if base != 8 else _octal(text)
            return value if _LOWEST <= value <= _HIGHEST else None
    return None


def _octal(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    return sign * int(text.lstrip("+-0").lstrip("oO") or "0", 8)


def _real(text: str) -> float | None:
    if not _FLOAT.fullmatch(text):
        return None
    value = float(text)
    return None if math.isinf(value) else value


def spell(value: Scalar) -> str:
    """The text Compose makes of a scalar where it wants a string (labels, environment): Go's `%v`, null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _spell_real(value)
    return str(value)


def _spell_real(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if 1e-4 <= abs(value) < 1e21:
        return f"{value:.0f}" if value.is_integer() else repr(value) if "e" not in repr(value) else f"{value:f}"
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent}"

"""Versions of packages: what is one (PMS 3.2), which is newer (3.3), and where a name ends and one begins (3.1)."""

from __future__ import annotations

import re

Number = tuple[int, str]
"""A whole number of any length as its digits, in the order of its value: text is never turned into an integer here."""

Ranked = tuple[int, int, str]

VersionKey = tuple[Number, tuple[Ranked, ...], str, tuple[Ranked, ...], Number]
"""Sorts as PMS 3.3 compares."""

_CATEGORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+_.-]*")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+_-]*")
_VERSION = re.compile(
    r"([0-9]+)((?:\.[0-9]+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|p)[0-9]*)*)(?:-r([0-9]+))?",
)
_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)")
_RANK = {"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "p": 1}
_NO_MORE_SUFFIXES: Ranked = (0, 0, "")
"""Stands behind the last suffix: above _rc, below _p."""


def is_category(text: str) -> bool:
    return _CATEGORY.fullmatch(text) is not None


def is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """A package's name must not end as if it had a version (PMS 3.1.2), or nobody could tell them apart."""
    return _NAME.fullmatch(text) is not None and _split(text) is None


def split_cpv(text: str) -> tuple[str, str, str] | None:
    """(category, name, version) of `app-misc/foo-1.1-r2`; None for what is no such thing."""
    category, _, rest = text.partition("/")
    if not is_category(category) or (parts := _split(rest)) is None:
        return None
    name, version = parts
    return (category, name, version) if is_name(name) else None


def _split(text: str) -> tuple[str, str] | None:
    """At the hyphen before the version; the name is not looked at."""
    name, hyphen, version = text.rpartition("-")
    if version[:1] == "r" and version[1:].isdecimal():
        name, hyphen, bare = name.rpartition("-")
        version = f"{bare}-{version}"
    return (name, version) if hyphen and is_version(version) else None


def version_key(version: str) -> VersionKey:
    """What to sort versions by. Raises ValueError for what is none."""
    if (match := _VERSION.fullmatch(version)) is None:
        raise ValueError(f"not a version: {version!r}")
    first, rest, letter, suffixes, revision = match.groups(default="")
    return (
        _number(first),
        tuple(_component(digits) for digits in rest.split(".")[1:]),
        letter,
        (*((_RANK[kind], *_number(digits)) for kind, digits in _SUFFIX.findall(suffixes)), _NO_MORE_SUFFIXES),
        _number(revision),
    )


def compare(one: str, other: str) -> int:
    """-1, 0 or 1: whether `one` is older than, as old as, or newer than `other`. Raises ValueError for what is none."""
    left, right = version_key(one), version_key(other)
    return (left > right) - (left < right)


def _number(digits: str) -> Number:
    digits = digits.lstrip("0")
    return len(digits), digits


def _component(digits: str) -> Ranked:
    """A number behind a dot. One with a zero in front is compared as text without its last zeros (algorithm 3.3), by
    which it is always below those that have none."""
    if digits[0] == "0":
        return 0, 0, digits.rstrip("0")
    return 1, *_number(digits)

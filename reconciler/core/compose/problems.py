"""How a Compose file is told that it is wrong: one small function per kind of mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, NoReturn

from reconciler.core.document import Map, Seq, Tagged, shorten
from reconciler.core.mistakes import Mistakes
from reconciler.errors import BadConfiguration, Position


class FromHost(str):
    """Text that holds a value from a file of the host (often a secret): never shown, and it seals its service."""

    __slots__ = ()


class Unfilled(str):
    """Text whose variables could not be filled in, which was told; nothing is concluded from it."""

    __slots__ = ()


class LacksHostValue(BadConfiguration):
    """A variable or an env file is not in git; a host may have it."""


def show(value: object) -> str:
    """A value as a message may show it."""
    if isinstance(value, FromHost):
        return "(a value from the host)"
    if isinstance(value, Map):
        return "a mapping"
    if isinstance(value, Seq):
        return "a list"
    if isinstance(value, Tagged):
        return f"!{value.tag}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(shorten(value)) if isinstance(value, str) else str(value)


def fail(code: str, what: str, at: Position, why: str = "", next: str = "") -> NoReturn:
    raise BadConfiguration(code, what, why=why, next=next, at=at)


def bad_value(at: Position, name: object, value: object, wanted: str, next: str = "") -> NoReturn:
    label = f"item {name + 1}" if isinstance(name, int) else str(name)
    fail("E-COMPOSE-VALUE", f"{label}: {show(value)} is not {wanted}", at, next=next)


def unsupported(at: Position, what: str, next: str = "", why: str = "") -> NoReturn:
    fail(
        "E-COMPOSE-UNSUPPORTED",
        f"{what} is not supported",
        at,
        why=why or "the Compose specification has it, reconciler does not; nothing is dropped in silence",
        next=next or "remove it",
    )


def check_keys(given: Map, known: Iterable[str], where: str, refused: dict[str, str] | None = None) -> None:
    """Refuse keys that are not of the specification (naming the nearest), and those that are but are not supported."""
    allowed = known if isinstance(known, (frozenset, dict)) else frozenset(known)
    wrong = [key for key in given if key not in allowed and not key.startswith("x-")]
    if not wrong:
        return
    with Mistakes() as mistakes:
        for key in wrong:
            mistakes.of(_refuse_key, given, key, allowed, where, refused or {})


def _refuse_key(given: Map, key: str, allowed: Iterable[str], where: str, refused: dict[str, str]) -> NoReturn:
    if key in refused:
        unsupported(given.key_at(key), f"{key!r} in {where}", next=refused[key])
    near = difflib.get_close_matches(key, [*allowed, *refused], 1)
    fail(
        "E-COMPOSE-KEY",
        f"unknown key {shorten(key)!r} in {where}",
        given.key_at(key),
        why="a key that nobody reads would be a wish that nobody fulfils",
        next=f"did you mean {near[0]!r}?" if near else "remove it, or name it x-...",
    )


def demand(given: Map, known: frozenset[str], what: str, key: str) -> bool:
    """Whether the key is there; `what` is wrong when it is not. A misspelt one is named as such, and only so."""
    if key in given:
        return True
    if not misspelt(given, known, key):
        fail("E-COMPOSE-VALUE", what, given.position)
    return False


def misspelt(given: Map, known: Iterable[str], *keys: str) -> bool:
    """Whether one of the keys is there in a spelling that nobody knows."""
    strange = (key for key in given if key not in known)
    return any(difflib.get_close_matches(key, keys, 1) for key in strange)


def want_map(value: Any, at: Position, where: str) -> Map:
    if not isinstance(value, Map):
        fail("E-COMPOSE-VALUE", f"{where} must be a mapping, not {show(value)}", at)
    return value


def want_seq(value: Any, at: Position, where: str) -> Seq:
    if not isinstance(value, Seq):
        fail("E-COMPOSE-VALUE", f"{where} must be a list, not {show(value)}", at)
    return value

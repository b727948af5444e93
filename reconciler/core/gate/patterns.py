"""The patterns of a workflow's filters, in the language that GitHub documents (filter pattern cheat sheet).

`*` is any text without a slash, `**` any text, `?` and `+` repeat what is before them, `[a-z]` is one of, `\\` takes
the meaning away, and `!` in front takes out what an earlier pattern let in. Matching walks the text once with the set
of places in the pattern that are possible, so that no pattern of a commit can make a pass slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

_CLASS = re.compile(r"\[((?:[A-Za-z0-9]-[A-Za-z0-9]|[^\]\[!^\\-])+)\]")
_RANGE = re.compile(r"([A-Za-z0-9])-([A-Za-z0-9])")


class UnknownPattern(ValueError):
    """It is not in the documented language; nobody can say what it matches."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One character that `fits`; `leaps`: how many steps may be left out from here on; `stays`: it may come again."""

    fits: Callable[[str], bool]
    leaps: tuple[int, ...] = ()
    stays: bool = False


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern (without its `!`) fits the whole text. UnknownPattern."""
    steps = _steps(pattern)
    here = _with_leaps({0}, steps)
    for character in text:
        went = [at for at in here if at < len(steps) and steps[at].fits(character)]
        here = _with_leaps({at + 1 for at in went} | {at for at in went if steps[at].stays}, steps)
    return len(steps) in here


def lets_in(patterns: Sequence[str], text: str) -> bool:
    """Whether the last pattern that fits is one without `!`. UnknownPattern."""
    inside = False
    for pattern in patterns:
        taken_out = pattern.startswith("!")
        if inside == taken_out and matches(pattern.removeprefix("!"), text):
            inside = not taken_out
    return inside


def _with_leaps(places: set[int], steps: Sequence[_Step]) -> set[int]:
    found: set[int] = set()
    waiting = list(places)
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += [at + leap for leap in (steps[at].leaps if at < len(steps) else ())]
    return found


def _steps(pattern: str) -> list[_Step]:
    steps: list[_Step] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**", at):
            whole_folders = pattern.startswith("/", at + 2) and (at == 0 or pattern[at - 1] == "/")
            steps += [_Step(_nothing, (1, 3))] if whole_folders else []  # `**/` may be no folder at all
            steps.append(_Step(_anything, (1,), stays=True))
            at += 2
        elif pattern[at] in "?+":
            steps[-1:] = [_repeated(steps, pattern[at])]
            at += 1
        else:
            step, length = _one(pattern, at)
            steps.append(step)
            at += length
    return steps


def _one(pattern: str, at: int) -> tuple[_Step, int]:
    """The step that begins at `at`, and how many characters of the pattern it is."""
    match pattern[at]:
        case "*":
            return _Step(_no_slash, (1,), stays=True), 1
        case "[":
            found = _CLASS.match(pattern, at)
            if not found:
                raise UnknownPattern(f"{pattern!r} has brackets that are not understood")
            return _Step(_members(found[1]).__contains__), len(found[0])
        case "\\":
            if at + 1 == len(pattern):
                raise UnknownPattern(f"{pattern!r} ends with a backslash")
            return _Step(pattern[at + 1].__eq__), 2
        case character:
            return _Step(character.__eq__), 1


def _members(inside: str) -> frozenset[str]:
    """The characters of `a-z0_`: ranges first, then single ones."""
    ranges = _RANGE.findall(inside)
    spans = (map(chr, range(ord(first), ord(last) + 1)) for first, last in ranges)
    return frozenset(character for span in spans for character in span) | frozenset(_RANGE.sub("", inside))


def _repeated(steps: Sequence[_Step], sign: str) -> _Step:
    if not steps:
        raise UnknownPattern(f"nothing stands before {sign!r}")
    if sign == "+":
        return replace(steps[-1], stays=True)
    return replace(steps[-1], leaps=(*steps[-1].leaps, 1))


def _anything(_character: str) -> bool:
    return True


def _nothing(_character: str) -> bool:
    return False


def _no_slash(character: str) -> bool:
    return character != "/"

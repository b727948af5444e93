"""What is wrong with a document: what stands where, what is wanted there, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from reconciler.core.compose.problems import show
from reconciler.core.manifest.kinds import Kind, example, kind_of, wanted
from reconciler.core.manifest.nearest import near
from reconciler.core.positioned import Map, Seq
from reconciler.core.scalars import spell
from reconciler.errors import BadConfiguration, Position


@dataclass(frozen=True, slots=True)
class _Spot:
    """A place in a document, and what is wanted there. `is_key`: it is about the last key of the path itself."""

    path: tuple[str | int, ...]
    kind: Kind
    is_key: bool = False

    @property
    def name(self) -> str:
        return ".".join(map(str, self.path))


def complaints(
    model: type[BaseModel], errors: Sequence[Mapping[str, Any]], raw: Map, file: str
) -> list[BadConfiguration]:
    """One for each place, in the order of the file. `errors`: those of pydantic, of which only places are taken."""
    found: dict[tuple[str, bool], BadConfiguration] = {}
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    for error in errors:
        spot = _spot(kind_of(model), error["loc"])
        if not _misspelt(error, unknown):  # of a union each branch complains, of one and the same place
            found.setdefault((spot.name, spot.is_key), _complaint(error, spot, _place(raw, spot.path, file)))
    return sorted(found.values(), key=lambda each: each.at or Position(file))


def _complaint(error: Mapping[str, Any], spot: _Spot, at: Position) -> BadConfiguration:
    key = spot.path[-1] if spot.path else ""
    if error["type"] == "extra_forbidden":
        return BadConfiguration(
            "E-MANIFEST-KEY",
            f"unknown key {key!r}",
            why=f"known here: {', '.join(spot.kind.fields)}{near(str(key), list(spot.kind.fields))}",
            next="mend or remove it; `reconciler schema` prints what there is",
            at=at,
        )
    if error["type"] == "missing":
        why, advice = f"it is {wanted(spot.kind)}, and has no default", f"add {key}: {example(spot.kind)}"
        return BadConfiguration("E-MANIFEST-VALUE", f"{spot.name} is missing", why=why, next=advice, at=at)
    if spot.is_key:
        what = f"{'.'.join(map(str, spot.path[:-1]))}: the name {show(key)} is not {wanted(spot.kind)}"
        return BadConfiguration("E-MANIFEST-VALUE", what, next=f"write, for example: {example(spot.kind)}", at=at)
    empty = error["type"] in ("too_short", "string_too_short")
    wrong = "it is empty" if empty else f"{_shown(error['input'])} is not {wanted(spot.kind)}"
    what = f"{spot.name or 'the document'}: {wrong}"
    written = f"{key}: " if isinstance(key, str) and key else ""
    return BadConfiguration("E-MANIFEST-VALUE", what, next=_instead(error["input"], spot.kind, written), at=at)


def _instead(value: Any, kind: Kind, key: str) -> str:
    if isinstance(value, str) and (close := get_close_matches(value, kind.choices, 1)):
        return f"did you mean {close[0]!r}?"
    if kind.bare is str and not kind.says and isinstance(value, (int, float)):
        return f'put it in quotes: {key}"{spell(value)}"'
    return f"write, for example: {key}{example(kind)}"


def _shown(value: Any) -> str:
    if value or not isinstance(value, (str, Map, Seq)):
        return show(value)
    return "an empty text" if value == "" else f"an empty {'mapping' if isinstance(value, Map) else 'list'}"


def _spot(kind: Kind, location: Sequence[str | int]) -> _Spot:
    """Follows a location of pydantic's: keys and indices, and in between the names of branches of unions."""
    path: list[str | int] = []
    above = union = kind
    for part in location:
        if part == "[key]":
            return _Spot(tuple(path), above.key, is_key=True)
        if kind.branches:
            union, kind = kind, next((each for each in kind.branches if each.tag == part), kind.branches[0])
            continue
        path.append(part)
        above, kind = kind, kind.below(part)
        union = kind
    return _Spot(tuple(path), union)


def _misspelt(error: Mapping[str, Any], unknown: Sequence[Sequence[str | int]]) -> bool:
    """A misspelt key is a missing one as well; its own spelling tells more."""
    location = error["loc"]
    beside = [str(other[-1]) for other in unknown if other[:-1] == location[:-1]]
    return error["type"] == "missing" and bool(get_close_matches(str(location[-1]), beside, 1))


def _place(raw: Map, path: Sequence[str | int], file: str) -> Position:
    """The key itself where the document has it, else the nearest thing around it."""
    here: Any = raw
    at = raw.position if raw else Position(file)
    for part in path:
        if isinstance(here, Map) and part in here:
            at, here = here.key_at(str(part)), here[str(part)]
        elif isinstance(here, Seq) and isinstance(part, int) and part < len(here):
            at, here = here.at(part), here[part]
        else:
            break
    return at

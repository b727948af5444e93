"""Values read from a file that still know where they stood, so that a later error can name the line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from reconciler.errors import Position

Place = tuple[str, int, int]
"""File, line, column. A plain tuple: thousands are made per file, and few ever become a `Position`."""

NOWHERE: Place = ("", 0, 0)


class Map(dict[str, Any]):
    """A mapping with the place of itself, of each key and of each value."""

    __slots__ = ("key_places", "place", "places")

    def __init__(self, place: Place = NOWHERE) -> None:
        super().__init__()
        self.place = place
        self.places: dict[str, Place] = {}
        self.key_places: dict[str, Place] = {}

    @property
    def position(self) -> Position:
        return Position(*self.place)

    def put(self, key: str, value: Any, place: Place, key_place: Place | None = None) -> None:
        self[key] = value
        self.places[key] = place
        self.key_places[key] = key_place or place

    def take(self, other: Map, key: str) -> None:
        """Copy one entry of `other`, with its places."""
        self.put(key, other[key], other.places[key], other.key_places[key])

    def drop(self, key: str) -> None:
        del self[key], self.places[key], self.key_places[key]

    def at(self, key: str) -> Position:
        """Where the value of `key` stands (where the mapping stands, when there is no such key)."""
        return Position(*self.places.get(key, self.place))

    def key_at(self, key: str) -> Position:
        """Where `key` itself stands."""
        return Position(*self.key_places.get(key, self.place))

    def item_at(self, key: str, index: int) -> Position:
        """Where an item of the sequence under `key` stands (where the mapping stands, when there is none)."""
        items = self.get(key)
        return items.at(index) if isinstance(items, Seq) and index < len(items) else self.position

    def copy(self) -> Map:
        """A shallow copy with all places."""
        twin = Map(self.place)
        dict.update(twin, self)
        twin.places = dict(self.places)
        twin.key_places = dict(self.key_places)
        return twin

    def child(self, key: str) -> Map:
        """The mapping under `key`; an empty one, at the same place, when there is none or it is null."""
        value = self.get(key)
        return value if isinstance(value, Map) else Map(self.places.get(key, self.place))


class Seq(list[Any]):
    """A sequence with the place of itself and of each item."""

    __slots__ = ("place", "places")

    def __init__(self, place: Place = NOWHERE, items: Iterable[tuple[Any, Place]] = ()) -> None:
        super().__init__()
        self.place = place
        self.places: list[Place] = []
        for value, where in items:
            self.add(value, where)

    @property
    def position(self) -> Position:
        return Position(*self.place)

    def add(self, value: Any, place: Place) -> None:
        self.append(value)
        self.places.append(place)

    def at(self, index: int) -> Position:
        """Where the item stands."""
        return Position(*self.places[index])

    def copy(self) -> Seq:
        """A shallow copy with all places."""
        return Seq(self.place, zip(self, self.places, strict=True))


class Tagged:
    """A value under `!reset` (forget what was inherited) or `!override` (replace it instead of merging)."""

    __slots__ = ("place", "tag", "value")

    def __init__(self, tag: Literal["reset", "override"], value: Any, place: Place) -> None:
        self.tag = tag
        self.value = value
        self.place = place

    @property
    def position(self) -> Position:
        return Position(*self.place)

    def __repr__(self) -> str:
        return f"Tagged({self.tag!r}, {self.value!r})"

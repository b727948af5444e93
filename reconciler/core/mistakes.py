"""Everything that is wrong is told, not only the first of it: each part of a thing is tried by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from reconciler.core.positioned import Map
from reconciler.errors import BadConfiguration, ReconcilerError, SeveralMistakes

MOST = 300
"""Mistakes after which nobody looks for more: time and memory stay bounded, whatever a file holds."""

P = ParamSpec("P")
T = TypeVar("T")
Reader = Callable[[Map, str], Any]


class Mistakes:
    """Tries the parts of one thing. As a `with` block it raises at its end whatever was wrong with any of them."""

    def __init__(self) -> None:
        self.found: list[ReconcilerError] = []

    def of(self, work: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> T | None:
        """What `work` returns; None when something is wrong, which is kept. BadConfiguration when it is too much."""
        try:
            return work(*given, **named)
        except BadConfiguration as error:
            self.found += error.each
        if len(self.found) >= MOST:
            raise together(self.found)
        return None

    def given(self, readers: Mapping[str, Reader], holder: Map) -> dict[str, Any]:
        """What the readers make of those of their keys that have a value."""
        return self._read({key: reader for key, reader in readers.items() if holder.get(key) is not None}, holder)

    def written(self, readers: Mapping[str, Reader], holder: Map) -> dict[str, Any]:
        """The same of the keys that are there, also with no value."""
        return self._read({key: reader for key, reader in readers.items() if key in holder}, holder)

    def _read(self, readers: Mapping[str, Reader], holder: Map) -> dict[str, Any]:
        """A key whose value is wrong is left out."""
        found: dict[str, Any] = {}
        for key, reader in readers.items():
            try:
                found[key] = reader(holder, key)
            except BadConfiguration as error:
                self.found += error.each
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        last = error.each if isinstance(error, BadConfiguration) else ()
        if self.found and (error is None or last) and last != tuple(self.found):
            raise together([*self.found, *last]) from None


def together(mistakes: Sequence[ReconcilerError]) -> ReconcilerError:
    """One error for all of them (at least one); what was met twice is told once."""
    found = tuple({f"{mistake}": mistake for mistake in reversed(mistakes)}.values())[::-1]
    return found[0] if len(found) == 1 else SeveralMistakes(found)


def every(work: Callable[[Any, Any], T], holder: Any, keys: Iterable[Any]) -> list[T]:
    """`work(holder, key)` for each key; what is wrong with any of them is raised together at the end."""
    made: list[T] = []
    found: list[ReconcilerError] = []
    for key in keys:
        try:
            made.append(work(holder, key))
        except BadConfiguration as error:
            found += error.each
            if len(found) >= MOST:
                break
    if found:
        raise together(found)
    return made

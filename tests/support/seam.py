"""A seam around every port: a pass can be cut before and after each of its effects.

Nothing that lasts happens between the end of one effect and the beginning of the next, so dying before each
effect, and after the last, covers every state that one thread can leave behind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from threading import Lock
from typing import Any, NoReturn


class Died(BaseException):
    """The process is gone: no handler of the product may treat it as an error."""


def unwatched(_point: str) -> None:
    """Nobody looks."""


def die(point: str) -> NoReturn:
    raise Died(point)


class Seam:
    """`trace`: the points that were passed. The `at`th, or the first that begins so, is the last: there `end` is
    called, and nothing passes again.

    `look` is called at every point, from whichever thread is there, and may complain.
    """

    def __init__(
        self,
        at: int | str | None = None,
        *,
        look: Callable[[str], None] = unwatched,
        end: Callable[[str], NoReturn] = die,
    ) -> None:
        self.trace: list[str] = []
        self._at, self._look, self._end = at, look, end
        self._cut = False
        self._lock = Lock()

    def wrap(self, name: str, port: Any) -> Any:
        return _Seamed(self, name, port)

    def at(self, point: str) -> None:
        """Pass, or die here."""
        with self._lock:
            if self._cut:
                raise Died(point)
            self._look(point)
            self.trace.append(point)
            if self._at in (len(self.trace) - 1, point[: len(str(self._at))]):
                self._cut = True
                self._end(point)


class _Seamed:
    """A port whose effects pass the seam; everything else goes straight through."""

    def __init__(self, seam: Seam, name: str, port: Any) -> None:
        self._seam, self._name, self._port = seam, name, port

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if method not in self._port.EFFECTS:
            return found

        @functools.wraps(found)
        def effect(*given: Any, **named: Any) -> Any:
            point = " ".join([f"{self._name}.{method}", *(word[:40] for word in given if isinstance(word, str))])
            self._seam.at(f"before {point}")
            try:
                return found(*given, **named)
            finally:
                self._seam.at(f"after {point}")

        return effect

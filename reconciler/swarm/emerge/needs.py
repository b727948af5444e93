"""Who needs whom, out of what `emerge -p --debug` prints.

A tree shows every package once, below one of those that need it; that others need it, too, only the debug output says:
after each `Priority:` the `Child:` that serves a dependency, then the `Parent Dep:` that names who asked for it.
"""

from __future__ import annotations

import re

from reconciler.model.package import Edge

_CHILD = re.compile(r"Child: +\(([^\s:,()]+):")
_PARENT = re.compile(r"Parent Dep: .*required by \(([^\s:,()]+):")
_PRIORITY = re.compile(r"Priority: +(\w+)")
_LATER = ("optional", "runtime_post")
"""What these ask for may be built afterwards; as a need it would close circles that are none."""


class NeedsReader:
    """Takes the output line by line; `take` gives an edge where one is complete."""

    def __init__(self) -> None:
        self._child, self._later = "", False

    @staticmethod
    def knows(line: str) -> bool:
        return line.startswith(("Priority: ", "Child: ", "Parent Dep: "))

    def take(self, line: str) -> Edge | None:
        line = line.strip()
        if priority := _PRIORITY.match(line):
            self._later = priority[1] in _LATER
        elif child := _CHILD.match(line):
            self._child = child[1]
        elif self._child and (parent := _PARENT.match(line)):
            needed, self._child = self._child, ""
            if not self._later and parent[1] != needed:
                return Edge(parent[1], needed)
        return None


class Needs:
    """The same out of a stream, however long it is: each edge once, as lines that `read_listing` takes."""

    def __init__(self) -> None:
        self._reader = NeedsReader()
        self._rest = b""
        self._edges: dict[Edge, None] = {}

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if edge := self._reader.take(line.decode("utf-8", "replace")):
                self._edges[edge] = None

    def text(self) -> str:
        return "".join(
            f"Child: ({edge.dependency}:)\nParent Dep: required by ({edge.parent}:)\n" for edge in self._edges
        )

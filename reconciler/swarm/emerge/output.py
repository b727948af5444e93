"""What `emerge -p` printed, read: packages, what needs what, what emerge told. Text in, values out, nothing guessed.

It need not be `-p`: the list that a run prints before it starts, several lists one behind the other, output and errors
mixed, and colours are read as well. A list with errors is a list: an exit status of 1 is normal for it.
"""

from __future__ import annotations

import re

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.lines import excerpt, numbered
from reconciler.model.package import Block, Edge, Listed, Listing, Problem
from reconciler.swarm.emerge.line import read_line
from reconciler.swarm.emerge.messages import Messages
from reconciler.swarm.emerge.needs import NeedsReader

_HEAD = re.compile(r"These are the packages that would be (?:merged|built|fetched)(, in reverse order)?")
_INDENT = re.compile(r"[^\]]{0,200}\] ( {0,200})")
_OPERATORS = ("<", ">", "=", "~")


def read_listing(text: str) -> Listing:
    """All lines of a text. What looks like a part of the list and is not understood is in `problems`, and why.

    Edges are those of the indentation, where a package stands above what it needs, and those that `--debug` tells:
    a tree shows a package once, however many need it. Takes time in proportion to the text.
    """
    reader = _Reader()
    for number, line in numbered(text):
        reader.take(line, number)
    return reader.listing()


class _Reader:
    """The lines so far. `above`: by depth, what the next one may stand below; None for what makes no edge."""

    def __init__(self) -> None:
        self.entries: list[Listed] = []
        self.blocks: list[Block] = []
        self.edges: dict[Edge, None] = {}
        self.problems: list[Problem] = []
        self.messages = Messages()
        self.needs = NeedsReader()
        self.above: list[Listed | None] = []
        self.tree = False

    def take(self, line: str, number: int) -> None:
        if self.needs.knows(line):
            self.messages.end()
            if edge := self.needs.take(line):
                self.edges[edge] = None
            return
        try:
            found = read_line(line, number)
        except ValueError as error:
            self.messages.end()
            self._report(number, line, str(error))
            self._stands_at(_depth(line), None)
            return
        if found is None:
            self._beside_the_list(line, number)
            return
        self.messages.end()
        if found.depth > len(self.above):
            self._report(
                number, line, f"it is indented by {found.depth}, and nothing stands above it at {found.depth - 1}"
            )
        if isinstance(found, Block):
            self.blocks.append(found)
            self._stands_at(found.depth, None)
        else:
            self.entries.append(found)
            self._stands_at(found.depth, found)

    def _stands_at(self, depth: int, found: Listed | None) -> None:
        """What stands below a block goes away because of it: nothing is built for that, so it makes no edge."""
        self.tree = self.tree or depth > 0
        del self.above[depth:]
        self.above += [None] * (depth - len(self.above))
        parent = self.above[-1] if self.above else None
        if parent and found and parent.package.cpv != found.package.cpv:
            self.edges[Edge(parent.package.cpv, found.package.cpv)] = None
        self.above.append(found)

    def _beside_the_list(self, line: str, number: int) -> None:
        if head := _HEAD.match(line):
            self.above = []
            self.tree = self.tree or head[1] is not None
        if not self.messages.take(line, number) and line[:1] in _OPERATORS and _is_atom(line):
            self._report(number, line, "an atom amid the output of emerge: it belongs into a list of its own")

    def _report(self, number: int, line: str, why: str) -> None:
        self.problems.append(Problem(number, excerpt(line.strip()), why))

    def listing(self) -> Listing:
        return Listing(
            tuple(self.entries),
            tuple(self.blocks),
            tuple(self.edges),
            tuple(self.problems),
            self.messages.all(),
            self.tree,
        )


def _depth(line: str) -> int:
    """Where a line that is not understood stands, as far as that can be seen."""
    indent = _INDENT.match(line)
    return len(indent[1]) if indent else 0


def _is_atom(line: str) -> bool:
    try:
        read_atom(line.strip())
    except ValueError:
        return False
    return True

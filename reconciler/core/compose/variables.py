"""Where the variables of a stack come from. Never from the environment of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core.compose.interpolate import BadTemplate, substitute
from reconciler.core.compose.problems import FromHost, LacksHostValue, Unfilled, fail
from reconciler.core.document import Map, Seq, Tagged
from reconciler.core.mistakes import Mistakes
from reconciler.errors import Position

_MOST_TEXT = 8 * 1024 * 1024
"""Characters that interpolation may make in one stack: variables that name each other multiply."""


class Variables:
    """Layers of variables, the strongest first. Values that are `FromHost` mark all text they enter."""

    def __init__(self, layers: tuple[Mapping[str, str], ...], warnings: dict[str, None]) -> None:
        self.layers = layers
        self.warnings = warnings
        self._made = 0

    def get(self, name: str) -> str | None:
        for layer in self.layers:
            if name in layer:
                return layer[name]
        return None

    def below(self, layer: Mapping[str, str]) -> Variables:
        """The same variables with a weaker layer under them."""
        return Variables((*self.layers, layer), self.warnings)

    def fill(self, text: str, at: Position) -> str:
        """`text` interpolated. E-COMPOSE-INTERPOLATION."""
        sealed = isinstance(text, FromHost)

        def lookup(name: str) -> str | None:
            nonlocal sealed
            value = self.get(name)
            sealed = sealed or isinstance(value, FromHost)
            return value

        def unset(name: str) -> None:
            self.warnings[f"{at}: the variable {name} is not set; an empty string stands for it"] = None

        try:
            made = substitute(text, lookup, unset)
        except BadTemplate as error:
            if not error.required:
                fail("E-COMPOSE-INTERPOLATION", str(error), at, next="write $$ for a dollar that means itself")
            advice = "set the variable in .env, in git or on the host, or give a default: ${NAME:-default}"
            raise LacksHostValue("E-COMPOSE-INTERPOLATION", str(error), next=advice, at=at) from None
        self._made += len(made)
        if self._made > _MOST_TEXT:
            fail("E-COMPOSE-INTERPOLATION", "the variables of this stack grow to too much text", at)
        return FromHost(made) if sealed else made


def fill_tree(node: Any, variables: Variables, at: Position) -> Any:
    """`node` as `filled` makes it. BadConfiguration with every value that cannot be filled in."""
    with Mistakes() as mistakes:
        return filled(node, variables, at, mistakes)


def filled(node: Any, variables: Variables, at: Position, mistakes: Mistakes) -> Any:
    """A copy of `node` with every value interpolated; parts without variables are shared, not copied. Keys stay.

    What cannot be filled in is told to `mistakes`, and stays as `Unfilled`.
    """
    if isinstance(node, str):
        if "$" not in node:
            return node
        made = mistakes.of(variables.fill, node, at)
        return Unfilled(node) if made is None else made
    if isinstance(node, Map):
        return _filled_map(node, variables, mistakes)
    if isinstance(node, Seq):
        items = [filled(v, variables, node.at(i), mistakes) if _may_vary(v) else v for i, v in enumerate(node)]
        if all(new is old for new, old in zip(items, node, strict=True)):
            return node
        return Seq(node.place, zip(items, node.places, strict=True))
    if isinstance(node, Tagged):
        return Tagged(node.tag, filled(node.value, variables, node.position, mistakes), node.place)
    return node


def _may_vary(value: Any) -> bool:
    return "$" in value if isinstance(value, str) else isinstance(value, (Map, Seq, Tagged))


def _filled_map(node: Map, variables: Variables, mistakes: Mistakes) -> Map:
    made = node
    for key, value in node.items():
        if not _may_vary(value):
            continue
        new = filled(value, variables, node.at(key), mistakes)
        if new is not value:
            if made is node:
                made = node.copy()
            made[key] = new
    return made


def is_whole(node: Any) -> bool:
    """Whether every variable below could be filled in."""
    if isinstance(node, (Map, Seq)):
        return all(is_whole(value) for value in (node.values() if isinstance(node, Map) else node))
    return is_whole(node.value) if isinstance(node, Tagged) else not isinstance(node, Unfilled)


def is_sealed(node: Any) -> bool:
    """Whether a value from the host's own files is anywhere below."""
    if isinstance(node, Map):
        return any(is_sealed(value) for value in node.values())
    if isinstance(node, Seq):
        return any(is_sealed(value) for value in node)
    return isinstance(node, FromHost)

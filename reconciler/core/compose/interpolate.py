"""`$X`, `${X:-default}` and their kin (Compose specification, 12-interpolation)."""

from __future__ import annotations

import re
from collections.abc import Callable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_DEEPEST = 20
LONGEST = 256 * 1024
"""Characters that one value may grow to."""

Lookup = Callable[[str], str | None]


class BadTemplate(ValueError):
    """The text is no template, or demands a variable that is not set. The message quotes no value."""

    def __init__(self, message: str, required: bool = False) -> None:
        super().__init__(message)
        self.required = required


def substitute(text: str, lookup: Lookup, unset: Callable[[str], None], depth: int = 0) -> str:
    """`text` with its variables filled in; `unset` hears of each that has neither value nor default. BadTemplate."""
    if depth > _DEEPEST:
        raise BadTemplate("the variables are nested too deeply")
    parts: list[str] = []
    size = at = 0
    while (dollar := text.find("$", at)) >= 0:
        parts.append(text[at:dollar])
        value, at = _expand(text, dollar + 1, lookup, unset, depth)
        parts.append(value)
        size += len(value)
        if size > LONGEST:
            raise BadTemplate(f"the value grows to more than {LONGEST} characters")
    parts.append(text[at:])
    return "".join(parts)


def _expand(text: str, at: int, lookup: Lookup, unset: Callable[[str], None], depth: int) -> tuple[str, int]:
    """What stands for the expression after a dollar at `at`, and where the text goes on."""
    following = text[at : at + 1]
    if following == "$":
        return "$", at + 1
    if following == "{":
        end = _closing(text, at)
        return _braced(text[at + 1 : end], lookup, unset, depth), end + 1
    name = _NAME.match(text, at)
    if name is None:
        raise BadTemplate("a $ must begin a variable such as $NAME or ${NAME}; a $ that means itself is written $$")
    return _plain(name[0], lookup, unset), name.end()


def _closing(text: str, at: int) -> int:
    level = 0
    for index in range(at, len(text)):
        if text[index] == "{":
            level += 1
        elif text[index] == "}":
            level -= 1
            if not level:
                return index
    raise BadTemplate("a ${ is never closed with }")


def _plain(name: str, lookup: Lookup, unset: Callable[[str], None]) -> str:
    value = lookup(name)
    if value is None:
        unset(name)
        return ""
    return value


def _braced(inner: str, lookup: Lookup, unset: Callable[[str], None], depth: int) -> str:
    found = _NAME.match(inner)
    if found is None:
        raise BadTemplate("${...} must begin with the name of a variable")
    name, rest = found[0], inner[found.end() :]
    if not rest:
        return _plain(name, lookup, unset)
    operator = next((o for o in _OPERATORS if rest.startswith(o)), None)
    if operator is None:
        raise BadTemplate(f"${{{name}...}} has an operator that is none of {' '.join(_OPERATORS)}")
    word = rest[len(operator) :]
    value = lookup(name)
    present = bool(value) if operator[0] == ":" else value is not None
    if operator[-1] == "+":
        return substitute(word, lookup, unset, depth + 1) if present else ""
    if present:
        return value or ""
    message = substitute(word, lookup, unset, depth + 1)
    if operator[-1] == "-":
        return message
    raise BadTemplate(f"the variable {name} must be set" + (f": {message}" if message else ""), required=True)

"""Patterns of paths, as .gitignore has them (git-scm.com/docs/gitignore, "Pattern format"), without `!`, `#` and `\\`.

A pattern with a slash at its beginning or in its middle begins at the root, any other fits at every depth. `*` and `?`
stay within one name, `**/` is any folders, `/**` all that is inside. A folder that fits takes along what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

PATTERN = r"^/?[^!#\\\s/]([^\\]*[^\\\s])?$"
"""What a pattern may look like."""

_PARTS = re.compile(r"/\*\*(?=/)|^\*\*/|\*+|\?|\[[!^]?\]?[^\]]*\]|\[|.", re.DOTALL)
_NOTHING = "(?!)"


class Globs:
    """Whether any of some patterns fits a path."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(map(_compiled, patterns))

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, path: str) -> bool:
        """`path` is that of a file, relative to where the patterns begin."""
        return any(pattern.fullmatch(path) for pattern in self._patterns)


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    anchored = "/" in pattern.rstrip("/")
    within = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    body = pattern.strip("/")
    if body.endswith("/**"):  # all that is inside, the folder itself is not
        body, within = body.removesuffix("/**"), "/.*" + within.removesuffix("(?:/.*)?")
    begin = "" if anchored else "(?:.*/)?"
    return re.compile(f"{begin}{''.join(map(_translated, _PARTS.findall(body)))}{within}", re.DOTALL)


def _translated(part: str) -> str:
    match part:
        case "/**":
            return "(?:/.*)?"
        case "**/":
            return "(?:.*/)?"
        case "?":
            return "[^/]"
    if part.startswith("*"):
        return "[^/]*"
    return _class(part) if part.startswith("[") else re.escape(part)


def _class(part: str) -> str:
    """`[a-z]` and `[!a-z]`; one that never ends, or ends before it begins, fits nothing."""
    negated = part[1:2] in ("!", "^") and part[1:2] != ""
    inside = re.sub(r"([\\\[\]&~|^])", r"\\\1", part[2 if negated else 1 : -1])
    found = f"(?!/)[{'^' if negated else ''}{inside}]" if inside else _NOTHING
    try:
        re.compile(found)
    except re.error:
        return _NOTHING
    return found

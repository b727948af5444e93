"""The sentinels as a table that a person reads: what is held, since when and for how long, by whom, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from reconciler.cli.times import ago, span
from sentinels.format import wall_of

HEADING = ("NAME", "ABOUT", "SINCE", "LEFT", "BY", "REASON")
_SHA = re.compile(r"[0-9a-f]{40}")
_SHORT, _SHORT_IMAGE = 7, len("image-sha256:") + 12
_ORDER = ("paused", "paused.d", "blocked", "accepted", "last-successful-deploy-sha")

Fields = Mapping[str, str]


def rows(entries: Mapping[str, Fields], left: Mapping[str, float], *, short: bool) -> Iterator[tuple[str, ...]]:
    """One for each sentinel, pauses first. `left`: seconds of the pauses that hold; `short`: SHAs are abbreviated."""
    ordered = sorted(entries, key=lambda name: (_ORDER.index(name.partition("/")[0]), name))
    for name in ordered:
        fields = entries[name]
        shown = abbreviated(name) if short else name
        yield shown, _about(name, fields), _since(fields), _left(name, left), _by(name, fields), _reason(fields, short)


def abbreviated(name: str) -> str:
    """`blocked/4f2c1ab`: as much of a name as tells it from others, and as `show` and `clear` take it."""
    kind, slash, rest = name.partition("/")
    if _SHA.fullmatch(rest):
        return f"{kind}/{rest[:_SHORT]}"
    return f"{kind}{slash}{rest[:_SHORT_IMAGE] if rest.startswith('image-') else rest}"


def _about(name: str, fields: Fields) -> str:
    kind, _, rest = name.partition("/")
    if kind == "blocked":
        if rest == "*":
            return "everything"
        if rest.startswith("image-"):
            return "an image"
        return "a commit, and its files" if fields.get("tree") else "a commit"
    return {
        "paused": "the whole host",
        "paused.d": "every stack" if rest == "*" else f"the stack {rest}",
        "accepted": "a rewritten branch",
    }.get(kind, "verified last")


def _since(fields: Fields) -> str:
    then = wall_of(fields.get("at", ""))
    return "-" if then is None else ago(then)


def _left(name: str, left: Mapping[str, float]) -> str:
    if not name.startswith("paused"):
        return "-"
    return span(left[name]) if name in left else "over"


def _by(name: str, fields: Fields) -> str:
    if name in _ORDER[3:]:
        return "-"
    return fields.get("holder", "") or "by hand"


def _reason(fields: Fields, short: bool) -> str:
    if sha := fields.get("sha"):
        return sha[:_SHORT] if short else sha
    odd = fields.get("problem", "")
    counts = f"({odd or 'no reason given'}; it counts all the same)"
    return (
        fields["reason"] if fields.get("reason") and not odd else " ".join(filter(None, (fields.get("reason"), counts)))
    )

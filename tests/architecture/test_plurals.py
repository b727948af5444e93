"""One of something is not "1 images": whatever is counted in a text goes through `count`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from reconciler.core.counting import count

ROOT = Path(__file__).resolve().parents[2]
MORE_THAN_ONE = {
    "bytes",  # the answer that is too large
    "sentinels begin like that",
    "commits begin like that",  # one is what was asked for
    "stacks",  # up to three are named
}
"""Texts that are only said of several."""


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("image",), "0 images"),
        (1, ("image",), "1 image"),
        (2, ("image",), "2 images"),
        (1, ("notice waits", "notices wait"), "1 notice waits"),
        (11, ("notice waits", "notices wait"), "11 notices wait"),
    ],
)
def test_one_is_one(number: int, words: tuple[str, ...], said: str) -> None:
    assert count(number, *words) == said


def counted(file: Path) -> Iterator[str]:
    """What follows a length in a text: `f"{len(found)} images"`."""
    for node in ast.walk(ast.parse(file.read_text())):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, after in pairwise(parts):
            call = value.value if isinstance(value, ast.FormattedValue) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "len":
                yield str(after.value) if isinstance(after, ast.Constant) else ""


def test_every_length_in_a_text_is_counted_with_its_noun() -> None:
    files = [file for folder in ("reconciler", "sentinels", "scripts") for file in (ROOT / folder).rglob("*.py")]
    found = {(file.name, text) for file in files for text in counted(file)}
    plural = {(name, text) for name, text in found if re.match(r" ([a-z]+ )?[a-z]+s\b", text)}

    assert {(name, text) for name, text in plural if text.strip() not in MORE_THAN_ONE} == set()
    assert {text.strip() for _, text in plural} == MORE_THAN_ONE

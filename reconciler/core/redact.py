"""Secret values are taken out of whatever is shown, kept or sent (I20)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

SHORTEST = 6
"""Shorter values (`1000`, `true`) are no secrets, and taking them out would make every text unreadable."""

MASK = "[redacted]"


@dataclass(frozen=True, slots=True)
class Redactor:
    """`secrets` in every form that they may turn up in, the longest first."""

    secrets: tuple[str, ...] = ()

    def clean(self, text: str) -> str:
        """The text without them."""
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text


def redactor(values: Iterable[str]) -> Redactor:
    """For these values as they are, and as JSON and URLs write them."""
    forms: set[str] = set()
    for value in values:
        stripped = value.strip()
        if len(stripped) >= SHORTEST:
            forms |= {stripped, json.dumps(stripped)[1:-1], quote(stripped, safe="")}
    return Redactor(tuple(sorted(forms, key=lambda form: (-len(form), form))))


def values_of(env_file: bytes) -> Iterable[str]:
    """The values of an env file, without their quotes; lines that are none give nothing."""
    for line in env_file.decode(errors="replace").splitlines():
        name, is_set, value = line.partition("=")
        if is_set and not name.lstrip().startswith("#"):
            yield value.strip().strip("\"'")

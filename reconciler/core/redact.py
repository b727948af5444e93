"""Secret values are taken out of whatever is shown, kept or sent (I20)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Shorter values (`1000`, `true`) are no secrets, and taking them out would make every text unreadable."""

LONG = 12
"""A part of a value is taken for one of its own from here on."""

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
    """For these values as they are, and in the forms that programs write them in."""
    forms: set[str] = set()
    for value in values:
        stripped = value.strip()
        if len(stripped) >= SHORTEST:
            forms |= {form for part in _parts(stripped) for form in _forms(part) if len(form) >= SHORTEST}
    return Redactor(tuple(sorted(forms, key=lambda form: (-len(form), form))))


def _parts(value: str) -> Iterator[str]:
    """The value; the lines of a long one (a key is shown line by line); what is secret in an address (its path)."""
    yield value
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if len(line.strip()) >= LONG)
    elif "://" in value:
        host, _, path = value.partition("://")[2].partition("/")
        yield from (part for part in (path, *path.split("/"), *host.rpartition("@")[0].split(":")) if len(part) >= LONG)


def _forms(value: str) -> Iterator[str]:
    """As JSON, URLs, Python, shells, HTML and base64 have it."""
    yield value
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    yield from (value.replace("'", "'\"'\"'"), value.replace("'", "'\\''"), re.sub(r'(["$`\\])', r"\\\1", value))
    html = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield html
    yield from (html.replace('"', "&quot;").replace("'", mark) for mark in ("&#x27;", "&#39;", "'"))
    yield from _in_base64(value.encode("utf-8", "surrogateescape"))


def _in_base64(value: bytes) -> Iterator[str]:
    """Also in the middle of something else (`user:password`): without the letters that its neighbours share."""
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + value).decode()
        first, last = (0, 2, 3)[offset], (None, -3, -2)[(offset + len(value)) % 3]
        if len(inner := whole[first:last].rstrip("=")) >= LONG // 2:
            yield from (inner, inner.replace("+", "-").replace("/", "_"))


def values_of(env_file: bytes) -> Iterable[str]:
    """The values of an env file, without their quotes; lines that are none give nothing."""
    for line in env_file.decode(errors="replace").splitlines():
        name, is_set, value = line.partition("=")
        if is_set and not name.lstrip().startswith("#"):
            yield value.strip().strip("\"'")

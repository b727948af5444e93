"""Env files as docker compose v2 reads them: `KEY=value`, `export`, comments, quotes over several lines, variables."""

from __future__ import annotations

import re

from reconciler.core.compose.interpolate import BadTemplate, Lookup, substitute
from reconciler.core.compose.problems import FromHost

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-\[\]]*")
_EXPORT = re.compile(r"export[ \t]+(?=\S)")
_COMMENT = re.compile(r"(?:^|[ \t])#")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    '"': '"',
    "\\": "\\",
    "$": "$$",
}


class BadEnvFile(ValueError):
    """`line` counts from 1. The message quotes no value: env files hold secrets."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def parse_env(data: bytes, lookup: Lookup, raw: bool = False) -> dict[str, str]:
    """The variables of an env file. BadEnvFile.

    `lookup` comes before the file's own earlier lines; `raw` takes every value literally. What a value of the host
    enters is `FromHost` too.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadEnvFile("the file is not UTF-8", data.count(b"\n", 0, error.start) + 1) from None
    if "\0" in text:
        raise BadEnvFile("a NUL character is not allowed", text.count("\n", 0, text.index("\0")) + 1)
    return _Reader(text.replace("\r\n", "\n"), lookup, raw).read()


class _Reader:
    def __init__(self, text: str, lookup: Lookup, raw: bool) -> None:
        self.text = text
        self.lookup = lookup
        self.raw = raw
        self.at = 0
        self.line = 1
        self.found: dict[str, str] = {}

    def read(self) -> dict[str, str]:
        while self.at < len(self.text):
            line = self._rest_of_line().strip(" \t\r")
            if line and not line.startswith("#"):
                self._statement()
            else:
                self._next_line()
        return self.found

    def _rest_of_line(self) -> str:
        end = self.text.find("\n", self.at)
        return self.text[self.at : end if end >= 0 else len(self.text)]

    def _next_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = end + 1 if end >= 0 else len(self.text)
        self.line += 1

    def _skip_blanks(self) -> None:
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1

    def _statement(self) -> None:
        self._skip_blanks()
        if export := _EXPORT.match(self.text, self.at):
            self.at = export.end()
        key = _KEY.match(self.text, self.at)
        if key is None:
            raise BadEnvFile("a line must be KEY=value, KEY or a # comment", self.line)
        self.at = key.end()
        self._skip_blanks()
        sign = self.text[self.at : self.at + 1]
        if sign in ("", "\n", "\r", "#"):
            inherited = self.lookup(key[0])
            if inherited is not None:
                self.found[key[0]] = inherited
            self._next_line()
            return
        if sign not in ("=", ":"):
            raise BadEnvFile(f"after the name {key[0]} there must be =", self.line)
        self.at += 1
        self.found[key[0]] = self._raw_value() if self.raw else self._value()

    def _raw_value(self) -> str:
        value = self._rest_of_line()
        self._next_line()
        return value

    def _value(self) -> str:
        self._skip_blanks()
        quote = self.text[self.at : self.at + 1]
        if quote in ("'", '"'):
            return self._quoted(quote)
        value = self._rest_of_line()
        if comment := _COMMENT.search(value):
            value = value[: comment.start()]
        value = self._fill(value.strip())
        self._next_line()
        return value

    def _quoted(self, quote: str) -> str:
        started, end = self.at + 1, self.at + 1
        while end < len(self.text) and self.text[end] != quote:
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise BadEnvFile("a quote is never closed", self.line)
        body = self.text[started:end]
        if quote == "'":
            value = body.replace("\\'", "'")
        else:
            value = self._fill(_ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[0]), body))
        self.line += body.count("\n")
        self.at = end + 1
        rest = self._rest_of_line().strip(" \t\r")
        if rest and not rest.startswith("#"):
            raise BadEnvFile("after the closing quote only a comment may follow", self.line)
        self._next_line()
        return value

    def _fill(self, value: str) -> str:
        if "$" not in value:
            return value
        sealed = False

        def variable(name: str) -> str | None:
            nonlocal sealed
            known = self.lookup(name)
            known = self.found.get(name) if known is None else known
            sealed = sealed or isinstance(known, FromHost)
            return known

        try:
            made = substitute(value, variable, lambda _: None)
        except BadTemplate as error:
            raise BadEnvFile(str(error), self.line) from None
        return FromHost(made) if sealed else made

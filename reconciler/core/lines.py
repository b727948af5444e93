"""Pieces of output, as they come from a container, become whole lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one stream; neither lines nor characters end where pieces do."""

    stream: Stream
    data: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """`at`: when it was written, as the engine says (RFC 3339 with nanoseconds, so that text sorts as time does)."""

    stream: Stream
    at: str
    text: str


def lines(pieces: Iterable[Piece]) -> Iterator[Line]:
    """Whole lines of pieces with times; what was cut off at the end of a stream is a line of its own."""
    kept: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
    for piece in pieces:
        *whole, kept[piece.stream] = (kept[piece.stream] + piece.data).split(b"\n")
        yield from (_line(piece.stream, each) for each in whole)
    yield from (_line(stream, rest) for stream, rest in kept.items() if rest)


def _line(stream: Stream, raw: bytes) -> Line:
    at, _, text = raw.decode("utf-8", "replace").rstrip("\r").partition(" ")
    return Line(stream, at, text)

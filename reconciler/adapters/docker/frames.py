"""The output of a container without a terminal is multiplexed: frames of 8 bytes of header and their payload.

docs.docker.com/reference/api/engine, "Attach to a container", stream format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from reconciler.core.lines import Piece, Stream

_HEADER = struct.Struct(">BxxxL")
_STREAMS: dict[int, Stream] = {2: "stderr"}


def frames(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """The payloads of multiplexed output, however its bytes were cut on the way."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        while len(kept) >= _HEADER.size:
            stream, size = _HEADER.unpack_from(kept)
            if len(kept) < _HEADER.size + size:
                break
            yield Piece(_STREAMS.get(stream, "stdout"), bytes(kept[_HEADER.size : _HEADER.size + size]))
            del kept[: _HEADER.size + size]

"""Keys of a service that the engine takes as they are, or nearly so."""

from __future__ import annotations

from reconciler.core.compose import read
from reconciler.core.document import Map
from reconciler.core.mistakes import Mistakes, Reader
from reconciler.model.resources import Tuning

_READERS: dict[str, Reader] = {
    "runtime": read.filled,
}


def tuning(service: Map) -> Tuning:
    with Mistakes() as mistakes:
        found = mistakes.given(_READERS, service)
    return Tuning(**found)

"""What this fleet took over from Compose. A container that exists takes no more labels, so the host remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Adoption:
    """One container: the fingerprint that it has ("" when it is to be replaced), and the revision that wanted it."""

    fingerprint: str
    revision: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """`containers` by id; `networks`: ids.

    `renewed`: containers of our own whose label is older than what they have by now: files changed under them, and a
    signal, a command or a restart (or nothing) was all that this asked for.
    """

    containers: Mapping[str, Adoption] = field(default_factory=dict)
    networks: frozenset[str] = frozenset()
    renewed: Mapping[str, Adoption] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.containers or self.networks or self.renewed)

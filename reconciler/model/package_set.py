"""A set of packages that the build swarm is to keep built, as the manifests have it."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.errors import Position
from reconciler.model.swarm import Use


@dataclass(frozen=True, slots=True)
class PackageSet:
    """`atoms` as they are written; `use`: lines of package.use, what is off with a hyphen. `places` of both."""

    name: str
    profile: str
    atoms: tuple[str, ...]
    use: Use
    places: tuple[tuple[str, Position], ...]

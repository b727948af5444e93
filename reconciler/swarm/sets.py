"""Package sets: whether what they list are atoms."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import BadConfiguration
from reconciler.model.package_set import PackageSet
from reconciler.swarm.atoms import read_atom


def problems_of(found: PackageSet) -> Iterator[BadConfiguration]:
    """Each atom that is none, with its line."""
    for text, at in found.places:
        try:
            read_atom(text.strip())
        except ValueError as error:
            yield BadConfiguration(
                "E-MANIFEST-VALUE",
                f"{text[:100]!r} is no atom",
                why=str(error),
                next="write it as Portage reads it: category/name, =category/name-1.2, category/name:slot",
                at=at,
            )

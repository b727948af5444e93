"""`Adoptions` in one file of the state directory: `adopted.json`, sealed, so that half of it is never believed."""

from __future__ import annotations

from pathlib import Path

from reconciler.durable import put_sealed, read_sealed
from reconciler.errors import Transient
from reconciler.model.adopted import Adopted, Adoption
from reconciler.ports import Adoptions


class AdoptionFile(Adoptions):
    """`state`: the state directory."""

    def __init__(self, state: Path) -> None:
        self._path = state / "adopted.json"

    def known(self) -> Adopted:
        """Nothing when the file is missing or torn: what still fits is then taken over again."""
        try:
            known = read_sealed(self._path)
            containers = {id: Adoption(*map(str, adoption)) for id, adoption in known["containers"].items()}
            return Adopted(containers, frozenset(known["networks"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Adopted()

    def remember(self, adopted: Adopted) -> None:
        if adopted == self.known():
            return
        containers = {id: [each.fingerprint, each.revision] for id, each in sorted(adopted.containers.items())}
        try:
            put_sealed(self._path, {"containers": containers, "networks": sorted(adopted.networks)})
        except OSError as error:
            raise Transient(
                "E-HOST-FILE",
                f"cannot write {self._path}",
                why=str(error),
                next="make room on its file system, and check owner and mode of the folder",
            ) from error

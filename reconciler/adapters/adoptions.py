"""`Adoptions` in one file of the state directory: `adopted.json`, sealed, so that half of it is never believed."""

from __future__ import annotations

from collections.abc import Mapping
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
            return Adopted(_read(known["containers"]), frozenset(known["networks"]), _read(known.get("renewed", {})))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Adopted()

    def remember(self, adopted: Adopted) -> None:
        if adopted == self.known():
            return
        content = {
            "containers": _written(adopted.containers),
            "networks": sorted(adopted.networks),
            "renewed": _written(adopted.renewed),
        }
        try:
            put_sealed(self._path, content)
        except OSError as error:
            raise Transient(
                "E-HOST-FILE",
                f"cannot write {self._path}",
                why=str(error),
                next="make room on its file system, and check owner and mode of the folder",
            ) from error


def _read(written: Mapping[str, list[str]]) -> dict[str, Adoption]:
    return {id: Adoption(*map(str, each)) for id, each in written.items()}


def _written(containers: Mapping[str, Adoption]) -> dict[str, list[str]]:
    return {id: [each.fingerprint, each.revision] for id, each in sorted(containers.items())}

"""What a drone must not forget, as one small file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from reconciler.core.plain import from_json, to_json
from reconciler.durable import put_sealed, read_sealed
from reconciler.errors import Transient
from reconciler.swarm.drone.memory import DroneMemory, Taken


class TakenFile(DroneMemory):
    """`folder`: the drone's own."""

    EFFECTS: ClassVar[tuple[str, ...]] = DroneMemory.EFFECTS

    def __init__(self, folder: Path) -> None:
        self._file = folder / "taken.json"

    def taken(self) -> Taken | None:
        with _usable():
            try:
                return from_json(Taken, read_sealed(self._file))
            except (FileNotFoundError, ValueError, TypeError):
                return None

    def keep(self, taken: Taken) -> None:
        with _usable():
            put_sealed(self._file, to_json(taken))

    def forget(self) -> None:
        with _usable():
            self._file.unlink(missing_ok=True)


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Transient(
            "E-DRONE-DISK",
            "the drone cannot write down what it does",
            why=str(error),
            next="free space there, and check owner, mode and mount of drone.directory",
        ) from error

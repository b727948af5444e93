"""What a binhost notes beside the packages of one profile, out of the clients' sight.

`entries/`: for each package its lines of the index, so that a damaged index can be made again without Portage.
`pending/`: what is being made part of the binhost: written before the first change and taken away after the last one.
`dropped`: what left the index and goes from the disk later: clients that read the index just before still ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.core.plain import plain
from reconciler.durable import put_sealed, read_sealed, sync_folder
from reconciler.swarm.binhost.index import Entry


@dataclass(frozen=True, slots=True)
class Placed:
    """A file of the staging, and what it is to be in the index."""

    staged: str
    entry: Entry

    @property
    def path(self) -> str:
        return self.entry["PATH"]


@dataclass(frozen=True, slots=True)
class Pending:
    """All that one lease brings in. `headers`: of the indexes that the packages were listed in."""

    build: str
    attempt: int
    placed: tuple[Placed, ...]
    headers: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """The notes of one profile. Raises OSError."""

    folder: Path
    _entries: Path = field(init=False)
    _pending: Path = field(init=False)
    _dropped: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_entries", self.folder / "entries")
        object.__setattr__(self, "_pending", self.folder / "pending")
        object.__setattr__(self, "_dropped", self.folder / "dropped")

    def note(self, entry: Entry, headers: tuple[Entry, ...]) -> None:
        put_sealed(self._entries / f"{entry['PATH']}.json", {"entry": dict(entry), "headers": plain(headers)})

    def forget(self, path: str) -> None:
        (self._entries / f"{path}.json").unlink(missing_ok=True)

    def note_of(self, path: str) -> Entry | None:
        """A package's lines, as we had them in the index; None when they are not there, or torn."""
        try:
            entry: Entry = read_sealed(self._entries / f"{path}.json")["entry"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return entry

    def noted(self) -> Iterator[tuple[Entry, tuple[Entry, ...]]]:
        """Every package's lines, and the headers they came with; what is torn is left out."""
        for file in sorted(self._entries.rglob("*.json")):
            try:
                told = read_sealed(file)
                yield told["entry"], tuple(told["headers"])
            except (ValueError, KeyError, TypeError, FileNotFoundError):
                continue

    def begin(self, pending: Pending) -> None:
        put_sealed(self._pending_file(pending.build, pending.attempt), plain(pending))

    def end(self, pending: Pending) -> None:
        self._pending_file(pending.build, pending.attempt).unlink(missing_ok=True)
        sync_folder(self._pending)

    def pending(self) -> Iterator[Pending]:
        """What was begun and not ended, the oldest first. A torn note is none: nothing changes before it is whole."""
        for file in sorted(self._pending.glob("*.json"), key=lambda file: file.stat().st_mtime_ns):
            try:
                told: Any = read_sealed(file)
                yield Pending(
                    told["build"],
                    told["attempt"],
                    tuple(Placed(each["staged"], each["entry"]) for each in told["placed"]),
                    tuple(told["headers"]),
                )
            except (ValueError, KeyError, TypeError):
                file.unlink(missing_ok=True)

    def dropped(self) -> Mapping[str, float]:
        """Path -> when it left the index, in epoch seconds."""
        try:
            told = read_sealed(self._dropped)
            return {str(path): float(at) for path, at in told.items()}
        except (FileNotFoundError, ValueError, AttributeError, TypeError):
            return {}

    def drop(self, dropped: Mapping[str, float]) -> None:
        put_sealed(self._dropped, dict(dropped))

    def sweep(self) -> None:
        """What a writer that died left beside its file."""
        for left in self.folder.rglob(".*"):
            if left.is_file():
                left.unlink(missing_ok=True)

    def _pending_file(self, build: str, attempt: int) -> Path:
        return self._pending / f"{build}:{attempt}.json"

"""Which sentinels were there when a pass last looked, so that what a person did to them meanwhile is noticed.

A name that its own program is about to take away is forgotten first: dying in between, it merely looks new again.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sentinels import disk
from sentinels.folder import Entry

_FILE = ".known"


def noticed(folder: Path, entries: Collection[Entry]) -> tuple[str, ...]:
    """What changed by hand since the last time, one sentence each; from now on it is known. OSError.

    Whatever names its holder was set by a program; what is gone and was not forgotten, a person has cleared.
    """
    before = _read(folder)
    now = {entry.name: dict(entry.fields) for entry in entries if entry.name != "last-successful-deploy-sha"}
    if before == now.keys():
        return ()
    if before or now:
        _write(folder, now)
    found = [f"{name} was cleared by hand" for name in sorted(before - now.keys())]
    by_hand = [name for name in sorted(now.keys() - before) if not now[name].get("holder") and name != "accepted"]
    return tuple(found + [f"{name} was set by hand" for name in by_hand])


def learn(folder: Path, name: str) -> None:
    """Its own program has put it there; so it is missed even when it goes before anybody looked again. OSError."""
    if name not in (known := _read(folder)):
        _write(folder, known | {name})


def forget(folder: Path, name: str) -> None:
    """Its own program takes it away now. OSError."""
    if name in (known := _read(folder)):
        _write(folder, known - {name})


def _read(folder: Path) -> set[str]:
    found = disk.look(folder / _FILE)
    return set(found.data.decode("utf-8", "replace").splitlines()) if found else set()


def _write(folder: Path, names: Collection[str]) -> None:
    disk.write(folder / _FILE, "".join(f"{name}\n" for name in sorted(names) if "\n" not in name).encode())

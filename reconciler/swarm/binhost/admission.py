"""How a package that a drone built stands in our index: under which build id, which name, and with whose checksums."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from reconciler.core.packages.version import split_cpv
from reconciler.model.swarm import Artifact
from reconciler.swarm.binhost.index import Entry, acceptable, build_id_of

LEASE = "RECONCILER_LEASE"
"""A line of ours in the index, which Portage passes over: `BUILD:ATTEMPT:PATH` of the upload."""

_PATH = re.compile(
    r"(?=.{1,400}\Z)(?:[A-Za-z0-9_][A-Za-z0-9+_.-]*/){1,2}[A-Za-z0-9_][A-Za-z0-9+_.-]*\.(gpkg\.tar|xpak|tbz2)"
)
_FARTHEST = 1000
"""A drone's own build id is kept when it is free and not farther than this from the last one."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of a file as it came in; checksums in hex."""

    size: int
    md5: str
    sha1: str


def is_package_path(path: str) -> bool:
    """`category/name/name-1-1.gpkg.tar`, and what Portage makes in other formats; nothing hidden, nothing above."""
    return _PATH.fullmatch(path) is not None


def admitted(artifact: Artifact, sums: Sums, ids: Collection[int], lease: str, now: float) -> Entry:
    """Its lines of the index. `ids`: build ids that this version has had. Raises ValueError with the reason.

    The build id that the drone gave it is kept when it is free, and else it is the next one.
    """
    match, entry = _PATH.fullmatch(artifact.path), acceptable(artifact.entry)
    parts = split_cpv(entry["CPV"])
    if match is None or parts is None:
        raise ValueError("its path is none of a package")
    category, name, version = parts
    last, own = max(ids, default=0), build_id_of(entry)
    number = own if last < own <= last + _FARTHEST else last + 1
    ending = "gpkg.tar" if match[1] == "gpkg.tar" else "xpak"
    modified = entry.get("MTIME", "")
    return {
        **entry,
        "BUILD_ID": str(number),
        "PATH": f"{category}/{name}/{name}-{version}-{number}.{ending}",
        "SIZE": str(sums.size),
        "MD5": sums.md5,
        "SHA1": sums.sha1,
        "MTIME": modified if modified.isdecimal() and len(modified) < 12 else str(int(now)),
        LEASE: lease,
    }


def build_id_in(name: str) -> tuple[str, int] | None:
    """(`foo-1.1`, 3) of the file name `foo-1.1-3.gpkg.tar`; None for one that has no build id."""
    match = re.fullmatch(r"(.+)-([0-9]{1,18})\.(?:gpkg\.tar|xpak)", name)
    return (match[1], int(match[2])) if match else None

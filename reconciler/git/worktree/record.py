"""What was checked out into a working tree, with a stat cache: our index, kept in the state directory.

Losing it loses speed and the memory of what was tracked, never a file.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler import durable
from reconciler.model.repository import EntryKind

_SETTLED_AFTER = 20_000_000  # ns; file times come from a clock that ticks every 1-10 ms

Stat = list[int]  # size, mtime_ns, ctime_ns, inode, mode; empty: hash the file to know it


@dataclass(frozen=True, slots=True)
class Record:
    """`sha` is empty while a check-out is under way; then `pending` are the revisions that were being written.

    `entries`: path -> (kind, object id, stat when it was known to hold that object). `staged`: paths beside which
    an interrupted check-out may have left its temporary file.
    """

    sha: str = ""
    pending: tuple[str, ...] = ()
    staged: tuple[str, ...] = ()
    entries: Mapping[str, tuple[EntryKind, str, Stat]] = field(default_factory=dict)

    def beginning(self, sha: str, staged: tuple[str, ...]) -> Record:
        """The same record while `sha` is being written; what earlier tries left unfinished stays known."""
        pending = (*(each for each in self.pending if each != sha), sha)
        return replace(self, sha="", pending=pending, staged=tuple({*self.staged, *staged}))


def record_file(clone: Path, root: Path) -> Path:
    """Where the record of the working tree `root` lies: beside the bare clone."""
    key = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16]
    return clone.with_name(f"{clone.name}.checkout-{key}")


def fingerprint(found: os.stat_result) -> Stat:
    """What changes when a file does."""
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode]


def settled(found: os.stat_result) -> Stat:
    """The fingerprint, or nothing for a file so fresh that one more write might not show in it (git's racy entries)."""
    fresh = max(found.st_mtime_ns, found.st_ctime_ns) > time.time_ns() - _SETTLED_AFTER
    return [] if fresh else fingerprint(found)


def load(file: Path) -> Record | None:
    """The record, or None when there is none that can be trusted."""
    try:
        known = durable.read_sealed(file)
        return Record(known["sha"], tuple(known["pending"]), tuple(known["staged"]), known["entries"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(file: Path, record: Record) -> None:
    """Replace the record durably. OSError."""
    known = {"sha": record.sha, "pending": record.pending, "staged": record.staged, "entries": record.entries}
    durable.put_sealed(file, known)


def kind_of(mode: int) -> EntryKind | None:
    """What git would call a file of that mode; None for what git cannot hold (a socket, a device)."""
    if stat.S_ISREG(mode):
        return "executable" if mode & stat.S_IXUSR else "file"
    if stat.S_ISLNK(mode):
        return "symlink"
    return "directory" if stat.S_ISDIR(mode) else None

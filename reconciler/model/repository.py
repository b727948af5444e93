"""What a repository tells about itself, and what a check-out did to the host's working tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EntryKind = Literal["file", "executable", "directory", "symlink", "submodule"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a git tree; `id` is git's own object id (40 hex), `size` in bytes (files and links only)."""

    kind: EntryKind
    id: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Commit:
    """`at` is the committer's time in seconds since the epoch; `message` the whole of what `subject` begins."""

    sha: str
    subject: str
    author: str
    at: int
    message: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One changed path between two revisions; `old_path` is where a renamed file was before."""

    path: str
    status: Literal["added", "modified", "deleted", "renamed", "typechange"]
    insertions: int = 0
    deletions: int = 0
    old_path: str = ""


@dataclass(frozen=True, slots=True)
class CheckoutReport:
    """Repository paths by what happened to them in the working tree.

    `displaced`: changed at run time, copied aside, put back. `removed`: left the index, unchanged on
    disk, moved aside. `kept`: left the index and changed or ignored, so left where they are.
    `aside` is the folder that holds the copies (empty when nothing was copied). `skipped`: submodules,
    which are not checked out.
    """

    written: tuple[str, ...] = ()
    displaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    aside: str = ""
    skipped: tuple[str, ...] = ()

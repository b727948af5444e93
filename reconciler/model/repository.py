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
class LeftAlone:
    """Paths that a check-out leaves as they are on disk: `below` these, unless they are below one of `but` as well.

    "" is the root of the repository. A file where one of them has a folder is left out, too.
    """

    below: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def __contains__(self, path: str) -> bool:
        return any(_within(path, each) or each.startswith(f"{path}/") for each in self.below) and not any(
            _within(path, each) for each in self.but
        )


def _within(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


@dataclass(frozen=True, slots=True)
class CheckoutReport:
    """Repository paths by what happened to them in the working tree.

    `displaced`: changed at run time, copied aside, put back. `removed`: left the index, unchanged on
    disk, moved aside. `kept`: left the index and changed or ignored, so left where they are.
    `aside` is the folder that holds the copies (empty when nothing was copied). `skipped`: submodules,
    which are not checked out. `left`: what differs, and was to be left alone.
    """

    written: tuple[str, ...] = ()
    displaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    aside: str = ""
    skipped: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

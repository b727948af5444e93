"""What lies between two revisions, in numbers and flags, and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.repository import Commit


@dataclass(frozen=True, slots=True)
class Changes:
    """From the revision verified last to the target.

    `services`: what `host/stack/service` would see a change of; `ignored` and `quiet` count paths that match the rules
    of the fleet; `any_deploy` is False when every changed path is ignored and nothing mounts, builds or reads it.
    `commits`: newest first, of the first-parent chain, cut at 50 (`more` counts the rest).
    """

    files: int = 0
    insertions: int = 0
    deletions: int = 0
    ignored: int = 0
    quiet: int = 0
    any_deploy: bool = True
    manifests: bool = False
    services: tuple[str, ...] = ()
    commits: tuple[Commit, ...] = ()
    more: int = 0

    @property
    def silent(self) -> bool:
        """Whether it is deployed without a notice: all that is not ignored is quiet."""
        return self.files > 0 and self.files == self.ignored + self.quiet

"""A GitRepository with the defaults that tests share."""

from __future__ import annotations

from pathlib import Path

from reconciler.adapters.git import GitRepository
from reconciler.git.transport import Transport


def repository(
    state: Path,
    url: str,
    branch: str = "main",
    *,
    deadline: float = 20,
    token: str | None = None,
    ssh_key: Path | None = None,
    known_hosts: Path | None = None,
) -> GitRepository:
    """A clone in `state`/repository.git; copies aside go to `state`/displaced."""
    return GitRepository(
        state / "repository.git",
        Transport(url, token, ssh_key, known_hosts),
        branch,
        deadline=deadline,
        displaced=state / "displaced",
    )

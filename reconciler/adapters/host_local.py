"""Commands on this very host."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler import process
from reconciler.ports import HostShell

_KEPT = 256 * 1024
_TOGETHER = ("sh", "-c", 'exec "$@" >&2', "sh")
"""Both streams in one, as they come; of that one the end is kept."""


class LocalShell(HostShell):
    """Our own environment without our own settings, which may hold a token."""

    def run(
        self, command: Sequence[str], directory: str, environment: Mapping[str, str], timeout: float
    ) -> tuple[int, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("RECONCILER_", "CREDENTIALS_DIRECTORY"))}
        done = process.run(
            [*_TOGETHER, *command],
            deadline=timeout,
            env={**clean, **environment},
            cwd=Path(directory),
            limit=_KEPT,
        )
        return done.code, done.stderr.decode("utf-8", "replace")

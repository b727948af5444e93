"""When the ebuilds of this machine last changed: a package that could not be built may be another one by then."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.process import run

_MARKS = ("metadata/timestamp.chk", ".git/logs/HEAD")
"""What changes with a sync that brings something: of rsync and of webrsync; of git."""


class EbuildTree:
    """`emerge`: the program, beside which Portage's others lie. Safe to use from several threads."""

    def __init__(self, emerge: str = "emerge", ours: Mapping[str, str] = os.environ) -> None:
        self._emerge, self._ours = emerge, ours

    def synced(self) -> float:
        """Epoch seconds of the latest sync of any repository, 0 where nobody can tell.

        By this machine's clock, when the mark was written: what is in it is the time of whoever made the ebuilds.
        """
        latest = 0.0
        for repository in self._repositories:
            for mark in _MARKS:
                with suppress(OSError):
                    latest = max(latest, (repository / mark).stat().st_ctime)
        return latest

    @cached_property
    def _repositories(self) -> tuple[Path, ...]:
        """As Portage's own configuration has them; none where it does not tell: that is no trouble of a drone."""
        try:
            root = self._told("envvar", "EROOT")
            names = self._told("get_repos", *root)[0].split() if root else []
            return tuple(map(Path, self._told("get_repo_path", *root, *names))) if names else ()
        except (ReconcilerError, OSError, IndexError):
            return ()

    def _told(self, *question: str) -> list[str]:
        emerge = shutil.which(self._emerge, path=self._ours.get("PATH"))
        beside = f"{Path(emerge).parent}:{self._ours.get('PATH', '')}" if emerge else self._ours.get("PATH", "")
        program = shutil.which("portageq", path=beside)
        if program is None:
            return []
        done = run((program, *question), deadline=120, env=dict(self._ours))
        return done.stdout.decode("utf-8", "replace").split("\n")[:-1] if done.code == 0 else []

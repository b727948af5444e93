"""`Images` in one file of the state directory: `images.json`.

Its time of change is when the next question is due, so that a quick look needs no more than a glance.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock

from reconciler.durable import put_sealed, read_sealed
from reconciler.model.images import Tag
from reconciler.ports import Images

FILE = "images.json"


class TagFile(Images):
    """`state`: the state directory."""

    def __init__(self, state: Path) -> None:
        self._path, self._lock = state / FILE, Lock()

    def known(self) -> Mapping[str, Tag]:
        """Nothing when the file is missing or torn: the registries are asked again."""
        try:
            return {name: Tag(**tag) for name, tag in read_sealed(self._path).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def remember(self, tags: Mapping[str, Tag], due: float) -> None:
        with suppress(OSError):
            put_sealed(self._path, {name: asdict(tag) for name, tag in sorted(tags.items())})
            os.utime(self._path, (due, due))

    def failed(self, reference: str) -> None:
        with self._lock, suppress(OSError):
            known, due = dict(self.known()), self._path.stat().st_mtime
            if reference in known:
                before = known[reference]
                self.remember(known | {reference: replace(before, digest="", failures=before.failures + 1)}, due)

"""`CiMemory` in one file of the state directory: `ci.json`, sealed, so that half of it is never believed."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reconciler.durable import put_sealed, read_sealed
from reconciler.model.gate import CiPage, CiRun
from reconciler.ports import Backoff, CiMemory, Remembered


class CiFile(CiMemory):
    """`state`: the state directory."""

    def __init__(self, state: Path) -> None:
        self._path = state / "ci.json"

    def known(self) -> Remembered:
        """Nothing when the file is missing or torn."""
        try:
            known = read_sealed(self._path)
            pages = {address: _page(page) for address, page in known["pages"].items()}
            seen = {sha: float(at) for sha, at in known["seen"].items()}
            return Remembered(seen, pages, Backoff(**known["backoff"]) if known["backoff"] else None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Remembered()

    def remember(self, remembered: Remembered) -> None:
        if remembered != self.known():
            with contextlib.suppress(OSError):
                put_sealed(self._path, asdict(remembered))


def _page(page: dict[str, Any]) -> CiPage:
    return CiPage(page["etag"], page["next"], tuple(CiRun(**run) for run in page["runs"]))

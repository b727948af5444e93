"""What on this host asks for a pass: the trigger, a push to a repository beside it, sentinels, its own file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.transport import is_local
from reconciler.model.settings import Settings
from sentinels import SentinelFolder

Stat = tuple[int, int, int] | None
"""Inode, size and time of change; None when there is nothing."""


@dataclass(frozen=True, slots=True)
class Sign:
    """How things stand. Names of sentinels only: to write one again asks for nothing."""

    trigger: Stat
    head: tuple[str, Stat]
    sentinels: tuple[str, ...]
    stamp: str | None
    file: Stat

    def asks(self, now: Sign) -> bool:
        """Whether somebody asked since; that the trigger is gone is its answer."""
        return now._rest() != self._rest() or (now.trigger is not None and now.trigger != self.trigger)

    def _rest(self) -> tuple[object, ...]:
        return (self.head, self.sentinels, self.stamp, self.file)


class Signs:
    """Where to look for them, for one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self._trigger, self._file = Path(settings.inbox.trigger), Path(settings.config_file)
        self._sentinels = Path(settings.state.directory) / "sentinels"
        self._repository = _repository(settings.repository.url)
        self._ref = f"refs/heads/{settings.repository.branch}"

    def folders(self) -> frozenset[str]:
        """The folders in which a sign changes; where one is missing, the one above it."""
        wanted = [self._trigger.parent, self._file.parent, self._file.resolve().parent]
        wanted += [self._sentinels, self._sentinels / "paused.d", self._sentinels / "blocked"]
        if self._repository:
            wanted += [self._repository, (self._repository / self._ref).parent]
        return frozenset(str(_existing(folder)) for folder in wanted)

    def now(self) -> Sign:
        sentinels = SentinelFolder(self._sentinels)
        names = tuple(sorted(entry.name for entry in sentinels.entries()))
        return Sign(_stat(self._trigger), self._head(), names, sentinels.stamp(), _stat(self._file))

    def _head(self) -> tuple[str, Stat]:
        """The branch of a repository on this machine; whatever cannot be read here is found by the next look."""
        if self._repository is None:
            return "", None
        try:
            head = (self._repository / self._ref).read_text("ascii")
        except (OSError, UnicodeDecodeError):
            head = ""
        return head, _stat(self._repository / "packed-refs")


def _repository(url: str) -> Path | None:
    """Where git keeps the refs of a repository on this machine (gitrepository-layout(5)); None for any other."""
    if not is_local(url):
        return None
    path = Path(url.removeprefix("file://"))
    return path / ".git" if (path / ".git").is_dir() else path


def _existing(folder: Path) -> Path:
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _stat(path: Path) -> Stat:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_ctime_ns

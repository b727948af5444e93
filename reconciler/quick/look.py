"""The quick look itself, and the record of the last full one that it compares with."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from reconciler import durable
from reconciler.git.worktree.disk import untouched
from reconciler.git.worktree.record import record_file
from reconciler.model.settings import Settings
from reconciler.quick.facts import INBOX, Doubt, Facts, facts
from reconciler.remote import remote_of


@dataclass(frozen=True, slots=True)
class Record:
    """What a full look that found nothing to do went by.

    `revision` is what git wanted, `checkout` the folder that holds it, `at` seconds since the boot that `facts` name.
    `packages`: there are package sets, and whoever builds them triggers a pass when he has: a trigger alone asks for a
    full look then. `patience`: seconds that the record is good for at most, 0 for no bound of its own.
    """

    revision: str
    checkout: str
    at: float
    facts: Facts
    packages: bool = False
    patience: float = 0.0


def gather(settings: Settings) -> Facts | None:
    """The facts before a full look; None when something only a full look can judge is among them."""
    try:
        return facts(settings)
    except (Doubt, OSError, ValueError, LookupError, TypeError):
        return None


def remember(
    settings: Settings, before: Facts, revision: str, checkout: str, *, packages: bool = False, waits: bool = False
) -> None:
    """A full look that began with these facts found nothing to do. Without room on the disk the next is full again.

    `packages`: the host has package sets; `waits`: some of them are being built.
    """
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    record = Record(revision, checkout, now, before, packages, settings.swarm.every if waits else 0.0)
    with suppress(OSError):
        durable.put_sealed(_file(settings), asdict(record))


def forget(settings: Settings) -> None:
    """A full look begins: until it ends well nothing is known."""
    with suppress(OSError):
        _file(settings).unlink()
        durable.sync_folder(_file(settings).parent)


def checked(settings: Settings) -> float:
    """When the record was made or found to hold the last time (seconds since the epoch); 0 when there is none."""
    try:
        return _file(settings).stat().st_mtime
    except OSError:
        return 0.0


def nothing_to_do(settings: Settings) -> Record | None:
    """The record when all is as it says; None means: look properly. For the holder of the pass lock."""
    begun = time.monotonic()
    try:
        record = Record(**durable.read_sealed(_file(settings)))
        if _fresh(record, settings) and not _registry_is_due(settings) and _holds(record, settings):
            os.utime(_file(settings))
            _beat(settings, time.monotonic() - begun)
            return record
    except Exception:  # noqa: BLE001, S110  whatever is wrong, the full look says it better
        pass
    return None


def _beat(settings: Settings, seconds: float) -> None:
    """The sign of life for those who watch from outside, when there are any."""
    if settings.heartbeat.textfile:
        from reconciler.adapters.heartbeat import Heartbeat

        state, textfile = Path(settings.state.directory), settings.heartbeat.textfile
        Heartbeat(state, textfile).quick(checked(settings), seconds)


def _fresh(record: Record, settings: Settings) -> bool:
    patience = min(settings.look.every, record.patience or settings.look.every)
    return 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - record.at < patience


def _registry_is_due(settings: Settings) -> bool:
    """The time of that file is when a registry is to be asked whether a tag has moved (adapters/image_tags.py)."""
    file = Path(settings.state.directory) / "images.json"
    return bool(settings.images.every) and file.exists() and file.stat().st_mtime <= time.time()


def _holds(record: Record, settings: Settings) -> bool:
    """The cheap first; the remote last."""
    clone = Path(settings.state.directory) / "repository.git"
    checkout = Path(record.checkout)
    return (
        _same(record, facts(settings))
        and untouched(record_file(clone, checkout), checkout, record.revision)
        and _head(settings, clone) == record.revision
    )


def _same(record: Record, now: Facts) -> bool:
    """Whoever has no package set is triggered for one thing alone, the branch, and that is looked at anyway."""
    before = record.facts
    if not record.packages:
        before, now = before | {INBOX: ""}, now | {INBOX: ""}
    return before == now


def _head(settings: Settings, clone: Path) -> str:
    ref = f"refs/heads/{settings.repository.branch}"
    until = time.monotonic() + settings.repository.deadline
    told = remote_of(settings).git(clone, "ls-remote", "origin", ref, until=until)
    heads = dict(line.split("\t")[::-1] for line in told.stdout.decode().splitlines())
    return heads.get(ref, "") if told.code == 0 else ""


def _file(settings: Settings) -> Path:
    return Path(settings.state.directory) / "quick-look"

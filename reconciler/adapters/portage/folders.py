"""The folders that a drone builds in: its own, bounded, and open to nobody else."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.errors import Terminal, Transient

_FETCHED = 14 * 86400.0
"""Seconds for which a package that was fetched from the binhost stays for other builds."""


@contextmanager
def usable() -> Iterator[None]:
    """Trouble of the disk with its advice: Transient."""
    try:
        yield
    except OSError as error:
        raise Transient(
            "E-DRONE-DISK",
            "the drone cannot use its folders",
            why=str(error),
            next="free space there, and check owner, mode and mount of drone.directory and of where builds go",
        ) from error


def own_folder(folder: Path) -> None:
    """Make it, where others may write beside it: what somebody else has put there is not used."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o755, parents=True)
    told = folder.lstat()
    if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.geteuid() or told.st_mode & stat.S_IWOTH:
        raise Terminal(
            "E-DRONE-FOLDER",
            f"{folder} is not ours to build in",
            why="it is a link, somebody else's, or open to everybody",
            next="take it away, or set drone.builds to a folder of the drone's own",
        )


def forget_old(fetched: Path) -> None:
    """Packages of the binhost that no build has asked for lately; the change time says when they came."""
    until = time.time() - _FETCHED
    for file in fetched.rglob("*"):
        if file.is_file() and file.stat().st_ctime < until:
            file.unlink(missing_ok=True)

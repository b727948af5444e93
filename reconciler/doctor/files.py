"""Owners, modes and sizes of the host's own files; contents are not read."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from reconciler.core.diagnosis.files import Kind, PathFacts, StateFacts
from reconciler.doctor.disks import mount_of


def look_at(path: str | Path, *, follow: bool = False) -> PathFacts:
    """What lies there; a link is not followed unless asked for."""
    try:
        status = os.stat(path, follow_symlinks=follow)
    except FileNotFoundError:
        return PathFacts(str(path), "missing")
    except OSError as error:
        return PathFacts(str(path), "other", problem=error.strerror or str(error))
    kind: Kind = "other"
    for is_it, name in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link")):
        if is_it(status.st_mode):
            kind = name  # type: ignore[assignment]
    readable = kind == "link" or os.access(path, os.R_OK)
    problem = "" if readable else "permission denied"
    return PathFacts(str(path), kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_size, problem)


def group_of(path: str) -> str:
    """The name of its group; "" when it has none, or nothing lies there."""
    try:
        return Path(path).group()
    except (OSError, KeyError):
        return ""


def below(folder: Path, *, follow: bool) -> tuple[PathFacts, ...]:
    """Everything below a folder that is no folder itself."""
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return tuple(look_at(path, follow=follow) for path in paths)


def probe_state(directory: str) -> StateFacts:
    """Whether a file can be written and synced there, or where the folder would be made."""
    folder = look_at(directory, follow=True)
    there = nearest_folder(directory)
    mount, kind = mount_of(there)
    writing, read_only = try_to_write(there) if folder.kind in ("directory", "missing") else ("", False)
    return StateFacts(folder, writing, read_only, mount, kind)


def nearest_folder(path: str) -> str:
    """The path, or the folder above it that is there already."""
    here = Path(path)
    while not here.exists() and here != here.parent:
        here = here.parent
    return str(here)


def try_to_write(folder: str) -> tuple[str, bool]:
    """Why a small file cannot be written and synced in a folder ("" when it can), and whether it is read-only.

    A full disk is told by the disks.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".reconciler-doctor-") as file:
            file.write(b"doctor")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "", False
        return error.strerror or str(error), error.errno == errno.EROFS
    return "", False

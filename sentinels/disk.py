"""Files that are whole or not there, and reading that never follows a link nor waits.

Writing: temporary file, fsync, rename, fsync of the folder. A name that starts with a dot is never a sentinel.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sentinels.format import LARGEST

RESERVED = 64 * 1024
"""Bytes: a block and what its folder may need to hold the name."""


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under a name. `problem` is "" for a plain file of ours; `identity` changes with the file."""

    data: bytes = b""
    problem: str = ""
    identity: str = ""


def look(path: Path) -> Found | None:
    """What lies there, or None when surely nothing does. Whatever cannot be looked at counts as there."""
    try:
        info = path.lstat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return Found(problem=f"cannot be looked at: {error}")
    identity = f"{info.st_dev}-{info.st_ino}-{info.st_ctime_ns}"
    if not stat.S_ISREG(info.st_mode):
        return Found(problem=_kind(info.st_mode), identity=identity)
    strange = f"it belongs to user {info.st_uid}" if info.st_uid not in (0, os.geteuid()) else ""
    try:
        data = _read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Found(problem=f"cannot be read: {error}", identity=identity)
    return Found(data, strange or ("" if data.strip() else "it is empty"), identity)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "it is a folder"
    return "it is a link, which is not followed" if stat.S_ISLNK(mode) else "it is not a regular file"


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, LARGEST)
    finally:
        os.close(descriptor)


def names(folder: Path) -> tuple[str, ...] | None:
    """The names of sentinels in a folder, sorted; () when there is no folder, None when it cannot be listed."""
    try:
        if folder.is_symlink():
            return None
        return tuple(sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")))
    except FileNotFoundError:
        return ()
    except OSError:
        return None


def write(path: Path, data: bytes) -> None:
    """Put the file there, whole or not at all, durably; the folder is made, and kept 0700. OSError."""
    make_folder(path.parent)
    if path.is_dir() and not path.is_symlink():
        put_away(path)
    draft = path.parent / f".{os.getpid()}-{secrets.token_hex(4)}.new"
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def make_folder(folder: Path) -> None:
    """A real folder, 0700, ours; missing parents are made too and each is durable."""
    if not folder.parent.exists():
        make_folder(folder.parent)
    try:
        folder.mkdir(mode=0o700)
        sync(folder.parent)
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def remove(path: Path) -> bool:
    """Take the name away, durably; whether there was one. A folder with something in it is put aside, not emptied."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except IsADirectoryError:
        put_away(path)
    sync(path.parent)
    return True


def put_away(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        path.rename(path.parent / f".cleared-{path.name[:100]}-{secrets.token_hex(4)}")


def sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tidy(folder: Path) -> None:
    """Remove the drafts of writers that died."""
    with suppress(OSError):
        for draft in folder.glob(".*-*.new"):
            pid = draft.name[1:].partition("-")[0]
            if pid.isdigit() and not Path("/proc", pid).exists():
                draft.unlink(missing_ok=True)


def reserve(path: Path) -> None:
    """A file that holds room for one more; without room for it there is nothing to hold."""
    with suppress(OSError):
        if path.exists():
            return
        make_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVED)
        finally:
            os.close(descriptor)

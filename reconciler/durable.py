"""Files that are whole or not there, and still there after a power cut (fsync(2), rename(2)).

Writing: temporary file, fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def put(path: Path, content: bytes, mode: int = 0o600, mtime: int | None = None) -> None:
    """Put content there, with exactly that mode; the folder is made. OSError, and then nothing has changed.

    `mtime`: of the file, in whole seconds since the epoch.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            if mtime is not None:
                os.utime(descriptor, (mtime, mtime))
            os.fsync(descriptor)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def put_sealed(path: Path, value: Any) -> None:
    """Put a value there as JSON behind its checksum. OSError."""
    body = json.dumps(value, separators=(",", ":")).encode()
    put(path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def read_sealed(path: Path) -> Any:
    """What `put_sealed` wrote; ValueError when it is torn, OSError when it cannot be read."""
    checksum, _, body = path.read_bytes().partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise ValueError(f"{path} does not fit its checksum")
    return json.loads(body)


def sync_folder(folder: Path) -> None:
    """What was renamed, made or removed in a folder is so on the disk too when this returns. OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

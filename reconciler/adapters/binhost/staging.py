"""Where uploads wait, a folder for each lease, until what they belong to is decided.

A file lies there under its checksums, so that its name appears with all of its content and not before: half of an
upload has no name that anybody asks for.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from reconciler.durable import sync_folder
from reconciler.errors import Refused, Transient
from reconciler.ports.swarm import Upload
from reconciler.swarm.binhost.admission import Sums

_BUILD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_KEPT = re.compile(r"([0-9a-f]{64})-([0-9a-f]{32})-([0-9a-f]{40})")


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that came in whole, and its name in the folder of the lease."""

    name: str
    sums: Sums


@contextmanager
def usable(what: str) -> Iterator[None]:
    """Trouble of the disk with its advice: Transient."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Transient(
                "E-BINHOST-FULL", f"the binhost cannot {what}", why=str(error), next="free space on its file system"
            ) from error
        raise Transient(
            "E-BINHOST-IO",
            f"the binhost cannot {what}",
            why=str(error),
            next="check owner, mode and mount of its folder; what was asked for is tried again",
        ) from error


class Staging:
    """Raises OSError. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, build: str, attempt: int) -> Path:
        """The folder of a lease; it need not be there. Refused for what no build is called."""
        if not _BUILD.fullmatch(build) or attempt < 0:
            raise Refused("E-BINHOST-PATH", f"{build[:80]!r} is no build", next="show the lease as it was given")
        return self._folder / build / str(attempt)

    def files(self, build: str, attempt: int) -> dict[str, Staged]:
        """What came in whole under a lease, by its sha256."""
        folder, found = self.of(build, attempt), {}
        for file in folder.glob("*-*-*"):
            if match := _KEPT.fullmatch(file.name):
                found[match[1]] = Staged(file.name, Sums(file.stat().st_size, match[2], match[3]))
        return found

    def leases(self) -> Sequence[tuple[str, int]]:
        folders = (folder for folder in sorted(self._folder.glob("*/*")) if folder.name.isdecimal())
        return [(folder.parent.name, int(folder.name)) for folder in folders if _BUILD.fullmatch(folder.parent.name)]

    def discard(self, build: str, attempt: int) -> None:
        folder = self.of(build, attempt)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        _remove_empty(folder.parent)

    def sweep(self) -> None:
        """What uploads left that were cut off by the end of the process."""
        for part in self._folder.glob("*/*/.part-*"):
            part.unlink(missing_ok=True)
        for folder in (*self._folder.glob("*/*"), *self._folder.glob("*")):
            _remove_empty(folder)

    def receive(self, build: str, attempt: int, size: int, sha256: str) -> Incoming:
        return Incoming(self.of(build, attempt), size, sha256)


class Incoming(Upload):
    """An upload that goes on."""

    def __init__(self, folder: Path, size: int, sha256: str) -> None:
        self._folder, self._size, self._sha256 = folder, size, sha256.lower()
        self._sums = [hashlib.sha256(), hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False)]
        self._got = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._part = folder / f".part-{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file: BinaryIO | None = open(os.open(self._part, flags, 0o644), "wb", buffering=0)  # noqa: SIM115  over several calls

    def write(self, data: bytes) -> None:
        assert self._file is not None, "nothing comes after keep or drop"
        self._got += len(data)
        if self._got > self._size:
            raise _unlike(f"more than {self._size} bytes came")
        for each in self._sums:
            each.update(data)
        rest = memoryview(data)
        with usable("take an upload"):
            while rest:
                rest = rest[self._file.write(rest) :]

    def keep(self) -> None:
        assert self._file is not None, "nothing comes after keep or drop"
        found = [each.hexdigest() for each in self._sums]
        if self._got != self._size:
            raise _unlike(f"{self._got} bytes came, and {self._size} were told")
        if found[0] != self._sha256:
            raise _unlike("its sha256 is another one than was told")
        with usable("keep an upload"):
            os.fchmod(self._file.fileno(), 0o644)
            os.fsync(self._file.fileno())
            self._close()
            os.replace(self._part, self._folder / "-".join(found))
            for folder in (self._folder, self._folder.parent, self._folder.parent.parent):
                sync_folder(folder)

    def drop(self) -> None:
        self._close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
            _remove_empty(self._folder)
            _remove_empty(self._folder.parent)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _unlike(why: str) -> Refused:
    return Refused("E-BINHOST-SUM", "the upload is not what was told of it", why=why, next="upload it again")


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty, or gone
        folder.rmdir()

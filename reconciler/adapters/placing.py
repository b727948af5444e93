"""Files and folders that take their place together or not at all: written beside, renamed, and undone on trouble."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.errors import Terminal


class Placing:
    """`with Placing() as placing:` stage, then `put()`; what was not put is gone when the block ends."""

    def __init__(self) -> None:
        self._staged: list[tuple[Path, Path]] = []
        self._made: list[Path] = []
        self._placed: list[tuple[Path, Path | None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for temporary, _ in self._staged:
            _remove(temporary)
        for folder in reversed(self._made):
            with suppress(OSError):  # somebody uses it by now
                folder.rmdir()

    def file(self, path: Path, content: bytes, mode: int, folder_mode: int = 0o755) -> None:
        """Stage a file. Folders that are missing are made with `folder_mode`. Terminal when that cannot be."""
        temporary = self._beside(path, folder_mode)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise _unwritable(path, error) from error

    def folder(self, path: Path) -> Path:
        """Stage a folder: where to fill it. Its place has to be free, or an empty folder."""
        temporary = self._beside(path, 0o755)
        try:
            temporary.mkdir()
        except OSError as error:
            raise _unwritable(path, error) from error
        return temporary

    def drop(self, temporary: Path) -> None:
        """What was staged there shall not take its place after all."""
        self._staged = [(here, path) for here, path in self._staged if here != temporary]
        _remove(temporary)

    def put(self) -> None:
        """Everything takes its place, in the order of staging; on trouble everything is as before. Terminal."""
        try:
            for temporary, path in self._staged:
                self._put(temporary, path)
        except OSError as error:
            self._undo()
            raise _unwritable(Path(str(error.filename2 or error.filename)), error) from error
        except BaseException:
            self._undo()
            raise
        for path, before in self._placed:
            if before is not None:
                _remove(before)
            _sync(path.parent)
        self._staged, self._made = [], []

    def make(self, folder: Path, mode: int) -> None:
        """A folder with all above it, unless it is there; it goes again when nothing takes its place in it."""
        try:
            for missing in [p for p in reversed((folder, *folder.parents)) if not p.exists()]:
                missing.mkdir(mode)
                self._made.append(missing)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def _beside(self, path: Path, folder_mode: int) -> Path:
        self.make(path.parent, folder_mode)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        self._staged.append((temporary, path))
        return temporary

    def _put(self, temporary: Path, path: Path) -> None:
        before = path.with_name(f".{path.name}.{os.getpid()}.before") if path.exists() else None
        if before is not None:
            os.rename(path, before)
        self._placed.append((path, before))
        os.rename(temporary, path)

    def _undo(self) -> None:
        for path, before in reversed(self._placed):
            _remove(path)
            if before is not None:
                with suppress(OSError):
                    os.rename(before, path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> Terminal:
    return Terminal(
        "E-INIT-WRITE",
        f"cannot write {path}",
        why=error.strerror or str(error),
        next="run as root, or name another place (--config, --repository, --directory)",
        unchanged="nothing was written",
    )

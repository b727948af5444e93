"""Changing the files of a working tree: written beside, then renamed; reached through folders that are no links."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler.errors import Terminal, Transient
from reconciler.git.objects import Objects
from reconciler.git.worktree.disk import Found
from reconciler.git.worktree.plan import Write
from reconciler.git.worktree.record import fingerprint
from reconciler.model.repository import EntryKind

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_SYNCED_ONE_BY_ONE = 64  # more files or folders than that are synced with their whole file system: faster by far


@contextlib.contextmanager
def told(root: Path) -> Iterator[None]:
    """Faults of the file system as errors of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Transient(
                "E-DISK-FULL",
                f"no room to check out into {root}",
                why=error.strerror or "",
                next="make room; the next tick completes the check-out",
                unchanged="every file holds its old or its new content, none is cut short",
            ) from error
        raise Transient(
            "E-CHECKOUT-IO",
            f"the working tree {root} could not be changed",
            why=str(error),
            next="check owner, mode and mount of that path; the next tick completes the check-out",
            unchanged="every file holds its old or its new content, none is cut short",
        ) from error


def make_root(root: Path) -> None:
    """Create the working tree's folder, readable for all, when it is missing."""
    if root.is_dir():
        return
    if root.exists() or root.is_symlink():
        raise Terminal(
            "E-CHECKOUT-DIRECTORY",
            f"{root} is no folder",
            why="the working tree has to be one",
            next="move it away, or set another working tree in the host's configuration",
        )
    root.parent.mkdir(parents=True, exist_ok=True)
    root.mkdir()
    root.chmod(0o755)


class Hand:
    """Writes into one working tree. Every path is reached folder by folder; a symlink among them is an OSError."""

    def __init__(self, root: Path, objects: Objects, aside: Path) -> None:
        self._root, self._objects, self._aside = root, objects, aside
        self._touched: dict[str, int] = {}  # folder -> its device

    # ---- copying aside

    def copy_aside(self, path: str, found: Found, *, durable: bool) -> None:
        """Copy a file to `<aside>/<path>`; a copy that this run made earlier stays, and the new one is numbered."""
        for private in (self._aside.parent, self._aside):  # what was edited on a host may hold secrets
            private.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self._place_aside(path)
        temporary = target.with_name(temporary_name(target.name))
        temporary.unlink(missing_ok=True)
        try:
            with self._folder(path) as (folder, name):
                self._require_same(folder, name, path, found)
                if found.is_link:
                    os.symlink(os.readlink(name, dir_fd=folder), temporary)
                else:
                    _copy(folder, name, temporary, found, durable=durable)
            temporary.rename(target)
            if durable:
                self._sync_aside(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _sync_aside(self, target: Path) -> None:
        for folder in target.parents:
            with _opened(folder) as handle:
                os.fsync(handle)
            if folder == self._aside.parent:
                break

    def _place_aside(self, path: str) -> Path:
        *folders, name = path.split("/")
        here = self._aside
        for each in folders:
            here = next(place for place in _numbered(here / each) if not os.path.lexists(place) or _real_folder(place))
            here.mkdir(exist_ok=True, mode=0o700)
        return next(place for place in _numbered(here / name) if not os.path.lexists(place))

    # ---- removing

    def remove(self, path: str, found: Found) -> None:
        with self._folder(path) as (folder, name):
            self._require_same(folder, name, path, found)
            os.unlink(name, dir_fd=folder)

    def remove_empty_folders(self, paths: Iterable[str]) -> None:
        """Remove the folders of removed files, upwards, as far as nothing else is in them."""
        for path in sorted(paths, reverse=True):
            while path := path.rpartition("/")[0]:
                try:
                    with self._folder(path) as (folder, name):
                        os.rmdir(name, dir_fd=folder)
                except FileNotFoundError:
                    continue
                except OSError:  # not empty, or a mount point
                    break

    def clear_folder(self, path: str) -> None:
        """Remove a folder that holds nothing but folders."""
        try:
            with self._folder(path) as (folder, name):
                if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                    return
                for _, inner, _, here in os.fwalk(name, topdown=False, dir_fd=folder):
                    for each in inner:
                        os.rmdir(each, dir_fd=here)
                os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            return

    # ---- writing

    def stage(self, writes: list[Write]) -> None:
        """Write the new files beside the old ones, durably. When it fails, none is left behind."""
        one_by_one = len(writes) <= _SYNCED_ONE_BY_ONE
        try:
            for write in writes:
                self._stage(write, durable=one_by_one)
        except OSError:
            self.unstage(write.path for write in writes)
            raise
        if not one_by_one:
            self._sync_file_systems()

    def _stage(self, write: Write, *, durable: bool) -> None:
        content = self._objects.blob(write.id)
        with self._folder(write.path, make=True) as (folder, name):
            self._touched[write.path.rpartition("/")[0]] = os.fstat(folder).st_dev
            temporary = temporary_name(name)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            if write.kind == "symlink":
                os.symlink(content, os.fsencode(temporary), dir_fd=folder)
                return
            handle = os.open(temporary, _NEW, 0o600, dir_fd=folder)
            try:
                _write_all(handle, content)
                if write.found is not None:
                    _keep_owner(handle, write.found.stat)
                os.fchmod(handle, _mode(write.kind))
                if durable:
                    os.fsync(handle)
            finally:
                os.close(handle)

    def unstage(self, paths: Iterable[str]) -> None:
        """Remove temporary files, as far as there are any."""
        for path in paths:
            with contextlib.suppress(OSError), self._folder(path) as (folder, name):
                os.unlink(temporary_name(name), dir_fd=folder)

    def place(self, write: Write) -> os.stat_result:
        """Put the staged file in its place, if there is still what the plan saw."""
        with self._folder(write.path) as (folder, name):
            self._require_same(folder, name, write.path, write.found)
            os.rename(temporary_name(name), name, src_dir_fd=folder, dst_dir_fd=folder)
            return os.lstat(name, dir_fd=folder)

    def set_mode(self, write: Write) -> os.stat_result:
        with self._folder(write.path) as (folder, name):
            self._require_same(folder, name, write.path, write.found)
            os.chmod(name, _mode(write.kind), dir_fd=folder)
            return os.lstat(name, dir_fd=folder)

    def sync(self) -> None:
        """What was put in its place is there on the disk too when this returns."""
        if len(self._touched) > _SYNCED_ONE_BY_ONE:
            return self._sync_file_systems()
        for path in self._touched:
            with _opened(self._root / path) as folder:
                os.fsync(folder)

    def _sync_file_systems(self) -> None:
        import ctypes  # costs more than most check-outs, which never come here

        libc = ctypes.CDLL(None, use_errno=True)
        for path in {device: path for path, device in self._touched.items()}.values():
            with _opened(self._root / path) as folder:
                if libc.syncfs(folder) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    # ---- reaching

    @contextlib.contextmanager
    def _folder(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder of `path` and its last name."""
        *folders, name = path.split("/")
        handle = os.open(self._root, _FOLDER)
        try:
            for each in folders:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(each, dir_fd=handle)
                        os.chmod(each, 0o755, dir_fd=handle)  # noqa: S103  containers read it, whatever our umask says
                inner = os.open(each, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = inner
            yield handle, name
        finally:
            os.close(handle)

    def _require_same(self, folder: int, name: str, path: str, found: Found | None) -> None:
        try:
            now = fingerprint(os.lstat(name, dir_fd=folder))
        except FileNotFoundError:
            now = None
        if now != (fingerprint(found.stat) if found else None):
            raise Transient(
                "E-CHECKOUT-RACED",
                f"{path} changed while it was being checked out",
                why=f"something on this host writes to {self._root / path} right now",
                next="the next tick looks again; find the writer if this stays",
            )


def temporary_name(name: str) -> str:
    """Where the new content of a file waits: the same for every try, so that the next one finds what was left."""
    return f".reconciler-{hashlib.sha256(os.fsencode(name)).hexdigest()[:20]}"


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, _FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


def _mode(kind: EntryKind) -> int:
    return 0o755 if kind == "executable" else 0o644


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _keep_owner(handle: int, old: os.stat_result) -> None:
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.fchown(handle, old.st_uid, old.st_gid)


def _copy(folder: int, name: str, target: Path, found: Found, *, durable: bool) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        copy = os.open(target, _NEW, 0o600)
        try:
            while chunk := os.read(source, _CHUNK):
                _write_all(copy, chunk)
            _keep_owner(copy, found.stat)
            os.fchmod(copy, found.stat.st_mode & 0o777)  # setuid has no meaning on a copy, and a service may not set it
            if durable:
                os.fsync(copy)
        finally:
            os.close(copy)
    finally:
        os.close(source)


def _numbered(path: Path) -> Iterator[Path]:
    """The path itself, then path~1, path~2 and so on."""
    yield path
    yield from (path.with_name(f"{path.name}~{number}") for number in itertools.count(1))


def _real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()

"""The repository of the desired state: a bare clone of our own, fetched with the system's git, read with pygit2.

Fetching is left to git, as a child that can be killed: libgit2 keeps no deadline in every case.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from reconciler.durable import sync_folder
from reconciler.errors import ReconcilerError, Terminal, Transient
from reconciler.git.objects import DAMAGED, SHA, GitTree, Objects
from reconciler.git.transport import Transport
from reconciler.git.worktree.worktree import Worktree
from reconciler.model.repository import Change, CheckoutReport, Commit, LeftAlone

_RUNS = "refs/reconciler/runs"
_KEPT_RUNS = 5  # what the last few passes fetched stays reachable, also after a force push
_RUN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.|lock$|$))*")
_LEAST_FREE = 1 << 20  # bytes; less than this and a failed fetch is laid to the full disk


class GitRepository:
    """ports.Repository over one remote and branch. The caller holds the pass lock."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("fetch", "checkout")

    def __init__(
        self,
        directory: Path,
        remote: Transport,
        branch: str,
        *,
        deadline: float,
        displaced: Path,
    ) -> None:
        self._directory, self._branch, self._deadline, self._displaced = directory, branch, deadline, displaced
        self._remote = remote

    @cached_property
    def _objects(self) -> Objects:
        return Objects(self._directory)

    # ---- fetching

    def fetch(self, run: str) -> str:
        if not _RUN_NAME.fullmatch(run):
            raise ValueError(f"not a name for a run: {run!r}")
        until = time.monotonic() + self._deadline
        if not _sound(self._directory):
            return self._clone(run, until)
        _remove_leftovers(self._directory)
        try:
            head = self._fetch_into(self._directory, run, until)
        except _OurOwnFault:
            return self._clone(run, until)
        self._sweep(until)
        return head

    def _fetch_into(self, directory: Path, run: str, until: float, *options: str) -> str:
        """The head now in the ref of `run`; _OurOwnFault when the remote is well and the fetch fails all the same."""
        ref = f"{_RUNS}/{run}"
        done = self._remote.git(
            directory, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
            "--no-recurse-submodules", *options, "origin", f"+refs/heads/{self._branch}:{ref}", until=until,
        )  # fmt: skip
        if done.code == 0 and SHA.fullmatch(head := _loose_ref(directory, ref)):
            return head
        _require_space(directory)
        why = self._remote.failure(self._branch, done, until)
        raise why or _OurOwnFault(self._remote.unexplained(done.stderr))

    def _clone(self, run: str, until: float) -> str:
        """Clone beside, verify, swap: what is there is not deleted before its replacement stands in its place."""
        parent, name = self._directory.parent, self._directory.name
        parent.mkdir(parents=True, exist_ok=True)
        self._remove_beside("new")
        new = parent / f"{name}.new-{run}"
        try:
            head = self._fill(new, run, until)
            self._salvage(new, until)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        self._swap(new, run)
        return head

    def _fill(self, new: Path, run: str, until: float) -> str:
        made = self._remote.git(new, "init", "--quiet", "--bare", "--template=", str(new), until=until)
        if made.code != 0:
            _require_space(new.parent)
            raise _unusable(new, made.stderr)
        try:
            head = self._fetch_into(new, run, until, "--update-shallow")  # so that we see it, instead of a mere "no"
        except _OurOwnFault as fault:
            raise fault.unexplained from None
        if (new / "shallow").exists():
            raise _shallow_remote(self._remote.shown)
        checked = self._remote.git(new, "fsck", "--connectivity-only", "--no-progress", "--no-dangling", until=until)
        if checked.code != 0:
            raise _unusable(new, checked.stderr)
        return head

    def _salvage(self, new: Path, until: float) -> None:
        """Take over what earlier passes had fetched, as far as it can be read: after a force push only we have it."""
        for old in (self._directory, *self._directory.parent.glob(f"{self._directory.name}.broken-*")):
            for ref in _loose_runs(old):
                with contextlib.suppress(ReconcilerError):
                    name = f"{_RUNS}/{ref.name}"
                    if not (new / name).exists():
                        self._remote.git(
                            new, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
                            "--upload-pack=git -c 'safe.directory=*' upload-pack", str(old), f"+{name}:{name}",
                            until=until,
                        )  # fmt: skip

    def _swap(self, new: Path, run: str) -> None:
        parent, name = self._directory.parent, self._directory.name
        if self._directory.exists():
            self._directory.rename(_unused(parent / f"{name}.broken-{run}"))
        new.rename(self._directory)
        sync_folder(parent)
        self._remove_beside("broken")
        self.__dict__.pop("_objects", None)

    def _remove_beside(self, what: str) -> None:
        for leftover in self._directory.parent.glob(f"{self._directory.name}.{what}-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _sweep(self, until: float) -> None:
        """Old refs, and what a kill left of a swap: the clone in place is whole, and took over all it could."""
        self._remove_beside("new")
        self._remove_beside("broken")
        for ref in _loose_runs(self._directory)[_KEPT_RUNS:]:
            self._remote.git(self._directory, "update-ref", "-d", f"{_RUNS}/{ref.name}", until=until)

    # ---- reading

    def has(self, sha: str) -> bool:
        return self._objects.has(sha)

    def is_descendant(self, sha: str, of: str) -> bool:
        return self._objects.is_descendant(sha, of)

    def first_parents(self, sha: str, until: str = "", most: int = 0) -> tuple[str, ...]:
        return self._objects.first_parents(sha, until, most)

    def root(self, sha: str) -> str:
        return self._objects.root(sha)

    def commit(self, sha: str) -> Commit:
        return self._objects.commit(sha)

    def tree(self, sha: str) -> GitTree:
        return self._objects.tree(sha)

    def tree_id(self, sha: str) -> str:
        return self._objects.tree_id(sha)

    def changes(self, base: str, target: str) -> tuple[Change, ...]:
        return self._objects.changes(base, target)

    def log(self, base: str, target: str, most: int) -> tuple[tuple[Commit, ...], int]:
        chain = self._objects.first_parents(target, base)
        return tuple(map(self._objects.commit, chain[:most])), len(chain[most:])

    # ---- the working tree

    def checkout_obstacles(self, sha: str, directory: str) -> tuple[str, ...]:
        return self._worktree(directory).obstacles(sha)

    def checkout_drift(self, sha: str, directory: str) -> tuple[str, ...]:
        return self._worktree(directory).drift(sha)

    def checkout(self, sha: str, directory: str, run: str, leave: LeftAlone = LeftAlone()) -> CheckoutReport:
        return self._worktree(directory).checkout(sha, run, leave)

    def _worktree(self, directory: str) -> Worktree:
        return Worktree(self._objects, Path(directory), displaced=self._displaced)


class _OurOwnFault(Exception):
    """The remote is well: what fails is the clone. Carries what to say when a fresh clone fails as well."""

    def __init__(self, unexplained: ReconcilerError) -> None:
        super().__init__(str(unexplained))
        self.unexplained = unexplained


def _sound(directory: Path) -> bool:
    """A cheap look at a clone: what a crash or a bad disk is known to leave behind makes it unsound."""
    spoilt = (directory / mark for mark in (DAMAGED, "shallow", "info/grafts"))
    if any(mark.exists() for mark in spoilt):
        return False
    try:
        if not all((directory / name).stat().st_size for name in ("HEAD", "config", "objects")):
            return False
        refs = (path for path in (directory / "refs").rglob("*") if path.is_file() and path.suffix != ".lock")
        return all(SHA.fullmatch(path.read_text("ascii").strip()) for path in refs)
    except (OSError, UnicodeDecodeError):
        return False


def _remove_leftovers(directory: Path) -> None:
    """Locks and half packs of a killed git: all are stale, since this pass holds the pass lock."""
    for pattern in ("*.lock", "refs/**/*.lock", "objects/info/**/*.lock", "objects/pack/tmp_*"):
        for leftover in directory.glob(pattern):
            leftover.unlink(missing_ok=True)


def _loose_ref(directory: Path, ref: str) -> str:
    try:
        return (directory / ref).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _loose_runs(directory: Path) -> list[Path]:
    """The refs of earlier passes, newest first."""
    folder = directory / _RUNS
    if not folder.is_dir():
        return []
    refs = [ref for ref in folder.iterdir() if ref.suffix != ".lock"]
    return sorted(refs, key=lambda ref: ref.stat().st_mtime_ns, reverse=True)


def _require_space(directory: Path) -> None:
    free = os.statvfs(directory)
    if free.f_bavail * free.f_frsize < _LEAST_FREE or (free.f_files and not free.f_favail):
        raise Transient(
            "E-DISK-FULL",
            "the disk of the state directory is full",
            why=f"{free.f_bavail * free.f_frsize} bytes are free beside {directory}",
            next="make room; the next tick goes on by itself",
            unchanged="everything that runs",
        )


def _unusable(directory: Path, stderr: bytes) -> Transient:
    return Transient(
        "E-GIT-CORRUPT",
        "a fresh clone could not be made or did not pass its check",
        why=stderr.decode("utf-8", "replace").strip()[-500:],
        next=f"look for a failing disk or missing rights at {directory.parent}; run git fsck on the remote",
    )


def _shallow_remote(shown: str) -> Terminal:
    return Terminal(
        "E-GIT-SHALLOW",
        f"{shown} does not hold the whole history",
        why="it is a shallow clone itself; ancestry read from it would be wrong",
        next="run git fetch --unshallow there, or name the repository that it came from",
    )


def _unused(path: Path) -> Path:
    number = 0
    while (candidate := path.with_name(f"{path.name}{f'.{number}' if number else ''}")).exists():
        number += 1
    return candidate

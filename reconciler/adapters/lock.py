"""One pass at a time, and no trigger lost: `<state>/pass.lock` (flock) and the marker `<state>/again`.

The kernel frees the lock when its holder dies, however it dies. The descriptor is close-on-exec, so that no child
keeps it. The text in the file is for people; only the lock itself decides.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from reconciler.durable import sync_folder
from reconciler.errors import Busy, Transient

T = TypeVar("T")
TEXT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: process id, since when (seconds since the epoch), why, and the id of its run."""

    pid: int
    since: float
    why: str
    run: str = ""


class PassLock:
    """The lock of one state directory (made when missing). Not for sharing between threads."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("acquire", "release", "leave_again", "take_again")

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        self._path = self._directory / "pass.lock"
        self._again = self._directory / "again"
        self._descriptor: int | None = None

    def acquire(self, holder: Holder) -> None:
        """Take the lock without waiting. Busy (exit 75) names who has it; Transient when the file cannot be used."""
        if self._descriptor is not None:
            raise RuntimeError("this process holds the pass lock already")
        with _usable(self._path):
            self._directory.mkdir(parents=True, exist_ok=True)
            descriptor = self._lock()
            if descriptor is None:
                raise self._busy()
            self._descriptor = descriptor
            with suppress(OSError):  # a full disk costs the words, not the lock
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _text(holder), 0)

    def release(self) -> None:
        """Let go; nothing happens when it is not held."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> Holder | None:
        """What the file says; None when it says nothing. After a kill it may still name the dead process."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return _parse(os.pread(descriptor, TEXT_BYTES, 0))
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def leave_again(self, trigger: str | Path = "") -> None:
        """Ask whoever holds the lock to go once more, then consume the file `trigger`: in this order none is lost."""
        with _usable(self._again):
            self._directory.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._again, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            sync_folder(self._directory)
        _take_away(trigger)

    def take_again(self) -> bool:
        """Consume the marker; whether there was one. Who gets True owes a pass."""
        with _usable(self._again):
            try:
                self._again.unlink()
            except FileNotFoundError:
                return False
            sync_folder(self._directory)
            return True

    def take_turns(self, holder: Callable[[], Holder], one_pass: Callable[[], T], trigger: str | Path = "") -> T:
        """Run one pass under the lock, and once more as long as somebody left `again`; return the last answer.

        Busy when another pass holds the lock; then `again` is left for it and `trigger` is consumed. The lock is
        tried once more after leaving `again`: a holder that let go in between would never see it.
        `one_pass` should answer rather than raise; when it raises, a marker left meanwhile waits for the next pass.
        """
        answers: list[T] = []
        while True:
            try:
                self._acquire_or_leave(holder, trigger)
            except Busy:
                if answers:
                    return answers[-1]  # the marker lies there again, for that other pass
                raise
            try:
                self.take_again()  # whatever was asked until now, this pass answers
                answers.append(one_pass())
            finally:
                self.release()
            if not self.take_again():
                return answers[-1]

    def hold(self, holder: Holder, work: Callable[[], T], trigger: str | Path = "") -> T:
        """Do something under the lock that is no pass. Busy when another has it.

        A pass that was turned away meanwhile has left `again`, and nobody would look at it before the next tick: the
        `trigger` is put back, where there is a folder for it.
        """
        self.acquire(holder)
        try:
            return work()
        finally:
            self.release()
            if trigger and self._again.exists():
                with suppress(OSError):
                    os.close(os.open(trigger, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660))

    def _acquire_or_leave(self, holder: Callable[[], Holder], trigger: str | Path) -> None:
        try:
            self.acquire(holder())
        except Busy:
            self.leave_again(trigger)
            self.acquire(holder())
        else:
            _take_away(trigger)

    def _lock(self) -> int | None:
        """A locked descriptor of the file that the path names now, or None when another process has it."""
        while True:
            flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), self._path.lstat()):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # it was deleted between opening and locking: a lock on it keeps nobody out

    def _busy(self) -> Busy:
        holder = self.holder()
        if holder is None:
            return Busy("E-LOCK-BUSY", "another pass is starting", next="try again in a moment")
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.since))
        named = f"run {holder.run}, " if holder.run else ""
        return Busy(
            "E-LOCK-BUSY",
            f"another pass holds the lock: {named}process {holder.pid}, since {since}",
            why=holder.why,
            next="wait for it to end; it goes once more for a trigger that came meanwhile",
        )


def _text(holder: Holder) -> bytes:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(holder.since))
    why = " ".join(holder.why.split())[:500]
    lines = f"pid: {holder.pid}\nsince: {since} ({holder.since!r})\nrun: {holder.run}\nwhy: {why}\n"
    return lines.encode("utf-8", "replace")


def _parse(data: bytes) -> Holder | None:
    fields = dict(line.split(": ", 1) for line in data.decode("utf-8", "replace").splitlines() if ": " in line)
    try:
        since = float(fields["since"].partition("(")[2].rstrip(")"))
        time.gmtime(since)
        return Holder(int(fields["pid"]), since, fields.get("why", ""), fields.get("run", ""))
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _take_away(trigger: str | Path) -> None:
    """Whatever others, who may write in that folder, have made of it: it keeps nobody from a pass."""
    if not trigger:
        return
    with suppress(OSError):
        if Path(trigger).is_dir() and not Path(trigger).is_symlink():
            import shutil

            shutil.rmtree(trigger)
        else:
            Path(trigger).unlink()


@contextmanager
def _usable(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "free space on its file system" if full else "check owner, mode and mount of the state directory"
        raise Transient("E-LOCK-FILE", f"cannot use {path}", why=str(error), next=advice) from error

"""Deploys that wait for their turn: a file for each in `<state>/deploys`, locked as long as its process lives."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.errors import Transient

_SHA = re.compile(r"[0-9a-f]{40}")


class WaitingDeploys:
    """`state`: the state directory. What a dead process left counts for nothing, and is swept by whoever looks."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "deploys"

    @contextmanager
    def waiting_for(self, revision: str, run: str) -> Iterator[None]:
        """As long as this lasts, `revision` waits for its turn. Transient when the state directory is not writable."""
        path = self._folder / run
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Transient(
                "E-STATE",
                f"cannot write {path}",
                why=error.strerror or str(error),
                next="check owner, mode and room of the state directory",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(OSError):  # without room for it nobody steps aside for us, and that is all
                os.pwrite(descriptor, f"{revision}\n".encode(), 0)
            yield
        finally:
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)

    def waiting(self) -> tuple[str, ...]:
        """The revisions that live deploys go for (40 hex)."""
        try:
            found = sorted(self._folder.iterdir())
        except OSError:
            return ()
        return tuple(filter(None, map(_revision_of, found)))


def _revision_of(path: Path) -> str:
    """ "" for what nobody holds any more."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 41, 0).decode("ascii", "replace").strip()
        return text if _SHA.fullmatch(text) else ""
    else:
        with suppress(OSError):
            path.unlink()
        return ""
    finally:
        os.close(descriptor)

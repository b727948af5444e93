"""Standard output and error as they come: a pipe that closes, a journal, a terminal without Unicode, or nothing at all.

Whoever listens never changes the outcome: a reader that goes away is no reason to stop half-way.
"""

from __future__ import annotations

import codecs
import errno
import os
import sys
from contextlib import suppress
from typing import TextIO

ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6
"""Priorities of syslog, as sd-daemon(3) writes them in front of a line."""

_PLAIN = {"±": "+/-", "→": "->", "✓": "ok", "✗": "x", "·": "-"}


class Unwritable(Exception):
    """Standard output takes nothing more, as on a full disk; `__cause__` says why."""


def ready() -> None:
    """Make the three standard descriptors usable, whatever the caller left of them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # else the next file that is opened, perhaps the ledger, would be our standard output
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error("reconciler", _without_unicode)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="reconciler")  # type: ignore[union-attr]


def say(line: str) -> None:
    """One line of a result, to standard output. Unwritable when that fails though somebody reads."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise Unwritable from error
        _silence(sys.stdout)


def tell(line: str, priority: int = INFO) -> None:
    """One line to people, on standard error; the journal gets its priority. Never fails."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"<{priority}>{line}\n" if to_journal(sys.stderr) else f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence(sys.stderr)


def show_error(line: str) -> None:
    """One line of a result that belongs on standard error, without a priority. Never fails."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence(sys.stderr)


def to_journal(stream: TextIO) -> bool:
    """Whether systemd's journal reads the stream (systemd.exec(5), JOURNAL_STREAM).

    The variable alone does not tell: every shell below a user's session inherits it.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def finish() -> bool:
    """Write out what is left; whether that worked."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _silence(sys.stdout)
        return error.errno == errno.EPIPE
    return True


def _silence(stream: TextIO) -> None:
    """Let the rest go nowhere, so that the interpreter's own flush at the end does not fail."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _without_unicode(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end

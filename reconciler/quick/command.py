"""`reconciler converge` as a timer asks for it: answered here when a quick look is enough."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Sequence

from reconciler.adapters.lock import Holder, PassLock
from reconciler.errors import ReconcilerError
from reconciler.quick.look import checked, nothing_to_do
from reconciler.settings import load_settings

_FLAGS = frozenset(("--yes", "-q", "--quiet", "--no-input", "--no-color"))


def answer(arguments: Sequence[str]) -> int | None:
    """The exit code when there was nothing to do; None: the whole program has to look, and to say what is wrong."""
    config = _config_of(arguments)
    if config is None or _somebody_watches():
        return None
    try:
        return _answer(config)
    except ReconcilerError:
        return None
    except KeyboardInterrupt:
        return 130


def _answer(config: str) -> int | None:
    begun, settings = time.monotonic(), load_settings(config or None)
    if not checked(settings):
        return None
    holder = Holder(os.getpid(), time.time(), "a quick look")
    lock = PassLock(settings.state.directory)
    record = lock.take_turns(lambda: holder, lambda: nothing_to_do(settings), settings.inbox.trigger)
    if record is None:
        return None
    return _say(f"Nothing to do at {record.revision[:7]}  (quick look, {time.monotonic() - begun:.1f} s)\n")


def _config_of(arguments: Sequence[str]) -> str | None:
    """The file that --config names, or ""; None when more is asked for than this can do."""
    config, rest = "", list(arguments)
    words: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "--config" and rest:
            config = rest.pop(0)
        elif word.startswith("--config="):
            config = word.removeprefix("--config=")
        elif word not in _FLAGS:
            words.append(word)
    return config if words == ["converge"] else None


def _somebody_watches() -> bool:
    """A person at a terminal gets a full look. So does a caller that closed one of the three streams."""
    return any(stream is None or stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _say(line: str) -> int:
    try:
        os.write(1, line.encode())
    except OSError as error:
        return int(error.errno != errno.EPIPE)  # a reader that went away is no failure
    return 0

"""Checks side by side: one that breaks is a finding and not the end, one that hangs is left behind."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from reconciler.errors import ReconcilerError
from reconciler.model.diagnosis import Finding

T = TypeVar("T")
Check = Callable[[], Iterable[Finding]]


class Once(Generic[T]):
    """A fact that several checks ask for and that is gathered once, by whoever comes first."""

    def __init__(self, gather: Callable[[], T]) -> None:
        self._gather, self._lock = gather, threading.Lock()
        self._found: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._found:
                self._found.append(self._gather())
            return self._found[0]


def examine(checks: Mapping[str, Check], seconds: float) -> tuple[Finding, ...]:
    """What all of them found, in their order. After `seconds` those that are not done are told as such.

    Their threads are daemons: a file system that never answers must not keep the program from ending.
    """
    done: queue.SimpleQueue[tuple[str, tuple[Finding, ...]]] = queue.SimpleQueue()
    for name, check in checks.items():
        threading.Thread(target=lambda n=name, c=check: done.put((n, _looked(n, c))), daemon=True).start()
    found: dict[str, tuple[Finding, ...]] = {}
    until = time.monotonic() + seconds
    while len(found) < len(checks):
        try:
            name, findings = done.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        found[name] = findings
    return tuple(finding for name in checks for finding in found.get(name, (_late(name, seconds),)))


def _looked(name: str, check: Check) -> tuple[Finding, ...]:
    try:
        return tuple(check())
    except ReconcilerError as error:
        return (Finding(name, "fail", f"{error}", why=error.why, next=error.next),)
    except Exception as error:  # noqa: BLE001  whatever it was, the other checks go on
        last = traceback.extract_tb(error.__traceback__)[-1]
        return (
            Finding(
                name,
                "fail",
                f"this check itself failed: {type(error).__name__}: {error}",
                why=f"{last.filename}:{last.lineno}, a mistake in reconciler or a host that nobody thought of",
                next="report it with these lines",
            ),
        )


def _late(name: str, seconds: float) -> Finding:
    return Finding(
        name,
        "fail",
        f"this check did not end within {seconds:g} s",
        why="something that it asks does not answer: a network file system, a name server, an engine",
        next="look at what hangs on this machine: ps -eo pid,stat,wchan:20,args | awk '$2 ~ /^D/'",
    )

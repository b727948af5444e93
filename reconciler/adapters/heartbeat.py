"""The heartbeat of a host in files: what the program itself remembers, and what node_exporter reads."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from reconciler import durable
from reconciler.core.heartbeat import after_a_quick_look, metrics
from reconciler.model.heartbeat import Beat


class Heartbeat:
    """`state`: the state directory; `textfile`: where the metrics go, "" for nowhere.

    Nothing is raised: a host that cannot say that it lives is noticed by its silence.
    """

    def __init__(self, state: Path, textfile: str = "") -> None:
        self._record, self._busy = state / "heartbeat", state / "busy"
        self._textfile = Path(textfile) if textfile else None

    def read(self) -> Beat:
        """The latest; an empty one when there is none, or when it is damaged."""
        try:
            return Beat(**durable.read_sealed(self._record))
        except (OSError, ValueError, TypeError):
            return Beat()

    def write(self, beat: Beat) -> None:
        """After a full look."""
        with suppress(OSError):
            durable.put_sealed(self._record, asdict(beat))
        self._show(beat)

    def quick(self, now: float, seconds: float) -> None:
        """After a quick look: the program itself knows of it from elsewhere."""
        if self._textfile:
            self._show(after_a_quick_look(self.read(), now, seconds))

    def busy(self) -> None:
        """Another pass has the lock; its own beat must not be overwritten, so only a file's time tells."""
        with suppress(OSError):
            self._busy.touch()

    def _show(self, beat: Beat) -> None:
        if self._textfile:
            with suppress(OSError):
                beat = replace(beat, busy=self._busy.stat().st_mtime)
            with suppress(OSError):
                durable.put(self._textfile, metrics(beat).encode(), 0o644)

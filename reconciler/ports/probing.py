"""What probes look at from the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from reconciler.model.probe import HttpAnswer


class Probing(Protocol):
    """Looks, and changes nothing. Trouble is an answer, not an exception: things may not be up yet."""

    EFFECTS: ClassVar[tuple[str, ...]] = ()

    def http(self, url: str, headers: Mapping[str, str], timeout: float, *, insecure: bool) -> HttpAnswer:
        """The answer to a GET; no redirect is followed, no proxy used, and 1 MiB of the body kept."""

    def tcp(self, host: str, port: int, timeout: float) -> str:
        """Why nobody takes a connection there; "" when somebody does."""

    def read(self, path: str) -> bytes | None:
        """The first MiB of a plain file; None when there is none, or it cannot be read."""

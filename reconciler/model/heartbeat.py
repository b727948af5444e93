"""What a host says of itself after every pass, for those who watch from outside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beat:
    """Moments in seconds since the epoch, 0 for never. `at`: the latest pass, `success`: the latest that ended well.

    `code` and `failed` are those of the latest error; `code` is "" once a pass ended well. `drift`: steps that the
    latest pass saw and did not do. `held`: why it did not follow the head, "" when it did. `waiting`:
    notices that nobody has read yet. `busy`: another pass had the lock.
    """

    host: str = ""
    at: float = 0.0
    success: float = 0.0
    seconds: float = 0.0
    outcome: str = ""
    exit_code: int = 0
    code: str = ""
    failed: float = 0.0
    paused: float = 0.0
    blocked: int = 0
    held: str = ""
    revision: str = ""
    drift: int = 0
    waiting: int = 0
    busy: float = 0.0

"""What a manifest says that a change of mounted files does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Renewing = Literal["rebuild", "recreate", "restart", "signal", "exec", "none"]


@dataclass(frozen=True, slots=True)
class OnChange:
    """What a change of files asks for that a service mounts: `paths` are patterns from the folder of its stack.

    `validate` must succeed in a container of the new definition before anything is touched. `signal` and `command` go
    with their actions; `timeout` in seconds, for each of the two commands.
    """

    paths: tuple[str, ...]
    action: Renewing = "recreate"
    signal: str = ""
    command: tuple[str, ...] = ()
    validate: tuple[str, ...] = ()
    timeout: float = 60.0

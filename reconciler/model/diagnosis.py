"""What `doctor` finds: one judgement each, with the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]
"""`warn`: passes work, and something is worth a look. `fail`: a pass would not work, or not safely."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`mend`: a command for a shell that puts it right, "" when only a person can; `next`: what to do, in words."""

    check: str
    level: Level
    what: str
    why: str = ""
    next: str = ""
    mend: str = ""

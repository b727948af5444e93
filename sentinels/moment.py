"""A point in time by two clocks: the wall's, which people read and anybody may set, and the boot's, which only runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """`wall`: seconds since the epoch; `since_boot`: seconds since this boot, suspended time included."""

    wall: float
    boot_id: str
    since_boot: float


def now() -> Moment:
    """The real present, read at the edge of a program; everything else takes it as a value."""
    try:
        boot_id = BOOT_ID.read_text().strip()
    except OSError:
        boot_id = ""  # never the same boot as another: expiry falls back to wall time
    return Moment(time.time(), boot_id, time.clock_gettime(time.CLOCK_BOOTTIME))

"""Who asks: it stands in the history and on a pause."""

from __future__ import annotations

import os
import sys


def actor() -> str:
    """The init system's timer, or the person behind sudo."""
    if "INVOCATION_ID" in os.environ and not (sys.stdin and sys.stdin.isatty()):
        return "timer"
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"

"""Who asks: it stands in the history and on a pause."""

from __future__ import annotations

import os
import pwd
import sys


def actor() -> str:
    """The init system's timer, a push, a job of continuous integration, or the person behind sudo.

    TRIGGER_PATH: systemd.exec(5), since 252. CI: what every common runner sets.
    """
    if "INVOCATION_ID" in os.environ and not (sys.stdin and sys.stdin.isatty()):
        return "push" if "TRIGGER_PATH" in os.environ else "timer"
    if os.environ.get("CI"):
        by = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
        return f"CI for {by}" if by else "CI"
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or _name()


def _name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no name
        return f"uid {os.getuid()}"

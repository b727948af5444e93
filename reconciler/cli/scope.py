"""Mistakes in what was asked for, as opposed to how."""

from __future__ import annotations

from reconciler.errors import ReconcilerError


class UnknownRun(ReconcilerError):
    """The history has no such pass (EX_USAGE of sysexits.h)."""

    exit_code = 64

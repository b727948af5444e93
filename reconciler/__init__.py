"""GitOps for plain Docker hosts: what git says is what runs."""

__version__ = "0.1.0"

BUILT = "2026-11-21"
"""The day of this version: no clock that is right shows an earlier one."""

"""What every reconciler.toml of a test has to say."""

from __future__ import annotations

from pathlib import Path


def allowing(checkout: Path, settings: str) -> str:
    """The settings with the check-out among the folders that the host allows, unless they say themselves which."""
    if "allow_host_mounts" in settings:
        return settings
    line = f'allow_host_mounts = ["/opt", "/srv", "{checkout}"]\n'
    if "[trust]\n" in settings:
        return settings.replace("[trust]\n", f"[trust]\n{line}")
    return f"{settings}\n[trust]\n{line}"

"""Programs that a pass starts, and the inbox that others ask through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core.diagnosis.commands import shell
from reconciler.core.diagnosis.files import PathFacts, closed
from reconciler.model.diagnosis import Finding

OLDEST_GIT = (2, 31)
"""The first that takes its configuration from numbered variables, so that no secret is in a command line."""


def programs(git: str, missing: Mapping[str, str]) -> Iterator[Finding]:
    """`git`: its version, "" when it is missing; `missing`: what else is not there -> the command that installs it."""
    for name, command in missing.items():
        yield Finding("programs", "fail", f"{name} is not installed", why="a fetch starts it", mend=command)
    numbers = tuple(int(part) for part in git.split(".")[:2] if part.isdecimal())
    if git and numbers < OLDEST_GIT:
        yield Finding(
            "programs",
            "fail",
            f"git {git} is too old",
            why="2.31 or newer is needed: it takes credentials without showing them in the list of processes",
            next="install a newer git, from your distribution's backports for instance",
        )
    elif git and not missing:
        yield Finding("programs", "ok", f"git {git}")


GROUP = "reconciler-web"


def inbox(folder: PathFacts, group: str, me: int, make: str) -> Iterator[Finding]:
    """`group`: that of the folder; `make`: the command of systemd that makes it, where its units are installed.

    Whoever may write there may ask for passes: those of the group, and not everybody.
    """
    if make and (folder.kind == "missing" or group != GROUP):
        what = "is not there" if folder.kind == "missing" else f"belongs to the group {group}, not to {GROUP}"
        why = "nobody but root can ask for a pass: no hook, no web side"
        yield Finding("inbox", "warn", f"{folder.path} {what}", why=why, mend=make)
    elif folder.kind == "missing":
        yield Finding("inbox", "ok", f"{folder.path} is not there; only needed for triggers of others")
    elif folder.kind != "directory":
        yield Finding(
            "inbox",
            "fail",
            f"{folder.path} is no folder",
            why="others leave their requests there",
            mend=shell("mv", folder.path, f"{folder.path}.aside"),
        )
    elif folder.open_to_others(0o002, me):
        yield Finding(
            "inbox",
            "warn",
            f"anybody may write in {folder.path} (mode {folder.mode:04o}, owner {folder.owner})",
            why="every user of this machine can ask for passes, as often as they like",
            mend=closed(folder, "o-w", me),
        )
    else:
        yield Finding("inbox", "ok", f"{folder.path} takes requests of the group {group or 'of its owner'}")

"""Portage's configuration for one build: the machine's own, with the flags of the offer and our binhost laid over it.

Nothing of /etc/portage is written. A folder of our own has links to all that is in it, and files of its own for what
differs; PORTAGE_CONFIGROOT names it to this one emerge.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.packages.flags import is_flag
from reconciler.model.swarm import Use

_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|TZ|SSL_CERT_(?:DIR|FILE)|(?:https?|ftp|no|all)_proxy|(?:HTTPS?|NO|ALL)_PROXY"
    r"|PORTAGE_(?:OVERRIDE_EPREFIX|USERNAME|GRPNAME)"
)
"""What emerge gets of our own environment; USE, FEATURES, ROOT and their kin would change what is built."""

_FEATURES = "buildpkg binpkg-multi-instance pkgdir-index-trusted compress-index observability -parallel-fetch -news"
"""Added to the machine's: packages with build ids; an index that is taken as it is; a download that is seen to fail."""

_ATOM = re.compile(r"[=<>~]{0,2}[A-Za-z0-9_][A-Za-z0-9+_.-]*/[A-Za-z0-9_][A-Za-z0-9+_.:/*-]*")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the machine's Portage says of itself: its prefix, where it builds, and where its configuration lies."""

    eprefix: str
    tmpdir: str
    config: Path


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one build. `builds`: PORTAGE_TMPDIR; `packages`: PKGDIR; `fetched`: packages of the binhost."""

    config: Path
    builds: Path
    packages: Path
    fetched: Path


def write_config(places: Places, facts: Facts, use: Use, binhost: str, *, verify: bool) -> None:
    """Put it there whole, in place of that of the build before. ValueError for what is no line of package.use."""
    new = places.config.with_name(f"{places.config.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    etc, machine = new / "etc/portage", facts.config / "etc/portage"
    own = etc / "package.use"
    own.mkdir(parents=True)
    for name in sorted(os.listdir(machine)) if machine.is_dir() else ():
        if name == "package.use":
            (own / "10-machine").symlink_to(machine / name)
        elif name != "binrepos.conf":
            (etc / name).symlink_to(machine / name)
    (own / "90-offer").write_text(package_use(use))
    (etc / "binrepos.conf").write_text(_binrepos(binhost, places.fetched, verify=verify) if binhost else "")
    shutil.rmtree(places.config, ignore_errors=True)
    new.rename(places.config)


def package_use(use: Use) -> str:
    """The lines of package.use. ValueError for what Portage would not read as one."""
    lines = []
    for atom, flags in sorted(use.items()):
        if not _ATOM.fullmatch(atom):
            raise ValueError(f"{atom[:200]!r} cannot stand in package.use")
        if wrong := [flag for flag in flags if not is_flag(flag)]:
            raise ValueError(f"{wrong[0][:200]!r} is no USE flag")
        if flags:
            lines.append(f"{atom} {' '.join(flags)}\n")
    return "".join(lines)


def environment(places: Places, ours: Mapping[str, str], cores: int) -> dict[str, str]:
    """What emerge runs with. `cores`: for make, 0 for as many as the machine's make.conf says."""
    kept = {name: value for name, value in ours.items() if _KEPT.fullmatch(name)}
    return {
        **kept,
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "CLEAN_DELAY": "0",
        "EMERGE_WARNING_DELAY": "0",
        "FEATURES": _FEATURES,
        "PORTAGE_BINHOST": "",
        "PORTAGE_CONFIGROOT": str(places.config),
        "PORTAGE_TMPDIR": str(places.builds),
        "PKGDIR": str(places.packages),
        **({"MAKEOPTS": f"-j{cores}"} if cores else {}),
    }


def _binrepos(binhost: str, fetched: Path, *, verify: bool) -> str:
    return (
        "[reconciler]\n"
        f"sync-uri = {binhost}\n"
        f"verify-signature = {'true' if verify else 'false'}\n"
        f"location = {fetched}\n"
        "priority = 100\n"
    )

"""A throw-away Gentoo in a folder: the real Portage of the virtual environment, ebuilds that do nothing, and no root.

Portage finds its own configuration below its prefix (EPREFIX), so the folder links to the one that came with the wheel.
Nothing is ever built here: `emerge -p` only looks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MAKE_DEFAULTS = """
ARCH="amd64"
ACCEPT_KEYWORDS="amd64"
CHOST="x86_64-pc-linux-gnu"
USE="nls"
USE_EXPAND="PYTHON_TARGETS L10N ABI_X86"
PYTHON_TARGETS="python3_11"
L10N="de"
ABI_X86="64"
"""

MAKE_CONF = """
FEATURES="-news -sandbox -usersandbox -ipc-sandbox -network-sandbox -pid-sandbox"
PKGDIR="{prefix}/binpkgs"
DISTDIR="{prefix}/distfiles"
PORTAGE_TMPDIR="{prefix}/tmp"
"""


class Gentoo:
    """`write` ebuilds and what is installed, then ask `emerge`."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "prefix"
        self.repository = folder / "gentoo"
        self.profile = self.repository / "profiles/default"
        self._write(self.repository / "metadata/layout.conf", "masters =\nthin-manifests = true\n")
        self._write(self.repository / "profiles/repo_name", "gentoo\n")
        self._write(self.repository / "profiles/arch.list", "amd64\n")
        self._write(self.repository / "profiles/profiles.desc", "amd64 default stable\n")
        self._write(self.repository / "profiles/eapi", "8\n")
        self._write(self.profile / "eapi", "8\n")
        self._write(self.profile / "make.defaults", MAKE_DEFAULTS)
        etc = self.prefix / "etc/portage"
        self._write(etc / "make.conf", MAKE_CONF.format(prefix=self.prefix))
        self._write(
            etc / "repos.conf",
            f"[DEFAULT]\nmain-repo = gentoo\n[gentoo]\nlocation = {self.repository}\nauto-sync = no\n",
        )
        (etc / "make.profile").symlink_to(self.profile)
        (self.prefix / "share").symlink_to(Path(sys.prefix) / "share")
        for name in ("binpkgs", "distfiles", "tmp", "var/db/pkg", "var/tmp", "run"):
            (self.prefix / name).mkdir(parents=True)

    def ebuild(self, cpv: str, **variables: str) -> None:
        """`dev-libs/liba-1.0`, with SLOT="0" and KEYWORDS="amd64" unless told otherwise."""
        category, name, version = parts(cpv)
        self._say_once(self.repository / "profiles/categories", category)
        told = {"EAPI": "8", "DESCRIPTION": "For a test", "SLOT": "0", "KEYWORDS": "amd64", **variables}
        text = "".join(f'{key}="{value}"\n' for key, value in told.items())
        self._write(self.repository / category / name / f"{name}-{version}.ebuild", text)

    def installed(self, cpv: str, **variables: str) -> None:
        """As Portage's own database has it; nothing of it is really there."""
        category, name, version = parts(cpv)
        told = {"EAPI": "8", "SLOT": "0", "KEYWORDS": "amd64", "USE": "", "IUSE": "", "repository": "gentoo"}
        told |= variables
        told |= {"CATEGORY": category, "PF": f"{name}-{version}", "CONTENTS": "", "COUNTER": "1", "DEFINED_PHASES": "-"}
        for key, value in told.items():
            self._write(self.prefix / "var/db/pkg" / category / f"{name}-{version}" / key, f"{value}\n")

    def say(self, file: str, text: str) -> None:
        """A file of the profile: package.mask, package.use.force ..."""
        self._write(self.profile / file, text)

    def accept(self, text: str) -> None:
        """The host's own package.accept_keywords."""
        self._write(self.prefix / "etc/portage/package.accept_keywords", text)

    def emerge(self, *arguments: str, **environment: str) -> str:
        """What it printed; its errors are not in it."""
        told = {"PATH": os.environ["PATH"], "PORTAGE_OVERRIDE_EPREFIX": str(self.prefix), "LC_ALL": "C.UTF-8"}
        command = [str(Path(sys.executable).with_name("emerge")), "--ignore-default-opts", *arguments]
        done = subprocess.run(
            command,
            env={**told, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=120,
        )
        return done.stdout

    def _say_once(self, file: Path, line: str) -> None:
        lines = file.read_text().splitlines() if file.exists() else []
        if line not in lines:
            self._write(file, "".join(f"{each}\n" for each in [*lines, line]))

    @staticmethod
    def _write(file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def parts(cpv: str) -> tuple[str, str, str]:
    """Only for names of these tests: the version is what follows the last hyphen, but for a revision."""
    category, _, rest = cpv.partition("/")
    name, _, version = rest.rpartition("-")
    if version.startswith("r"):
        name, _, bare = name.rpartition("-")
        version = f"{bare}-{version}"
    return category, name, version

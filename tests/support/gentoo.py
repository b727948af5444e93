"""Machines with a real Portage that build and install: throw-away prefixes, which may share their tiny ebuilds."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.model.swarm import Offer, Use
from reconciler.swarm.drone.builder import Built
from tests.support.portage import Gentoo, parts

MAKE_CONF = """
FEATURES="-news -sandbox -usersandbox -ipc-sandbox -network-sandbox -pid-sandbox -merge-sync -qa-unresolved-soname-deps"
PKGDIR="{prefix}/binpkgs"
DISTDIR="{prefix}/distfiles"
PORTAGE_TMPDIR="{prefix}/tmp"
PORTAGE_ELOG_SYSTEM="echo"
FETCHCOMMAND="wget -t 1 -T 5 -O \\"\\${{DISTDIR}}/\\${{FILE}}\\" \\"\\${{URI}}\\""
GENTOO_MIRRORS=""
"""

LIBRARY = """
S="${WORKDIR}"
src_compile() {
    printf 'int %s_answer(void) { return 1; }\\n' "${PN}" > "${PN}.c" || die
    gcc -fPIC -shared -Wl,-soname,lib${PN}.so.${PV%%.*} -o lib${PN}.so.${PV%%.*} "${PN}.c" || die "linking failed"
}
src_install() {
    exeinto /usr/lib
    doexe lib${PN}.so.${PV%%.*}
}
"""
BODY = """
S="${WORKDIR}"
src_install() {
    insinto /usr/share/${PN}
    newins - flags <<<"${PVR} ${USE}"
}
"""
SLEEPER = """
S="${WORKDIR}"
src_compile() {
    touch "${T}/begun"
    sleep 600 & sleep 600
}
"""


class Machine(Gentoo):
    """`folder`: of the machine; `repository`: of another one, to share its ebuilds."""

    def __init__(self, folder: Path, repository: Path | None = None) -> None:
        super().__init__(folder)
        self._write(self.prefix / "etc/portage/make.conf", MAKE_CONF.format(prefix=self.prefix))
        self._write(
            self.repository / "metadata/layout.conf",
            "masters =\nthin-manifests = true\nuse-manifests = false\nsign-manifests = false\n",
        )
        if repository is not None:
            self._write(
                self.prefix / "etc/portage/repos.conf",
                f"[DEFAULT]\nmain-repo = gentoo\n[gentoo]\nlocation = {repository}\nauto-sync = no\n",
            )
            (self.prefix / "etc/portage/make.profile").unlink()
            (self.prefix / "etc/portage/make.profile").symlink_to(repository / "profiles/default")

    def ebuild(self, cpv: str, body: str = BODY, **variables: str) -> None:
        super().ebuild(cpv, **{"LICENSE": "GPL-2", **variables})
        category, name, version = parts(cpv)
        file = self.repository / category / name / f"{name}-{version}.ebuild"
        file.write_text(file.read_text() + body)
        license = self.repository / "licenses/GPL-2"
        self._write(license, "free\n")

    @property
    def environment(self) -> dict[str, str]:
        """What a drone on this machine has around it."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PORTAGE_OVERRIDE_EPREFIX": str(self.prefix),
            "PORTAGE_USERNAME": "root",
            "PORTAGE_GRPNAME": "root",
            "HOME": str(self.prefix),
        }

    def follow(self, binhost: str) -> None:
        """Take binary packages from there."""
        self._write(
            self.prefix / "etc/portage/binrepos.conf",
            f"[ours]\nsync-uri = {binhost}\nverify-signature = false\nlocation = {self.prefix}/fetched\n",
        )

    def take(self, *arguments: str, use: str = "") -> subprocess.CompletedProcess[str]:
        """Install from the binhost, and from nowhere else."""
        return subprocess.run(
            ["emerge", "--ignore-default-opts", "--oneshot", "--getbinpkg", "--usepkgonly", "--verbose", *arguments],
            env=self.environment | {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"} | ({"USE": use} if use else {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def has(self, cpv: str) -> bool:
        return (self.prefix / "var/db/pkg" / cpv).is_dir()

    def told(self, name: str) -> str:
        """What `BODY` wrote of its version and flags."""
        return (self.prefix / "usr/share" / name / "flags").read_text().strip()


@dataclass
class Watched:
    """What a build told while it ran."""

    phases: list[tuple[str, str]] = field(default_factory=list)
    log: bytes = b""

    def phase(self, package: str, phase: str) -> None:
        self.phases.append((package, phase))

    def wrote(self, data: bytes) -> None:
        self.log += data


def offer(*atoms: str, use: Use | None = None, timeout: float = 100, attempt: int = 1, build: str = "b1") -> Offer:
    return Offer(build, attempt, "package", atoms, "amd64", use or {}, timeout)


def never() -> str:
    """Nobody ends it."""
    return ""


def names(built: Built) -> list[str]:
    return [each.entry["CPV"] for each in built.packages]

"""The last scene of the demo: packages from a set in git to a binhost, built by the real Portage in a folder.

No Gentoo is needed: Portage runs in a throw-away prefix with two ebuilds of a few lines each. The orchestrator and the
drone are the real commands, for as long as the scene lasts.
"""

from __future__ import annotations

import getpass
import grp
import os
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from demo_stage import CONFIG, DEMO, FLEET, ROOT, environment, expect, fail, holds, push, reconciler, run

PORTAGE, GENTOO, PREFIX = DEMO / "portage", DEMO / "gentoo", DEMO / "prefix"
DRONE = DEMO / "drone.sh"
MAKE_DEFAULTS = 'ARCH="amd64"\nACCEPT_KEYWORDS="amd64"\nCHOST="x86_64-pc-linux-gnu"\n'
MAKE_CONF = f"""\
PORTAGE_TMPDIR="{PREFIX / "tmp"}"
FEATURES="-news -sandbox -usersandbox -ipc-sandbox -network-sandbox -pid-sandbox -merge-sync"
PKGDIR="{PREFIX}/binpkgs"
DISTDIR="{PREFIX}/distfiles"
"""
EBUILD = """\
EAPI="8"
DESCRIPTION="For the demo"
LICENSE="public-domain"
SLOT="0"
KEYWORDS="amd64"
IUSE="polite"
RDEPEND="{needs}"
DEPEND="{needs}"
S="${{WORKDIR}}"
src_install() {{
    insinto /usr/share/${{PN}}
    newins - told <<<"${{PF}} was built with: ${{USE}}"
}}
"""
SET = """\
apiVersion: reconciler/v1
kind: PackageSet
name: hello
atoms: [demo-apps/hello]
use: {demo-apps/hello: "+polite"}
"""


def package_build(port: int, before_the_last_pass: Callable[[], None]) -> None:
    """Everything that is started here has ended when it returns; a script starts the drone again (`DRONE`).

    `before_the_last_pass`: which still sees the packages, and leaves things as they stay.
    """
    run(ROOT / "scripts/portage.sh", PORTAGE)
    _a_gentoo_in_a_folder()
    _settings(port)
    with _running("serve", environment()):
        _until_it_answers(port)
        holds(f"an orchestrator listens at http://127.0.0.1:{port}")
        _enroll()
        with _running("drone", _around()):
            holds("a drone with the real Portage waits for work")
            _push_a_set()
            reconciler("converge", "--yes")
            _until_built(port)
        reconciler("builds", "list")
        index = _get(port, "/binhost/default/Packages")
        built = [line.removeprefix("CPV: ") for line in index.splitlines() if line.startswith("CPV: ")]
        expect(sorted(built) == ["demo-apps/hello-1.0", "demo-libs/greeting-2.1"], "both packages are in the binhost")
        expect("USE: polite" in index or " polite" in index, "with the flags of the set")
        before_the_last_pass()
        reconciler("converge", "--yes")
    _leave_a_way_back()
    holds("the drone and the orchestrator, which ran for this scene alone, were stopped; their packages stay")


def _leave_a_way_back() -> None:
    """The drone needs more around it than one would type."""
    around = {name: value for name, value in _around().items() if environment().get(name) != value}
    settings = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in around.items())
    program = shlex.quote(str(Path(sys.executable).with_name("reconciler")))
    DRONE.write_text(f"#!/bin/sh\n{settings}exec {program} drone --config {shlex.quote(str(CONFIG))}\n")
    DRONE.chmod(0o755)


def _push_a_set() -> None:
    (FLEET / "manifests/packages").mkdir(exist_ok=True)
    (FLEET / "manifests/packages/hello.yaml").write_text(SET)
    push("Packages that we want built")


def _a_gentoo_in_a_folder() -> None:
    for path, text in {
        "metadata/layout.conf": "masters =\nthin-manifests = true\nuse-manifests = false\nsign-manifests = false\n",
        "profiles/repo_name": "gentoo\n",
        "profiles/arch.list": "amd64\n",
        "profiles/categories": "demo-apps\ndemo-libs\n",
        "profiles/profiles.desc": "amd64 default stable\n",
        "profiles/eapi": "8\n",
        "profiles/default/eapi": "8\n",
        "profiles/default/make.defaults": MAKE_DEFAULTS,
        "licenses/public-domain": "free\n",
        "demo-libs/greeting/greeting-2.1.ebuild": EBUILD.format(needs=""),
        "demo-apps/hello/hello-1.0.ebuild": EBUILD.format(needs="demo-libs/greeting"),
    }.items():
        _write(GENTOO / path, text)
    etc = PREFIX / "etc/portage"
    _write(etc / "make.conf", MAKE_CONF)
    _write(etc / "repos.conf", f"[DEFAULT]\nmain-repo = gentoo\n[gentoo]\nlocation = {GENTOO}\nauto-sync = no\n")
    (etc / "make.profile").symlink_to(GENTOO / "profiles/default")
    (PREFIX / "share").symlink_to(PORTAGE / "share")
    for name in ("binpkgs", "distfiles", "tmp", "var/db/pkg", "var/tmp", "run"):
        (PREFIX / name).mkdir(parents=True)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _settings(port: int) -> None:
    with CONFIG.open("a") as more:
        more.write(
            f'\n[serve]\nlisten = "127.0.0.1:{port}"\ndirectory = "{DEMO / "serve"}"\n\n'
            f'[swarm]\nurl = "http://127.0.0.1:{port}"\n\n'
            f'[drone]\nname = "demo"\ndirectory = "{DEMO / "drone"}"\n'
        )


def _around() -> dict[str, str]:
    """What leads the drone's `emerge` to the prefix."""
    return environment() | {
        "PATH": f"{PORTAGE / 'bin'}:{os.environ['PATH']}",
        "PORTAGE_OVERRIDE_EPREFIX": str(PREFIX),
        "PORTAGE_USERNAME": getpass.getuser(),
        "PORTAGE_GRPNAME": grp.getgrgid(os.getgid()).gr_name,
        "HOME": str(PREFIX),
    }


def _enroll() -> None:
    program = Path(sys.executable).with_name("reconciler")
    credential = run(program, "drones", "enroll", "demo", "-o", "name", "-q", "--config", CONFIG)
    secret = CONFIG.parent / "secrets" / "drone"
    secret.touch(0o600)
    secret.write_text(credential + "\n")


@contextmanager
def _running(command: str, around: Mapping[str, str]) -> Iterator[None]:
    log = DEMO / f"{command}.log"
    program = Path(sys.executable).with_name("reconciler")
    with log.open("w") as said:
        process = subprocess.Popen(
            [str(program), command, "--config", str(CONFIG)],
            env=dict(around),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def _until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            _get(port, "/health")
        except OSError:
            time.sleep(0.1)
        else:
            return
    fail("the orchestrator does not answer", *(DEMO / "serve.log").read_text().splitlines()[-15:])


def _until_built(port: int) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if "demo-apps/hello-1.0" in _get(port, "/binhost/default/Packages", missing=""):
            return
        time.sleep(0.2)
    fail("the packages are not built", *(DEMO / "drone.log").read_text().splitlines()[-15:])


def _get(port: int, path: str, missing: str | None = None) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        if missing is None or error.code != 404:
            raise
        return missing

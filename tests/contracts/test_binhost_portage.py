"""Our binhost and the real Portage: drones that build for it and from it, and machines that install from it."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.adapters.portage.builder import PortageBuilder, PortageRules
from reconciler.model.swarm import Artifact, Use
from reconciler.swarm.binhost.index import Entry
from reconciler.swarm.binhost.retention import Retention
from reconciler.swarm.drone.builder import Built
from tests.support.binhost import PROFILE, artifact, bring, index_of, upload
from tests.support.gentoo import LIBRARY, Machine, Watched, names, never, offer


@dataclass
class Shop:
    """A binhost, served over HTTP, and drones around it; all machines know the same ebuilds."""

    folder: Path
    url: str
    binhost: BinhostFolder
    machines: dict[str, Machine] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "binhost"

    def machine(self, name: str) -> Machine:
        if name not in self.machines:
            repository = self.machines["one"].repository if self.machines else None
            self.machines[name] = Machine(self.folder / name, repository)
        return self.machines[name]

    def built(self, name: str, build: str, atom: str, use: Use | None = None, *, binhost: bool = True) -> Built:
        """As a drone builds it."""
        rules = PortageRules(self.folder / f"drone-{name}", self.url)
        builder = PortageBuilder(rules, self.machine(name).environment)
        built = builder.build(offer(atom, build=build, use=use), Watched(), never, binhost)
        assert built.result == "succeeded", built.log
        self.logs[build] = built.log
        return built

    def published(self, build: str, built: Built) -> list[str]:
        """Uploaded and published; the paths."""
        artifacts = []
        for packed in built.packages:
            content = packed.file.read_bytes()
            told = artifact(packed.entry["CPV"], content)
            made = Artifact(packed.path, told.size, told.sha256, packed.entry, packed.header)
            artifacts.append(upload(self.binhost, (build, 1), made, content))
        return list(self.binhost.publish(PROFILE, build, 1, artifacts))

    def client(self, name: str) -> Machine:
        machine = self.machine(name)
        machine.follow(self.url)
        return machine


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """liba-1.1 in one build; foo-1.0 in three, of which the last came from a drone that knew nothing of the others."""
    folder = tmp_path_factory.mktemp("shop")
    binhost = BinhostFolder(folder / "binhost")
    binhost.begin(PROFILE)
    handler = functools.partial(Quiet, directory=str(folder / "binhost" / PROFILE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shop = Shop(folder, f"http://127.0.0.1:{server.server_address[1]}", binhost)
    one = shop.machine("one")
    one.ebuild("dev-libs/liba-1.0", LIBRARY, SLOT="0/1")
    one.ebuild("dev-libs/liba-1.1", LIBRARY, SLOT="0/1")
    one.ebuild("app-misc/foo-1.0", IUSE="doc ssl", DEPEND="dev-libs/liba:=", RDEPEND="dev-libs/liba:=")
    first = shop.built("one", "b1", "=app-misc/foo-1.0")
    assert shop.published("b1", first) == ["app-misc/foo/foo-1.0-1.gpkg.tar", "dev-libs/liba/liba-1.1-1.gpkg.tar"]
    one.ebuild("dev-libs/liba-1.2", LIBRARY, SLOT="0/1")
    second = shop.built("two", "b2", "=app-misc/foo-1.0", {"app-misc/foo": ("doc",)})
    assert shop.published("b2", second) == ["app-misc/foo/foo-1.0-2.gpkg.tar"]
    third = shop.built("two", "b3", "=app-misc/foo-1.0", {"app-misc/foo": ("ssl",)}, binhost=False)
    assert third.packages[0].path == "app-misc/foo/foo-1.0-1.gpkg.tar"
    assert shop.published("b3", third)[0] == "app-misc/foo/foo-1.0-3.gpkg.tar"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        binhost.close()


def test_a_drone_takes_what_it_needs_from_the_binhost_and_builds_what_it_was_asked_for(shop: Shop) -> None:
    log = shop.logs["b2"]

    assert ">>> Emerging binary (1 of 2) dev-libs/liba-1.1::gentoo" in log, "though 1.2 could have been built"
    assert ">>> Emerging (2 of 2) app-misc/foo-1.0::gentoo" in log, "though the binhost has one"


def test_a_machine_installs_the_build_that_has_its_flags(shop: Shop) -> None:
    client = shop.client("client")

    listed = []
    for use, told in (("", "1.0"), ("doc", "1.0 doc"), ("ssl", "1.0 ssl")):
        done = client.take("--binpkg-respect-use=y", "app-misc/foo", use=use)

        assert done.returncode == 0, done.stdout + done.stderr
        assert client.told("foo") == told
        listed.append(done.stdout)
    assert client.has("dev-libs/liba-1.2"), "the newest that the binhost has: drone two brought it along"
    assert (client.prefix / "usr/lib/libliba.so.1").exists()
    assert "[binary" in listed[-1] and "foo-1.0-3::gentoo" in listed[-1], "the id that it has in our index"


READ_BY_PORTAGE = """
import json, os, sys, tempfile
os.environ.update({
    "EPREFIX": "", "PORTAGE_CONFIGROOT": tempfile.mkdtemp(), "PORTAGE_USERNAME": "root", "PORTAGE_GRPNAME": "root",
    "FEATURES": f"binpkg-ignore-signature binpkg-multi-instance {sys.argv[2]}",
    "PORTAGE_REPOSITORIES": "[DEFAULT]\\nmain-repo=\\n",
})
import portage
portage._internal_caller = True
from portage.dbapi.bintree import binarytree
from portage.package.ebuild.config import config
settings = config(config_profile_path="", local_config=False, eprefix="", env=dict(os.environ))
tree = binarytree(pkgdir=sys.argv[1], settings=settings)
tree.populate()
keys = ["BUILD_ID", "SIZE", "MD5", "SLOT", "USE", "IUSE", "RDEPEND", "DEPEND", "repository", "PROVIDES", "EAPI"]
keys += ["CHOST", "BUILD_TIME", "KEYWORDS", "LICENSE", "DEFINED_PHASES", "_mtime_"]
print(json.dumps([
    [str(cpv), os.path.relpath(tree.getname(cpv), sys.argv[1]), dict(zip(keys, tree.dbapi.aux_get(cpv, keys)))]
    for cpv in tree.dbapi.cpv_all()
]))
"""


def read_by_portage(folder: Path, features: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Path -> name and fields of each package."""
    command = [sys.executable, "-c", READ_BY_PORTAGE, str(folder), features]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {path: (cpv, told) for cpv, path, told in json.loads(done.stdout)}


def expected(entry: Entry, told: dict[str, str]) -> dict[str, str]:
    names, defaults = {"repository": "REPO", "_mtime_": "MTIME"}, {"SLOT": "0", "EAPI": "0"}
    return {key: entry.get(names.get(key, key), defaults.get(key, "")) for key in told}


def test_portage_reads_in_our_index_what_we_wrote(shop: Shop) -> None:
    ours = {entry["PATH"]: entry for entry in index_of(shop.root).entries}

    theirs = read_by_portage(shop.root / PROFILE, "pkgdir-index-trusted")

    assert theirs == {path: (entry["CPV"], expected(entry, theirs[path][1])) for path, entry in ours.items()}


def test_portage_finds_the_same_in_the_packages_themselves_and_what_it_drops_is_put_back(shop: Shop) -> None:
    """It looks at every package, and writes an index of its own over ours."""
    before = index_of(shop.root)
    ours = {entry["PATH"]: entry for entry in before.entries}

    theirs = read_by_portage(shop.root / PROFILE, "-pkgdir-index-trusted")

    assert theirs.keys() == ours.keys()
    for path, (cpv, told) in theirs.items():
        wanted = expected(ours[path], told) | {key: told[key] for key in ("MD5", "BUILD_ID")}
        assert (cpv, told) == (ours[path]["CPV"], wanted)
    assert theirs["app-misc/foo/foo-1.0-3.gpkg.tar"][1]["BUILD_ID"] == "1", "as the drone had called it"
    assert {each.path for each in shop.binhost.index(PROFILE)} == ours.keys()
    after = index_of(shop.root)
    assert after.entries == before.entries
    assert after.timestamp > before.timestamp


def test_a_client_sees_what_came_and_what_went_though_it_was_the_same_second(shop: Shop) -> None:
    client = shop.client("watcher")
    wanted = "=dev-libs/liba-1.0"
    assert "there are no binary packages to satisfy" in client.take("--pretend", wanted).stderr

    bring(shop.binhost, "b7", "dev-libs/liba-1.0", b"any", SLOT="0/1", EAPI="8", KEYWORDS="amd64", REPO="gentoo")

    assert "liba-1.0-1" in client.take("--pretend", wanted).stdout
    shop.binhost.prune(PROFILE, Retention(versions=1))
    assert "there are no binary packages to satisfy" in client.take("--pretend", wanted).stderr


def test_names_of_what_a_drone_made_are_told_apart_from_what_it_fetched(shop: Shop) -> None:
    built = shop.built("two", "b9", "=app-misc/foo-1.0", {"app-misc/foo": ("doc", "ssl")})

    assert names(built) == ["app-misc/foo-1.0"]
    assert built.packages[0].path == "app-misc/foo/foo-1.0-4.gpkg.tar", "the next one that its binhost has not"

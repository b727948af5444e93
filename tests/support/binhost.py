"""Uploads to a binhost, as a drone makes them."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.model.swarm import Artifact
from reconciler.swarm.binhost.index import Index, read_index

HEADER = {"ARCH": "amd64", "CHOST": "x86_64-pc-linux-gnu", "IUSE_IMPLICIT": "prefix", "VERSION": "0", "TIMESTAMP": "1"}
PROFILE = "amd64"


def artifact(cpv: str, content: bytes, *, build_id: int = 1, use: str = "", **more: str) -> Artifact:
    """As Portage would have packed it; the content is any."""
    category, _, pf = cpv.partition("/")
    name = pf.rpartition("-")[0]
    path = f"{category}/{name}/{pf}-{build_id}.gpkg.tar"
    entry = {
        "CPV": cpv,
        "BUILD_ID": str(build_id),
        "PATH": path,
        "SIZE": str(len(content)),
        "IUSE": "ssl",
        "USE": use,
        "MD5": "0" * 32,
        "SHA1": "0" * 40,
        "MTIME": "1700000000",
        "BUILD_TIME": "1699999999",
        **more,
    }
    return Artifact(path, len(content), hashlib.sha256(content).hexdigest(), entry, HEADER)


def upload(binhost: BinhostFolder, lease: tuple[str, int], made: Artifact, content: bytes) -> Artifact:
    """As HTTP would take it in."""
    incoming = binhost.receive(*lease, made.path, made.size, made.sha256)
    try:
        for start in range(0, len(content), 1000):
            incoming.write(content[start : start + 1000])
        incoming.keep()
    finally:
        incoming.drop()
    return made


def bring(binhost: BinhostFolder, build: str, cpv: str, content: bytes, attempt: int = 1, **more: str) -> str:
    """Upload and publish a package; its path."""
    number = int(more.pop("build_id", "1"))
    made = upload(binhost, (build, attempt), artifact(cpv, content, build_id=number, **more), content)
    (path,) = binhost.publish(PROFILE, build, attempt, [made])
    return path


def index_of(root: Path, profile: str = PROFILE) -> Index:
    """As clients get it; both copies, their times and every file that they name have to fit."""
    folder = root / profile
    text = (folder / "Packages").read_bytes()
    index = read_index(text.decode())
    assert gzip.decompress((folder / "Packages.gz").read_bytes()) == text
    for name in ("Packages", "Packages.gz"):
        assert (folder / name).stat().st_mtime == index.timestamp
    for entry in index.entries:
        content = (folder / entry["PATH"]).read_bytes()
        assert entry["SIZE"] == str(len(content))
        assert entry["MD5"] == hashlib.md5(content).hexdigest()
        assert entry["SHA1"] == hashlib.sha1(content).hexdigest()
        assert entry["MTIME"] == str(int((folder / entry["PATH"]).stat().st_mtime))
    return index

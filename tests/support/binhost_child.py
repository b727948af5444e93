"""Dies at every point of what a binhost does to the disk, one after the other, and looks at what is left each time.

`python -m tests.support.binhost_child SCENARIO FOLDER` prints the number of points as its last line. It is a process of
its own so that it has one thread, and may fork.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.swarm.binhost.retention import Retention
from tests.support.binhost import PROFILE, artifact, bring, index_of, upload

NOW = 1_700_000_000.0
EFFECTS = ("replace", "rename", "fsync", "unlink", "utime", "mkdir", "rmdir", "fchmod")
NEW = (artifact("a/b-1", b"new"), artifact("a/c-1", b"other"))


def opened(root: Path, later: float = 0) -> BinhostFolder:
    return BinhostFolder(root, lambda: NOW + later)


def before(root: Path) -> None:
    """What is there when it begins: two packages, one of them in two builds, and an upload that waits."""
    binhost = opened(root)
    bring(binhost, "b1", "a/b-1", b"old", BUILD_TIME="1")
    bring(binhost, "b2", "a/b-1", b"newer", BUILD_TIME="2")
    for made, content in zip(NEW, (b"new", b"other"), strict=True):
        upload(binhost, ("b3", 1), made, content)
    binhost.close()


def publish(binhost: BinhostFolder) -> None:
    paths = binhost.publish(PROFILE, "b3", 1, NEW)
    assert paths == ["a/b/b-1-3.gpkg.tar", "a/c/c-1-1.gpkg.tar"], paths


def prune(binhost: BinhostFolder) -> None:
    binhost.prune(PROFILE, Retention(builds=1), grace=0)


def bring_upload(binhost: BinhostFolder) -> None:
    upload(binhost, ("b4", 1), artifact("a/d-1", b"d" * 3000), b"d" * 3000)


SCENARIOS: dict[str, Callable[[BinhostFolder], None]] = {"publish": publish, "prune": prune, "upload": bring_upload}


def die_at(point: int) -> None:
    """The effects of this process are counted from now on, and it is gone before number `point` begins."""
    left = [point]

    def counted(effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return effect(*given, **named)

        return call

    for name in EFFECTS:
        setattr(os, name, counted(getattr(os, name)))


def attempt(scenario: str, root: Path, point: int) -> bool:
    """Whether it came to its end before the point."""
    child = os.fork()
    if child == 0:
        binhost = opened(root)
        die_at(point)
        SCENARIOS[scenario](binhost)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return not os.WIFSIGNALED(status)


def after(scenario: str, root: Path) -> None:
    """Whatever it died at: clients see a whole index of whole packages, and the same again ends as it would have."""
    names = {entry["PATH"] for entry in index_of_clients(root)}
    binhost = opened(root, later=10)
    assert {entry["PATH"] for entry in index_of(root).entries} >= names - {"a/b/b-1-1.gpkg.tar"}
    SCENARIOS[scenario](binhost)
    listed = [entry["PATH"] for entry in index_of(root).entries]
    wanted = ["a/b/b-1-1.gpkg.tar", "a/b/b-1-2.gpkg.tar"]
    if scenario == "publish":
        wanted += ["a/b/b-1-3.gpkg.tar", "a/c/c-1-1.gpkg.tar"]
        assert binhost.staged() == []
    if scenario == "prune":
        wanted = wanted[1:]
    if scenario == "upload":
        assert binhost.publish(PROFILE, "b4", 1, [artifact("a/d-1", b"d" * 3000)]) == ["a/d/d-1-1.gpkg.tar"]
    assert listed == wanted, listed
    on_disk = {str(file.relative_to(root / PROFILE)) for file in (root / PROFILE).rglob("*.gpkg.tar")}
    assert on_disk >= set(wanted)
    strays = [
        file for file in root.rglob("*") if file.is_file() and (".part-" in file.name or f".{os.getpid()}" in file.name)
    ]
    assert not strays, strays
    binhost.close()


def index_of_clients(root: Path) -> tuple[Any, ...]:
    """What a client would read now, before anything was mended: each file that an index names is there and whole."""
    import gzip

    from reconciler.swarm.binhost.index import read_index

    folder = root / PROFILE
    found = []
    for text in ((folder / "Packages").read_bytes(), gzip.decompress((folder / "Packages.gz").read_bytes())):
        index = read_index(text.decode())
        for entry in index.entries:
            assert (folder / entry["PATH"]).stat().st_size == int(entry["SIZE"]), entry["PATH"]
        found.append(index.entries)
    return found[0]


def main(scenario: str, folder: Path) -> None:
    before(folder / "template")
    for point in range(1000):
        root = folder / str(point)
        shutil.copytree(folder / "template", root)
        ended = attempt(scenario, root, point)
        try:
            after(scenario, root)
        except BaseException as error:
            raise AssertionError(f"{scenario} that died at point {point}") from error
        shutil.rmtree(root)
        if ended:
            print(point)
            return
    raise AssertionError("it never came to its end")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

"""The binhost after crashes at every point, with damaged indexes, and on a full disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.adapters.binhost.index import IndexFiles
from reconciler.errors import Terminal, Transient
from tests.conftest import Tell
from tests.support.binhost import PROFILE, artifact, bring, index_of, upload
from tests.support.cli import ROOT


@pytest.mark.parametrize("scenario", ["publish", "prune", "upload"])
def test_wherever_it_dies_clients_see_whole_packages_and_the_next_start_goes_on(
    scenario: str, tmp_path: Path, tell: Tell
) -> None:
    command = [sys.executable, "-m", "tests.support.binhost_child", scenario, str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) > 10
    tell(f"binhost: died at {done.stdout.splitlines()[-1]} points of {scenario}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two packages, and nobody who has the folder open."""
    binhost = BinhostFolder(tmp_path / "binhost")
    bring(binhost, "b1", "a/b-1", b"one")
    bring(binhost, "b2", "a/c-1", b"two", use="ssl")
    binhost.close()
    return tmp_path / "binhost"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def noise(file: Path) -> None:
    file.write_bytes(os.urandom(300))


def gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("damage", [cut, empty, noise, gone], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("which", [("Packages",), ("Packages.gz",), ("Packages", "Packages.gz")], ids="+".join)
def test_a_damaged_index_is_made_whole_again(
    which: tuple[str, ...], damage: Callable[[Path], None], root: Path
) -> None:
    before = index_of(root)
    for name in which:
        damage(root / PROFILE / name)

    binhost = BinhostFolder(root)

    again = index_of(root)
    assert again.entries == before.entries
    assert again.timestamp >= before.timestamp
    assert {each.package.cpv for each in binhost.index(PROFILE)} == {"a/b-1", "a/c-1"}
    assert again.header["IUSE_IMPLICIT"] == "prefix"
    both = len(which) == 2 and damage is not gone
    assert bool(binhost.losses) == both
    assert len(list((root / PROFILE).glob("Packages.broken-*"))) == both
    binhost.close()


@pytest.mark.parametrize("damage", [cut, empty, noise, gone], ids=lambda damage: damage.__name__)
def test_an_index_that_is_damaged_while_it_is_open_loses_no_package(damage: Callable[[Path], None], root: Path) -> None:
    """What comes in next must not stand in the index alone."""
    binhost = BinhostFolder(root)
    for name in ("Packages", "Packages.gz"):
        damage(root / PROFILE / name)

    bring(binhost, "b3", "a/d-1", b"three")

    assert {entry["CPV"] for entry in index_of(root).entries} == {"a/b-1", "a/c-1", "a/d-1"}
    binhost.close()


@pytest.mark.parametrize("damage", [cut, empty, noise, gone], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["Packages", "Packages.gz"])
def test_a_damaged_copy_is_mended_with_the_next_look(name: str, damage: Callable[[Path], None], root: Path) -> None:
    binhost = BinhostFolder(root)
    before = index_of(root)
    damage(root / PROFILE / name)

    assert len(binhost.index(PROFILE)) == 2

    assert index_of(root).entries == before.entries
    binhost.close()


def test_an_index_of_which_one_copy_was_written_is_whole_before_the_package_is_told_of(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full between the two: clients ask for the compressed one."""
    binhost = BinhostFolder(root)
    made = upload(binhost, ("b3", 1), artifact("a/d-1", b"d"), b"d")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(Transient):
        patched.setattr(IndexFiles, "_put_compressed", full)
        binhost.publish(PROFILE, "b3", 1, [made])
    binhost.publish(PROFILE, "b3", 1, [made])

    assert {entry["CPV"] for entry in index_of(root).entries} == {"a/b-1", "a/c-1", "a/d-1"}
    binhost.close()


def test_a_package_that_somebody_took_away_leaves_the_index_with_the_next_pruning(root: Path) -> None:
    from reconciler.swarm.binhost.retention import Retention

    binhost = BinhostFolder(root)
    (root / PROFILE / "a/b/b-1-1.gpkg.tar").unlink()

    assert binhost.prune(PROFILE, Retention(), grace=0) == (("a/b/b-1-1.gpkg.tar", "its file is gone"),)

    assert {entry["CPV"] for entry in index_of(root).entries} == {"a/c-1"}
    assert binhost.prune(PROFILE, Retention(), grace=0) == ()
    binhost.close()


def test_what_had_left_a_damaged_index_does_not_come_back(root: Path) -> None:
    from reconciler.swarm.binhost.retention import Retention

    binhost = BinhostFolder(root)
    bring(binhost, "b3", "a/b-2", b"three")
    binhost.prune(PROFILE, Retention(versions=1))
    binhost.close()
    for name in ("Packages", "Packages.gz"):
        empty(root / PROFILE / name)

    BinhostFolder(root).close()

    assert {entry["CPV"] for entry in index_of(root).entries} == {"a/b-2", "a/c-1"}


def test_a_package_that_went_away_leaves_the_index(root: Path) -> None:
    (root / PROFILE / "a/b/b-1-1.gpkg.tar").unlink()
    (root / PROFILE / "a/c/c-1-1.gpkg.tar").write_bytes(b"longer than it was")

    binhost = BinhostFolder(root)

    assert index_of(root).entries == ()
    assert binhost.losses == ["2 packages of amd64 were in its index and are gone"]
    binhost.close()


def test_what_a_killed_server_left_of_uploads_is_swept_and_whole_ones_stay(root: Path) -> None:
    binhost = BinhostFolder(root)
    upload(binhost, ("b3", 1), artifact("a/d-1", b"whole"), b"whole")
    cut_off = binhost.receive("b4", 1, "a/e/e-1-1.gpkg.tar", 100, "0" * 64)
    cut_off.write(b"half")
    cut_off._close()  # type: ignore[attr-defined]  # as the kernel does for a process that is killed
    binhost.close()

    binhost = BinhostFolder(root)

    assert binhost.staged() == [("b3", 1)]
    assert not list(root.rglob(".part-*"))
    binhost.close()


def test_a_staged_file_that_was_changed_is_not_published(root: Path) -> None:
    binhost = BinhostFolder(root)
    made = upload(binhost, ("b3", 1), artifact("a/d-1", b"whole"), b"whole")
    (staged,) = (root / ".incoming/b3/1").iterdir()
    staged.write_bytes(b"half")

    with pytest.raises(Terminal, match="cannot become part"):
        binhost.publish(PROFILE, "b3", 1, [made])

    assert len(index_of(root).entries) == 2
    binhost.close()


def test_a_package_that_is_gone_amid_its_publishing_is_in_no_index(root: Path) -> None:
    """The process died after it had written down what it was about to do, and the upload went away."""
    binhost = BinhostFolder(root)
    made = upload(binhost, ("b3", 1), artifact("a/d-1", b"whole"), b"whole")
    shelf, index = binhost._shelf(PROFILE), binhost._read(PROFILE)
    assert index is not None
    shelf.begin(binhost._plan(PROFILE, index, "b3", 1, [made]))
    binhost.discard("b3", 1)
    binhost.close()

    binhost = BinhostFolder(root)

    assert {entry["CPV"] for entry in index_of(root).entries} == {"a/b-1", "a/c-1"}
    assert not list(shelf.pending())
    with pytest.raises(Terminal):
        binhost.publish(PROFILE, "b3", 1, [made])
    binhost.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for very little."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_costs_nothing_that_was_there(small_disk: Path) -> None:
    binhost = BinhostFolder(small_disk)
    bring(binhost, "b1", "a/b-1", b"one")
    before = index_of(small_disk)
    incoming = binhost.receive("b2", 1, "a/c/c-1-1.gpkg.tar", 200_000, "0" * 64)
    made = upload(binhost, ("b3", 1), artifact("a/d-1", b"d"), b"d")
    (small_disk / "ballast").write_bytes(b"")
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError):
        while True:
            ballast.write(bytes(4096))

    for step in (
        lambda: incoming.write(bytes(200_000)),
        lambda: binhost.publish(PROFILE, "b3", 1, [made]),
        lambda: binhost.receive("b4", 1, "a/c/c-1-1.gpkg.tar", 200_000, "0" * 64),
    ):
        with pytest.raises(Transient) as caught:
            step()
        assert caught.value.code == "E-BINHOST-FULL"
    incoming.drop()
    assert index_of(small_disk) == before

    (small_disk / "ballast").unlink()
    assert binhost.publish(PROFILE, "b3", 1, [made]) == ["a/d/d-1-1.gpkg.tar"]
    assert len(index_of(small_disk).entries) == 2
    binhost.close()

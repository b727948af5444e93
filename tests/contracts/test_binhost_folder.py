"""The binhost as a folder: staging, publishing, pruning, and what clients get to see."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.core.packages.atoms import read_atom
from reconciler.errors import Busy, Refused, Terminal
from reconciler.model.settings import Serve
from reconciler.model.swarm import Request
from reconciler.swarm.binhost.retention import Retention
from reconciler.wiring.pruning import Pruning
from tests.support.binhost import HEADER, PROFILE, artifact, bring, index_of, upload

BIG = bytes(range(256)) * 40


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def binhost(tmp_path: Path, clock: Clock) -> Iterator[BinhostFolder]:
    binhost = BinhostFolder(tmp_path / "binhost", clock)
    yield binhost
    binhost.close()


@pytest.fixture
def root(binhost: BinhostFolder, tmp_path: Path) -> Path:
    return tmp_path / "binhost"


# ---- uploads


def test_what_was_uploaded_is_nobodys_until_it_is_published(binhost: BinhostFolder, root: Path) -> None:
    made = upload(binhost, ("b1", 1), artifact("dev-libs/liba-1.1", BIG), BIG)
    assert binhost.served(PROFILE, made.path) is None
    assert binhost.index(PROFILE) == ()
    assert binhost.staged() == [("b1", 1)]

    (path,) = binhost.publish(PROFILE, "b1", 1, [made])

    served = binhost.served(PROFILE, path)
    assert served is not None and served.read_bytes() == BIG
    assert [each.package.cpv for each in binhost.index(PROFILE)] == ["dev-libs/liba-1.1"]
    assert binhost.staged() == []
    assert index_of(root).header["IUSE_IMPLICIT"] == "prefix"


def test_an_upload_that_is_cut_off_anywhere_is_never_there(binhost: BinhostFolder, root: Path) -> None:
    content = BIG[:400]
    made = artifact("dev-libs/liba-1.1", content)
    for end in range(0, len(content), 10):
        incoming = binhost.receive("b1", 1, made.path, made.size, made.sha256)
        incoming.write(content[:end])
        with pytest.raises(Refused, match="not what was told") as caught:
            incoming.keep()
        incoming.drop()
        assert caught.value.code == "E-BINHOST-SUM"
        with pytest.raises(Terminal, match="cannot become part"):
            binhost.publish(PROFILE, "b1", 1, [made])
    assert binhost.staged() == []
    assert index_of(root).entries == ()
    assert not [file for file in root.rglob("*") if file.is_file() and file.stat().st_size == 400]


def test_an_upload_that_is_longer_or_other_than_told_is_refused(binhost: BinhostFolder) -> None:
    made = artifact("dev-libs/liba-1.1", BIG)
    longer = binhost.receive("b1", 1, made.path, made.size, made.sha256)
    with pytest.raises(Refused, match="not what was told"):
        longer.write(BIG + b"x")
    longer.drop()
    other = binhost.receive("b1", 1, made.path, made.size, made.sha256)
    other.write(BIG[::-1])
    with pytest.raises(Refused, match="not what was told"):
        other.keep()
    other.drop()

    assert binhost.staged() == []


def test_a_second_upload_of_the_same_package_replaces_the_first(binhost: BinhostFolder, root: Path) -> None:
    first, second = artifact("dev-libs/liba-1.1", b"first"), artifact("dev-libs/liba-1.1", b"second")
    upload(binhost, ("b1", 1), first, b"first")
    upload(binhost, ("b1", 1), second, b"second")
    upload(binhost, ("b1", 1), second, b"second")

    (path,) = binhost.publish(PROFILE, "b1", 1, [second])

    assert (root / PROFILE / path).read_bytes() == b"second"
    assert len(index_of(root).entries) == 1


@pytest.mark.parametrize(
    "path",
    [
        "../x/x-1-1.gpkg.tar",
        "a/../../x-1.gpkg.tar",
        "/a/b/b-1-1.gpkg.tar",
        "a/b/.b-1.gpkg.tar",
        "a/b/b-1-1.gpkg.tar/",
        "a/b",
        "Packages",
        ".incoming/b/1/x-1.gpkg.tar",
        "a/b/c/d-1.gpkg.tar",
        "a/b/b-1\n.gpkg.tar",
        f"a/b/{'b' * 400}-1.gpkg.tar",
        "",
    ],
)
def test_what_is_no_path_of_a_package_is_refused(path: str, binhost: BinhostFolder) -> None:
    with pytest.raises(Refused) as caught:
        binhost.receive("b1", 1, path, 5, "0" * 64)

    assert caught.value.code == "E-BINHOST-PATH"
    if path != "Packages":
        assert binhost.served(PROFILE, path) is None


def test_an_upload_for_which_there_is_no_room_does_not_begin(binhost: BinhostFolder) -> None:
    with pytest.raises(Exception, match="cannot take an upload") as caught:
        binhost.receive("b1", 1, "a/b/b-1-1.gpkg.tar", 1 << 60, "0" * 64)

    assert caught.value.code == "E-BINHOST-FULL"  # type: ignore[attr-defined]


@pytest.mark.parametrize("build", ["..", "a/b", "", ".hidden", "x" * 200])
def test_what_no_build_is_called_reaches_no_folder(build: str, binhost: BinhostFolder, root: Path) -> None:
    with pytest.raises(Refused):
        binhost.receive(build, 1, "a/b/b-1-1.gpkg.tar", 5, "0" * 64)
    with pytest.raises(Refused):
        binhost.discard(build, 1)


def test_what_was_discarded_is_gone_and_may_be_discarded_again(binhost: BinhostFolder, root: Path) -> None:
    upload(binhost, ("b1", 1), artifact("dev-libs/liba-1.1", BIG), BIG)
    upload(binhost, ("b1", 2), artifact("dev-libs/liba-1.1", BIG), BIG)

    binhost.discard("b1", 1)
    binhost.discard("b1", 1)

    assert binhost.staged() == [("b1", 2)]


# ---- publishing


def test_publishing_again_gives_the_same_paths_and_stores_nothing_twice(binhost: BinhostFolder, root: Path) -> None:
    made = upload(binhost, ("b1", 1), artifact("dev-libs/liba-1.1", BIG), BIG)
    first = binhost.publish(PROFILE, "b1", 1, [made])
    before = index_of(root)

    assert binhost.publish(PROFILE, "b1", 1, [made]) == first
    assert index_of(root) == before


def test_publishing_again_after_a_restart_and_other_packages_gives_the_same_paths(tmp_path: Path) -> None:
    root = tmp_path / "binhost"
    first = BinhostFolder(root)
    path = bring(first, "b1", "dev-libs/liba-1.1", b"one")
    assert bring(first, "b2", "dev-libs/liba-1.1", b"two") != path
    first.close()

    second = BinhostFolder(root)

    assert list(second.publish(PROFILE, "b1", 1, [artifact("dev-libs/liba-1.1", b"one")])) == [path]
    assert len(index_of(root).entries) == 2
    second.close()


def test_two_builds_of_one_version_get_two_build_ids(binhost: BinhostFolder, root: Path) -> None:
    paths = [bring(binhost, f"b{number}", "dev-libs/liba-1.1", b"%d" % number) for number in range(3)]

    assert paths == [f"dev-libs/liba/liba-1.1-{number}.gpkg.tar" for number in (1, 2, 3)]
    assert [entry["BUILD_ID"] for entry in index_of(root).entries] == ["1", "2", "3"]
    assert [each.build_id for each in binhost.index(PROFILE)] == [1, 2, 3]


def test_the_drones_own_build_id_is_kept_when_it_is_free(binhost: BinhostFolder) -> None:
    assert bring(binhost, "b1", "a/b-1", b"one", build_id="4") == "a/b/b-1-4.gpkg.tar"
    assert bring(binhost, "b2", "a/b-1", b"two", build_id="4") == "a/b/b-1-5.gpkg.tar"
    assert bring(binhost, "b3", "a/b-1", b"three", build_id="999999999") == "a/b/b-1-6.gpkg.tar"
    assert bring(binhost, "b4", "a/b-1.1", b"four") == "a/b/b-1.1-1.gpkg.tar"


def test_a_file_that_no_index_names_keeps_its_build_id(binhost: BinhostFolder, root: Path) -> None:
    stray = root / PROFILE / "a/b/b-1-1.gpkg.tar"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"somebody put it there")

    assert bring(binhost, "b1", "a/b-1", b"one") == "a/b/b-1-2.gpkg.tar"
    assert stray.read_bytes() == b"somebody put it there"


def test_several_packages_of_one_lease_come_in_together(binhost: BinhostFolder, root: Path) -> None:
    made = [
        upload(binhost, ("b1", 1), artifact(cpv, cpv.encode()), cpv.encode()) for cpv in ("a/b-1", "a/c-2", "x/y-3-r1")
    ]

    paths = binhost.publish(PROFILE, "b1", 1, made)

    assert paths == ["a/b/b-1-1.gpkg.tar", "a/c/c-2-1.gpkg.tar", "x/y/y-3-r1-1.gpkg.tar"]
    assert len(index_of(root).entries) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "0" * 64},
        {"size": 5},
        {"path": "a/b/../c.gpkg.tar"},
        {"entry": {"CPV": "nothing"}},
        {"entry": {"CPV": "a/b-1", "USE": "x\n\nCPV: evil/evil-1"}},
        {"header": {"X": "y\n\nCPV: evil/evil-1"}},
    ],
)
def test_what_was_not_uploaded_as_it_was_told_changes_nothing(
    change: dict[str, object], binhost: BinhostFolder, root: Path
) -> None:
    bring(binhost, "b0", "a/z-1", b"there before")
    before = index_of(root)
    made = upload(binhost, ("b1", 1), artifact("a/b-1", BIG), BIG)

    with pytest.raises(Terminal) as caught:
        binhost.publish(PROFILE, "b1", 1, [replace(made, **change)])  # type: ignore[arg-type]

    assert caught.value.code == "E-BINHOST-UPLOAD"
    assert index_of(root) == before
    assert binhost.publish(PROFILE, "b1", 1, [made]) == ["a/b/b-1-1.gpkg.tar"]


def test_profiles_do_not_see_each_others_packages(binhost: BinhostFolder, root: Path) -> None:
    path = bring(binhost, "b1", "a/b-1", b"one")
    binhost.begin("musl")

    assert binhost.profiles() == ["amd64", "musl"]
    assert binhost.index("musl") == ()
    assert binhost.served("musl", path) is None
    assert index_of(root, "musl").entries == ()
    with pytest.raises(Refused):
        binhost.begin("../musl")


def test_what_lies_behind_a_link_is_not_served(binhost: BinhostFolder, root: Path, tmp_path: Path) -> None:
    bring(binhost, "b1", "a/b-1", b"one")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (root / PROFILE / "a/b/b-1-7.gpkg.tar").symlink_to(secret)
    (root / PROFILE / "c").symlink_to(root / PROFILE / "a")

    assert binhost.served(PROFILE, "a/b/b-1-7.gpkg.tar") is None
    assert binhost.served(PROFILE, "c/b/b-1-1.gpkg.tar") is None
    assert binhost.served(".incoming", "Packages") is None
    assert binhost.served(PROFILE, "Packages.gz") == root / PROFILE / "Packages.gz"


# ---- the index


def test_the_time_of_the_index_grows_with_every_writing_whatever_the_clock_says(
    binhost: BinhostFolder, root: Path, clock: Clock
) -> None:
    times = []
    for number, step in enumerate((0.0, 0.0, 0.2, -5000.0, 100.0, 60_000.0)):
        clock.now += step
        bring(binhost, f"b{number}", "a/b-1", b"%d" % number)
        times.append(index_of(root).timestamp)

    assert all(later - earlier > 5 for earlier, later in pairwise(times)), "Portage's tolerance"
    assert times[-1] == int(clock.now)


def test_what_another_program_writes_into_the_index_is_seen(binhost: BinhostFolder, root: Path) -> None:
    bring(binhost, "b1", "a/b-1", b"one")
    bring(binhost, "b2", "a/c-1", b"two")
    file = root / PROFILE / "Packages"
    file.write_text(file.read_text().replace("USE: \n", "").replace("IUSE: ssl", "IUSE: gtk"))

    assert {each.package.use for each in binhost.index(PROFILE)} == {("-gtk",)}


def test_the_header_keeps_what_every_drone_told(binhost: BinhostFolder, root: Path) -> None:
    bring(binhost, "b1", "a/b-1", b"one")
    made = replace(artifact("a/c-1", b"two"), header={**HEADER, "IUSE_IMPLICIT": "abi", "PROFILE": "default"})

    binhost.publish(PROFILE, "b2", 1, [upload(binhost, ("b2", 1), made, b"two")])

    header = index_of(root).header
    assert (header["IUSE_IMPLICIT"], header["PROFILE"], header["PACKAGES"]) == ("abi prefix", "default", "2")


# ---- what goes again


def test_what_is_pruned_leaves_the_index_at_once_and_the_disk_later(
    binhost: BinhostFolder, root: Path, clock: Clock
) -> None:
    paths = [bring(binhost, f"b{n}", "a/b-1", b"%d" % n, BUILD_TIME=str(n)) for n in range(3)]

    gone = binhost.prune(PROFILE, Retention(builds=1), grace=3600)

    assert [path for path, why in gone if why] == paths[:2]
    assert [entry["PATH"] for entry in index_of(root).entries] == paths[2:]
    assert all(binhost.served(PROFILE, path) for path in paths)
    clock.now += 3000
    assert binhost.prune(PROFILE, Retention(builds=1), grace=3600) == ()
    assert all(binhost.served(PROFILE, path) for path in paths)
    clock.now += 700
    assert binhost.prune(PROFILE, Retention(builds=1), grace=3600) == ()
    assert [path for path in paths if binhost.served(PROFILE, path)] == paths[2:]
    assert bring(binhost, "b9", "a/b-1", b"9") == "a/b/b-1-4.gpkg.tar"


def test_what_a_set_wants_is_not_pruned(binhost: BinhostFolder, root: Path) -> None:
    for number in range(1, 5):
        bring(binhost, f"b{number}", f"a/b-{number}", b"%d" % number)

    binhost.prune(PROFILE, Retention(versions=1, wanted=(read_atom("=a/b-2"),)), grace=0)

    assert [entry["CPV"] for entry in index_of(root).entries] == ["a/b-2", "a/b-4"]


def test_the_hourly_look_prunes_every_profile_and_says_what_went(binhost: BinhostFolder, root: Path) -> None:
    for number in range(1, 6):
        bring(binhost, f"b{number}", f"a/b-{number}", b"%d" % number)
    said: list[str] = []
    asked = Request("r1", "k", "set:web", "ana", PROFILE, 0.0, ("=a/b-1",))
    pruning = Pruning(binhost, lambda: [asked], Serve(keep_versions=2), lambda text, _: said.append(text))

    pruning()
    pruning()

    assert [entry["CPV"] for entry in index_of(root).entries] == ["a/b-1", "a/b-4", "a/b-5"]
    assert len(said) == 2
    assert said[0] == "amd64/a/b/b-2-1.gpkg.tar leaves the binhost: 2 newer versions of its slot are there"


# ---- one writer


def test_a_second_process_is_told_that_another_one_has_it(binhost: BinhostFolder, root: Path) -> None:
    code = f"from reconciler.adapters.binhost.folder import BinhostFolder as B\nB({str(root)!r})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "E-BINHOST-BUSY" in done.stderr
    with pytest.raises(Busy):
        BinhostFolder(root)


def test_it_may_be_opened_again_when_it_was_closed(tmp_path: Path) -> None:
    for _ in range(3):
        BinhostFolder(tmp_path / "binhost").close()

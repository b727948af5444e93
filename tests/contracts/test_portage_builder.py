"""Builds by the real emerge, in a prefix of their own: what comes out, what goes wrong, and what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.adapters.portage.builder import PortageBuilder, PortageRules
from reconciler.durable import read_sealed
from reconciler.errors import Terminal
from reconciler.process_group import marked
from reconciler.swarm.drone.builder import Built
from reconciler.swarm.emerge.output import read_listing
from tests.support.cli import ROOT
from tests.support.gentoo import BODY, LIBRARY, SLEEPER, Machine, Watched, names, never, offer

PATIENCE = 120.0


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """One for all of these tests: what one has built is installed for the next, as on a drone."""
    machine = Machine(tmp_path_factory.mktemp("portage") / "machine")
    machine.ebuild("dev-libs/liba-1.1", LIBRARY, SLOT="0/1")
    machine.ebuild("app-misc/foo-1.0", IUSE="doc ssl", DEPEND="dev-libs/liba:=", RDEPEND="dev-libs/liba:=")
    machine.ebuild("app-misc/foo-1.1", IUSE="doc ssl", DEPEND="dev-libs/liba:=", RDEPEND="dev-libs/liba:=")
    machine.ebuild("app-misc/needs-1", RDEPEND="app-misc/bar[doc]")
    machine.ebuild("app-misc/bar-1", IUSE="doc")
    machine.ebuild("app-misc/sleeper-1", SLEEPER)
    machine.ebuild("app-misc/broken-1", BODY + 'src_compile() { echo "some words"; die "it never compiles"; }\n')
    for name, size in (("large", "1M"), ("huge", "8M")):
        takes = f'head -c {size} /dev/zero > "${{T}}/much" || die "no room"'
        machine.ebuild(f"app-misc/{name}-1", BODY + f"src_compile() {{ {takes}; }}\n")
    machine.ebuild("app-misc/away-1", SRC_URI="http://127.0.0.1:9/away-1.tar.gz")
    machine.ebuild("app-misc/picky-1", BODY + 'pkg_pretend() { die "this machine is too small"; }\n')
    machine.ebuild("app-misc/packless-1", BODY + 'pkg_preinst() { rm -r "${PKGDIR}"/app-misc/packless; }\n')
    machine.ebuild("app-misc/lonely-1", RDEPEND="app-misc/nowhere")
    machine.ebuild("app-misc/chosen-1", IUSE="gtk qt", REQUIRED_USE="^^ ( gtk qt )")
    machine.ebuild("app-misc/testing-1", KEYWORDS="~amd64")
    machine.ebuild("app-misc/asks-1", PROPERTIES="interactive")
    machine.ebuild("dev-diamond/base-1")
    machine.ebuild("dev-diamond/left-1", DEPEND="dev-diamond/base")
    machine.ebuild("dev-diamond/right-1", RDEPEND="dev-diamond/base", PDEPEND="dev-diamond/later")
    machine.ebuild("dev-diamond/later-1", RDEPEND="dev-diamond/right")
    machine.ebuild("dev-diamond/top-1", DEPEND="dev-diamond/left dev-diamond/right")
    machine.ebuild("dev-cycle/one-1", DEPEND="dev-cycle/two")
    machine.ebuild("dev-cycle/two-1", DEPEND="dev-cycle/one")
    return machine


@pytest.fixture(scope="module")
def builder(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> PortageBuilder:
    return PortageBuilder(PortageRules(tmp_path_factory.mktemp("drone"), nice=3), machine.environment)


def left_over(builder: PortageBuilder) -> list[object]:
    """Processes of a build, and files that only a build has."""
    return [
        *marked(builder._mark),
        *(builder._builds / "portage").glob("*/*"),
        *builder._run_folder.glob("emerge-*"),
        *builder._rules.folder.glob("emerge.json"),
    ]


# ---- its own disk


@pytest.fixture
def small(machine: Machine, tmp_path: Path) -> Iterator[PortageBuilder]:
    """Builds are on a file system of 4 MiB (needs root)."""
    builds = tmp_path / "builds"
    builds.mkdir()
    (tmp_path / "drone").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", str(builds)], check=True)
    yield PortageBuilder(PortageRules(tmp_path / "drone", builds=str(builds)), machine.environment)
    subprocess.run(["umount", str(builds)], check=True)


@pytest.mark.parametrize("left", [0, 128 << 10], ids=["nothing", "little"])
def test_a_disk_without_room_is_no_failure_of_the_package(left: int, small: PortageBuilder) -> None:
    filling = Path(small._rules.builds) / "what-fills-it"
    assert small.unable() == ""
    with filling.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    os.truncate(filling, filling.stat().st_size - left)
    assert str(filling.parent) in small.unable()

    built = small.build(offer("=app-misc/large-1"), Watched(), never)
    assert (built.result, "No space left on device" in built.log) == ("returned", True), built
    assert str(filling.parent) in built.reason

    filling.unlink()
    assert small.unable() == ""
    assert small.build(offer("=app-misc/large-1"), Watched(), never).result == "succeeded"


def test_what_takes_all_of_a_disk_that_has_room_has_failed(small: PortageBuilder) -> None:
    built = small.build(offer("=app-misc/huge-1"), Watched(), never)

    assert (built.result, "No space left on device" in built.log) == ("failed", True)
    assert small.unable() == ""


def test_a_folder_that_is_not_ours_is_trouble_of_the_drone(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "builds").symlink_to(tmp_path)
    (tmp_path / "drone").mkdir()
    builder = PortageBuilder(PortageRules(tmp_path / "drone", builds=str(tmp_path / "builds")), machine.environment)

    assert "is not ours to build in" in builder.unable()


# ---- what is built


def test_a_package_is_built_with_what_it_needs_and_the_flags_of_the_offer(
    machine: Machine, builder: PortageBuilder
) -> None:
    watched = Watched()

    built = builder.build(offer("=app-misc/foo-1.0::gentoo", use={"app-misc/foo": ("doc", "-ssl")}), watched, never)

    assert (built.result, built.reason) == ("succeeded", "")
    assert names(built) == ["app-misc/foo-1.0", "dev-libs/liba-1.1"]
    foo, liba = built.packages
    assert (foo.entry["USE"], foo.entry["RDEPEND"], foo.entry["REPO"]) == ("doc", "dev-libs/liba:0/1=", "gentoo")
    assert liba.entry["PROVIDES"].endswith("libliba.so.1")
    assert foo.header["CHOST"] == foo.entry["CHOST"] == "x86_64-pc-linux-gnu"
    assert foo.file.stat().st_size == int(foo.entry["SIZE"])
    phases = [phase for package, phase in watched.phases if package == "app-misc/foo-1.0"]
    assert phases and set(phases) <= {
        *("setup", "unpack", "prepare", "configure", "compile", "test", "install", "package", "merge", "instprep"),
        *("preinst", "postinst", "clean", "cleanrm", "merge-wait"),
    }
    assert b">>> Emerging (2 of 2) app-misc/foo-1.0::gentoo" in watched.log
    assert "Completed (2 of 2)" in built.log
    assert not list((machine.prefix / "etc/portage").glob("package.use*"))
    assert left_over(builder) == []


def test_what_is_installed_already_is_built_again_and_with_other_flags(
    machine: Machine, builder: PortageBuilder
) -> None:
    use = {"app-misc/foo": ("ssl",), "dev-libs/liba": ("none",)}
    first = builder.build(offer("=app-misc/foo-1.1", build="b2", use=use), Watched(), never)

    again = builder.build(offer("=app-misc/foo-1.1", build="b2", attempt=2), Watched(), never)

    assert [names(each) for each in (first, again)] == [["app-misc/foo-1.1"]] * 2, "liba needs no second build"
    assert [each.packages[0].entry.get("USE", "") for each in (first, again)] == ["ssl", ""]
    assert machine.told("foo") == "1.1"
    assert first.packages[0].file.exists(), "packages stay until they are forgotten"
    builder.forget("b2:1")
    assert not first.packages[0].file.exists()
    assert again.packages[0].file.exists()


def test_the_machines_own_flags_hold_and_the_offer_stands_above_them(machine: Machine, builder: PortageBuilder) -> None:
    own = machine.prefix / "etc/portage/package.use"
    own.mkdir()
    (own / "mine").write_text("app-misc/bar doc\n")
    text = builder.resolve(offer("app-misc/bar"), Watched(), never).text
    other = builder.resolve(offer("app-misc/bar", use={"app-misc/bar": ("-doc",)}), Watched(), never).text
    (own / "mine").unlink()
    own.rmdir()

    assert [read_listing(each).entries[0].package.use for each in (text, other)] == [("doc",), ("-doc",)]


def test_a_question_is_answered_with_the_tree_of_all_that_would_be_built(builder: PortageBuilder) -> None:
    use = {"app-misc/bar": ("doc",)}

    answer = builder.resolve(offer("app-misc/needs", "app-misc/foo", build="q1", use=use), Watched(), never)

    listing = read_listing(answer.text)
    assert answer.result == "succeeded"
    assert {each.package.cpv for each in listing.entries} >= {"app-misc/needs-1", "app-misc/bar-1", "app-misc/foo-1.1"}
    assert ("app-misc/needs-1", "app-misc/bar-1") in {(edge.parent, edge.dependency) for edge in listing.edges}
    assert listing.tree and not listing.problems
    assert left_over(builder) == []


def test_an_answer_tells_every_need_though_a_tree_shows_a_package_once(builder: PortageBuilder) -> None:
    answer = builder.resolve(offer("dev-diamond/top", build="q3"), Watched(), never)

    listing = read_listing(answer.text)
    assert answer.text.count("[ebuild") == 5
    edges = {(edge.parent.split("/")[1], edge.dependency.split("/")[1]) for edge in listing.edges}
    needs = {("top-1", "left-1"), ("top-1", "right-1"), ("left-1", "base-1"), ("right-1", "base-1")}
    assert edges >= needs | {("later-1", "right-1")}
    assert (listing.problems, listing.messages) == ((), ())


def test_a_question_without_a_list_brings_what_emerge_said_instead(builder: PortageBuilder) -> None:
    answer = builder.resolve(offer("app-misc/lonely", build="q2"), Watched(), never)

    assert answer.result == "succeeded"
    assert [message.kind for message in read_listing(answer.text).messages] == ["missing"]


def test_one_atom_that_cannot_be_had_takes_nothing_from_the_others(builder: PortageBuilder) -> None:
    atoms = ("app-misc/unheard-of", "app-misc/foo", "=app-misc/testing-1", "app-misc/lonely", "app-misc/needs")

    answer = builder.resolve(offer(*atoms, build="q4", use={"app-misc/bar": ("doc",)}), Watched(), never)

    listing = read_listing(answer.text)
    cpvs = {each.package.cpv for each in listing.entries}
    assert answer.result == "succeeded" and cpvs >= {"app-misc/foo-1.1", "app-misc/needs-1", "app-misc/bar-1"}
    assert ("app-misc/needs-1", "app-misc/bar-1") in {(edge.parent, edge.dependency) for edge in listing.edges}
    assert [message.kind for message in listing.messages if message.trouble] == ["missing", "masked", "missing"]
    assert not listing.problems and left_over(builder) == []


# ---- what goes wrong


@pytest.mark.parametrize(
    ("atom", "reason"),
    [
        ("=app-misc/broken-1", "app-misc/broken-1 failed in its compile phase: it never compiles"),
        ("=app-misc/away-1", "away-1.tar.gz could not be downloaded"),
        ("=app-misc/picky-1", "app-misc/picky-1 failed in its pretend phase: this machine is too small"),
        ("=app-misc/packless-1", "emerge ended well, and left no package of =app-misc/packless-1"),
        ("=app-misc/lonely-1", 'there are no ebuilds to satisfy "app-misc/nowhere"'),
        ("=app-misc/chosen-1", "has unmet requirements"),
        ("=app-misc/testing-1", "app-misc/testing-1 is masked on the drone (~amd64 keyword)"),
        ("=app-misc/asks-1", "app-misc/asks-1 is masked on the drone (interactive properties)"),
        ("=dev-cycle/one-1", "circular dependencies"),
        ("=app-misc/unheard-of-1", 'there are no ebuilds to satisfy "=app-misc/unheard-of-1"'),
        ("=app-misc/foo-1*", "is not exactly one version"),
        ("--depclean", "the offer cannot be built"),
    ],
)
def test_what_fails_says_why_and_leaves_nothing(atom: str, reason: str, builder: PortageBuilder) -> None:
    built = builder.build(offer(atom, build="f"), Watched(), never)

    assert built.result == "failed"
    assert reason in built.reason
    assert built.packages == ()
    assert "\n" not in built.reason
    if "cannot be built" not in built.reason:
        assert len(built.log) > 100
    assert ("some words" in built.log) == ("broken" in atom)
    assert left_over(builder) == []


@pytest.mark.parametrize("use", [{"app-misc/foo\n*/*": ("x",)}, {"app-misc/foo": ("x\n*/* y",)}, {"-x": ("y",)}])
def test_lines_of_package_use_that_would_be_other_lines_are_refused(
    use: dict[str, tuple[str, ...]], builder: PortageBuilder
) -> None:
    built = builder.build(offer("=app-misc/foo-1.0", build="f", use=use), Watched(), never)

    assert (built.result, built.log) == ("failed", "")
    assert "cannot be built" in built.reason


def test_a_machine_without_portage_is_told_so(tmp_path: Path) -> None:
    bare = PortageBuilder(PortageRules(tmp_path / "drone"), {"PATH": "/nowhere"})

    with pytest.raises(Terminal) as caught:
        bare.build(offer("=app-misc/foo-1.0"), Watched(), never)

    assert caught.value.code == "E-DRONE-EMERGE"


def test_a_folder_that_somebody_else_made_is_not_built_in(machine: Machine, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    builder = PortageBuilder(PortageRules(tmp_path / "drone", builds=str(theirs)), machine.environment)

    with pytest.raises(Terminal) as caught:
        builder.build(offer("=app-misc/foo-1.0"), Watched(), never)

    assert caught.value.code == "E-DRONE-FOLDER"


# ---- what is ended


def compiling(builder: PortageBuilder) -> bool:
    return bool(list((builder._builds / "portage").glob("app-misc/sleeper-1/temp/begun")))


def ended_while_it_compiles(builder: PortageBuilder, end: Callable[[], str], timeout: float = 600) -> Built:
    return builder.build(offer("=app-misc/sleeper-1", build="s", timeout=timeout), Watched(), end)


@pytest.mark.parametrize("features", ["", "pid-sandbox network-sandbox ipc-sandbox"])
def test_a_build_that_is_cancelled_leaves_no_process(features: str, machine: Machine, builder: PortageBuilder) -> None:
    config = machine.prefix / "etc/portage/make.conf"
    plain = config.read_text()
    config.write_text(plain + f'FEATURES="${{FEATURES}} {features}"\n')
    seen: list[int] = []

    def withdrawn() -> str:
        seen[:] = marked(builder._mark)  # emerge, its shell and what that started
        return "it was withdrawn" if compiling(builder) and len(seen) >= 4 else ""

    try:
        built = ended_while_it_compiles(builder, withdrawn)
    finally:
        config.write_text(plain)

    assert (built.result, built.reason) == ("returned", "it was withdrawn")
    assert left_over(builder) == []


def test_a_build_that_takes_too_long_is_ended_and_failed(builder: PortageBuilder) -> None:
    built = ended_while_it_compiles(builder, never, timeout=2)

    assert (built.result, built.reason) == ("failed", "it did not end within 2 s")
    assert left_over(builder) == []


def test_a_killed_emerge_says_nothing_about_the_package_and_its_compilers_are_ended(builder: PortageBuilder) -> None:
    def kill_emerge() -> str:
        if compiling(builder):
            os.kill(read_sealed(builder._record)["pid"], signal.SIGKILL)
        return ""

    built = ended_while_it_compiles(builder, kill_emerge)

    assert built.result == "returned"
    assert built.reason.startswith("a signal ended emerge (9)")
    assert left_over(builder) == []


DRONE = """
import json, sys
from pathlib import Path
from reconciler.adapters.portage.builder import PortageBuilder, PortageRules
from tests.support.gentoo import Watched, never, offer
PortageBuilder(PortageRules(Path(sys.argv[1])), json.loads(sys.argv[2])).build(
    offer("=app-misc/sleeper-1", build="s", timeout=600), Watched(), never)
"""


def test_what_a_killed_drone_was_building_is_ended_and_cleared_away_by_the_next(
    machine: Machine, builder: PortageBuilder
) -> None:
    folder = builder._rules.folder
    command = [sys.executable, "-c", DRONE, str(folder), json.dumps(machine.environment)]
    drone = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    until = time.monotonic() + PATIENCE
    while not compiling(builder):
        assert drone.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    drone.kill()
    drone.wait()
    assert marked(builder._mark), "they go on when nobody ends them"
    kept = folder / "packages" / "kept-1"
    kept.mkdir(exist_ok=True)

    builder.clean(keep="kept:1")

    assert left_over(builder) == []
    assert list((folder / "packages").iterdir()) == [kept]


def test_nothing_is_wrong_with_cleaning_where_nothing_was(machine: Machine, tmp_path: Path) -> None:
    PortageBuilder(PortageRules(tmp_path / "drone"), machine.environment).clean()


def test_logs_are_bounded_and_their_end_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reconciler.adapters.portage import log as portage_log

    monkeypatch.setattr(portage_log, "LARGEST", 10_000)
    for number in range(portage_log._LOGS + 5):
        portage_log.BuildLog(tmp_path / f"{number}.log").close()
    log = portage_log.BuildLog(tmp_path / "last.log")
    for number in range(20_000):
        log.write(b"line %d\n" % number)

    assert log.tail().endswith("line 19999\n")
    assert log.tail().startswith("line ")
    assert len(log.tail()) <= portage_log.TAIL
    log.close()
    assert sum(file.stat().st_size for file in tmp_path.glob("last.log*")) <= 20_000
    assert len(list(tmp_path.glob("*.log"))) <= portage_log._LOGS + 1

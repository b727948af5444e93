"""The working tree: exactly the revision's files, and never a byte of anybody else's lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.adapters.git import GitRepository
from reconciler.errors import Refused, Terminal, Transient
from reconciler.git.worktree.record import settled
from reconciler.model.repository import CheckoutReport
from tests.support.gitremote import Content, Executable, Remote, Submodule, Symlink
from tests.support.gitrepository import repository


class Bench:
    """A remote, its clone and a working tree; every commit is fetched at once."""

    def __init__(self, folder: Path) -> None:
        self.remote = Remote(folder / "srv")
        self.state, self.tree = folder / "state", folder / "tree"
        self.repo: GitRepository = repository(self.state, self.remote.url)
        self._runs = 0

    def commit(self, files: dict[str, Content]) -> str:
        sha = self.remote.commit(files)
        self._runs += 1
        self.repo.fetch(f"f{self._runs}")
        return sha

    def checkout(self, sha: str, run: str = "run") -> CheckoutReport:
        return self.repo.checkout(sha, str(self.tree), run)

    def drift(self, sha: str) -> tuple[str, ...]:
        return self.repo.checkout_drift(sha, str(self.tree))

    def obstacles(self, sha: str) -> tuple[str, ...]:
        return self.repo.checkout_obstacles(sha, str(self.tree))

    def refused(self, sha: str, code: str = "E-CHECKOUT-UNTRACKED") -> Refused:
        before = snapshot(self.tree)
        with pytest.raises(Refused) as caught:
            self.checkout(sha)
        assert caught.value.code == code
        assert snapshot(self.tree) == before, "a refused check-out touches nothing"
        return caught.value

    @property
    def index(self) -> Path:
        (found,) = self.state.glob("repository.git.checkout-*")
        return found

    def aside(self, path: str, run: str = "run") -> bytes:
        return (self.state / "displaced" / run / path).read_bytes()


def snapshot(root: Path) -> dict[str, tuple[str, object]]:
    """Every path with what it is; `.git` of a user is among them."""
    found: dict[str, tuple[str, object]] = {}
    for path in sorted(root.rglob("*")) if root.exists() else ():
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("folder", None)
        elif path.is_file():
            found[name] = ("file", (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)))
        else:
            found[name] = ("special", None)
    return found


def files(root: Path) -> set[str]:
    return {name for name, (kind, _) in snapshot(root).items() if kind != "folder"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# ---- making it so


def test_a_missing_folder_is_made_and_filled(bench: Bench) -> None:
    sha = bench.commit({"a": "1", "d/e/run": Executable("#!"), "d/l": Symlink("e/run"), "empty": ""})
    old = os.umask(0o077)
    try:
        report = bench.checkout(sha)
    finally:
        os.umask(old)
    assert report == CheckoutReport(written=("a", "d/e/run", "d/l", "empty"))
    assert snapshot(bench.tree) == {
        "a": ("file", (b"1", 0o644)),
        "d": ("folder", None),
        "d/e": ("folder", None),
        "d/e/run": ("file", (b"#!", 0o755)),
        "d/l": ("link", "e/run"),
        "empty": ("file", (b"", 0o644)),
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in (bench.tree, bench.tree / "d/e")} == {0o755}


def test_unchanged_files_are_not_rewritten(bench: Bench) -> None:
    c1 = bench.commit({"same": "1", "other": "1"})
    bench.checkout(c1)
    before = (bench.tree / "same").stat()
    c2 = bench.commit({"other": "2"})
    assert bench.checkout(c2) == CheckoutReport(written=("other",))
    after = (bench.tree / "same").stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)  # its atime may move: it is read
    assert (bench.tree / "other").read_text() == "2"


def test_a_second_checkout_does_nothing(bench: Bench) -> None:
    sha = bench.commit({"a": "1"})
    bench.checkout(sha)
    before = (bench.tree / "a").stat(), bench.tree.stat()
    assert bench.checkout(sha) == CheckoutReport()
    assert ((bench.tree / "a").stat(), bench.tree.stat()) == before


def test_the_executable_bit_follows_git_and_the_inode_stays(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1"}))
    inode = (bench.tree / "a").stat().st_ino
    sha = bench.commit({"a": Executable("1")})
    assert bench.drift(sha) == ("a",)
    assert bench.checkout(sha).written == ("a",)
    now = (bench.tree / "a").stat()
    assert (stat.S_IMODE(now.st_mode), now.st_ino) == (0o755, inode)


def test_the_owner_of_a_replaced_file_stays(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1"}))
    os.chown(bench.tree / "a", 1234, 2345)
    bench.checkout(bench.commit({"a": "2"}))
    now = (bench.tree / "a").stat()
    assert (now.st_uid, now.st_gid) == (1234, 2345)


def test_going_back_restores_what_was(bench: Bench) -> None:
    c1 = bench.commit({"a": "1", "gone/x": "x", "kind": "file", "deep/er": "1"})
    bench.checkout(c1)
    before = snapshot(bench.tree)
    c2 = bench.commit({"a": "2", "gone/x": None, "kind": None, "kind/inner": "1", "deep/er": None, "deep": "file"})
    bench.checkout(c2)
    assert files(bench.tree) == {"a", "kind/inner", "deep"}
    bench.checkout(c1, "back")
    assert snapshot(bench.tree) == before


def test_a_users_own_git_folder_is_never_touched(bench: Bench) -> None:
    sha = bench.commit({"a": "1"})
    subprocess.run(["git", "clone", "-q", bench.remote.url, str(bench.tree)], check=True)
    before = snapshot(bench.tree / ".git")
    assert bench.checkout(sha) == CheckoutReport()
    bench.checkout(bench.commit({"a": "2", "b": "1"}))
    assert snapshot(bench.tree / ".git") == before


def test_two_working_trees_of_one_clone(bench: Bench, tmp_path: Path) -> None:
    c1, c2 = bench.commit({"a": "1"}), bench.commit({"a": "2"})
    other = str(tmp_path / "other")
    bench.checkout(c2)
    bench.repo.checkout(c1, other, "run")
    assert bench.drift(c2) == () == bench.repo.checkout_drift(c1, other)


def test_paths_that_are_not_utf8(bench: Bench) -> None:
    sha = bench.commit({"caf\udce9/\udcff": "1", "link\udce9": Symlink("caf\udce9/\udcff")})
    assert bench.checkout(sha).written == ("caf\udce9/\udcff", "link\udce9")
    assert os.listdir(os.fsencode(bench.tree) + b"/caf\xe9") == [b"\xff"]
    assert bench.drift(sha) == ()
    (bench.tree / "caf\udce9/\udcff").write_text("2")
    assert bench.checkout(sha).displaced == ("caf\udce9/\udcff",)


def test_a_name_as_long_as_names_may_be(bench: Bench) -> None:
    sha = bench.commit({"n" * 255: "1"})
    bench.checkout(sha)
    (bench.tree / ("n" * 255)).write_text("2")
    assert bench.checkout(sha).displaced == ("n" * 255,)


# ---- drift


def test_drift_names_what_is_missing_or_differs(bench: Bench) -> None:
    sha = bench.commit({"a": "1", "b": "1", "c": Executable("1"), "d/x": "1", "e": Symlink("a"), "f": "1", "g/h": "1"})
    assert bench.drift(sha) == ("a", "b", "c", "d/x", "e", "f", "g/h")
    bench.checkout(sha)
    assert bench.drift(sha) == ()
    (bench.tree / "a").write_text("2")
    (bench.tree / "b").unlink()
    (bench.tree / "c").chmod(0o644)
    (bench.tree / "e").unlink()
    (bench.tree / "e").symlink_to("b")
    (bench.tree / "untracked").write_text("x")
    shutil.rmtree(bench.tree / "d")
    (bench.tree / "d").symlink_to(bench.state)
    assert bench.drift(sha) == ("a", "b", "c", "d/x", "e")


def test_drift_sees_a_change_that_keeps_size_and_time(bench: Bench) -> None:
    """As `touch -r` or an rsync does; and within the same tick of the clock."""
    sha = bench.commit({"a": "1111"})
    bench.checkout(sha)
    for content in ("2222", "3333"):
        before = (bench.tree / "a").stat()
        (bench.tree / "a").write_text(content)
        os.utime(bench.tree / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert bench.drift(sha) == ("a",)
        assert bench.checkout(sha, content).displaced == ("a",)
        assert bench.drift(sha) == ()


def test_drift_sees_such_a_change_in_a_file_long_known(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = bench.commit({"a": "1111"})
    bench.checkout(sha)
    past = time.time_ns() + 10_000_000_000
    with monkeypatch.context() as later:
        later.setattr(time, "time_ns", lambda: past)
        assert bench.drift(sha) == ()
    before = (bench.tree / "a").stat()
    (bench.tree / "a").write_text("2222")
    os.utime(bench.tree / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert bench.drift(sha) == ("a",)


def test_the_stat_of_a_fresh_file_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("1")
    found = (tmp_path / "a").stat()
    for later, trusted in ((0, False), (10_000_000_000, True), (-10_000_000_000, False)):
        monkeypatch.setattr(time, "time_ns", lambda later=later: found.st_ctime_ns + later)
        assert bool(settled(found)) is trusted


def test_drift_against_another_revision(bench: Bench) -> None:
    c1 = bench.commit({"a": "1", "b": "1"})
    c2 = bench.commit({"a": "2", "module": Submodule("1" * 40)})
    bench.checkout(c1)
    assert bench.drift(c2) == ("a",)


def test_a_known_tree_is_checked_by_its_stats_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = bench.commit({f"d{number % 7}/f{number}": str(number) for number in range(100)})
    bench.checkout(sha)
    past = time.time_ns() + 10_000_000_000
    with monkeypatch.context() as later:
        later.setattr(time, "time_ns", lambda: past)
        assert bench.drift(sha) == ()  # hashes what was fresh, and remembers it

    def hashes(path: str, found: os.stat_result) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("reconciler.git.worktree.disk.blob_id", hashes)
    assert bench.drift(sha) == ()


# ---- changed at run time


def test_a_tracked_file_changed_at_run_time_is_copied_aside_and_put_back(bench: Bench) -> None:
    sha = bench.commit({"conf/app": "good", "run": Executable("good")})
    bench.checkout(sha)
    (bench.tree / "conf/app").write_text("edited on the host")
    (bench.tree / "run").write_text("edited too")
    report = bench.checkout(sha)
    assert report.displaced == ("conf/app", "run")
    assert report.aside == str(bench.state / "displaced/run")
    assert bench.aside("conf/app") == b"edited on the host"
    assert stat.S_IMODE((bench.state / "displaced/run/run").stat().st_mode) == 0o755
    assert snapshot(bench.tree)["run"] == ("file", (b"good", 0o755))


def test_an_edit_is_kept_aside_when_its_file_changes_in_git_as_well(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1"}))
    (bench.tree / "a").write_text("edited")
    report = bench.checkout(bench.commit({"a": "2"}))
    assert (report.written, report.displaced) == ((), ("a",))
    assert (bench.aside("a"), (bench.tree / "a").read_text()) == (b"edited", "2")


def test_copies_of_one_run_do_not_overwrite_each_other(bench: Bench) -> None:
    sha = bench.commit({"a": "1"})
    bench.checkout(sha)
    for content in ("first", "second"):
        (bench.tree / "a").write_text(content)
        bench.checkout(sha)
    assert (bench.aside("a"), bench.aside("a~1")) == (b"first", b"second")


def test_a_link_that_was_repointed_is_kept_aside_as_a_link(bench: Bench) -> None:
    sha = bench.commit({"a": "1", "l": Symlink("a")})
    bench.checkout(sha)
    (bench.tree / "l").unlink()
    (bench.tree / "l").symlink_to("/etc/passwd")
    assert bench.checkout(sha).displaced == ("l",)
    assert os.readlink(bench.state / "displaced/run/l") == "/etc/passwd"
    assert os.readlink(bench.tree / "l") == "a"


def test_a_file_that_became_a_link_does_not_lead_the_write_away(bench: Bench, tmp_path: Path) -> None:
    sha = bench.commit({"a": "1"})
    bench.checkout(sha)
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (bench.tree / "a").unlink()
    (bench.tree / "a").symlink_to(outside)
    assert bench.checkout(sha).displaced == ("a",)
    assert (outside.read_text(), (bench.tree / "a").read_text()) == ("precious", "1")


def test_a_deleted_file_comes_back(bench: Bench) -> None:
    sha = bench.commit({"a": "1", "d/e": "1"})
    bench.checkout(sha)
    shutil.rmtree(bench.tree / "d")
    assert bench.checkout(sha) == CheckoutReport(written=("d/e",))


# ---- leaving the index


def test_a_file_that_left_goes_and_a_copy_stays_aside(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1", "d/e/f": "2"}))
    report = bench.checkout(bench.commit({"d/e/f": None}))
    assert (report.removed, report.kept) == (("d/e/f",), ())
    assert bench.aside("d/e/f") == b"2"
    assert snapshot(bench.tree).keys() == {"a"}


def test_a_file_that_left_and_was_changed_is_kept(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1", "data": "1"}))
    (bench.tree / "data").write_text("grown")
    sha = bench.commit({"data": None})
    assert bench.checkout(sha) == CheckoutReport(kept=("data",))
    assert (bench.tree / "data").read_text() == "grown"
    assert bench.checkout(sha) == CheckoutReport(), "it is the user's from now on"


@pytest.mark.parametrize(
    ("where", "rule"),
    [(".gitignore", "*.db"), (".gitignore", "/var/"), ("var/.gitignore", "app.db\n"), (".gitignore", "var/*\n")],
)
def test_a_file_that_left_and_is_ignored_is_kept(bench: Bench, where: str, rule: str) -> None:
    bench.checkout(bench.commit({"a": "1", "var/app.db": "1"}))
    report = bench.checkout(bench.commit({"var/app.db": None, where: rule}))
    assert (report.removed, report.kept) == ((), ("var/app.db",))
    assert (bench.tree / "var/app.db").read_text() == "1"


def test_a_rule_that_is_taken_back_ignores_nothing(bench: Bench) -> None:
    bench.checkout(bench.commit({"a.db": "1", "b.db": "1"}))
    report = bench.checkout(bench.commit({"a.db": None, "b.db": None, ".gitignore": "*.db\n!b.db\n"}))
    assert (report.removed, report.kept) == (("b.db",), ("a.db",))


def test_folders_that_still_hold_something_stay(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1", "d/f": "1", "e/f": "1"}))
    (bench.tree / "d/untracked").write_text("mine")
    (bench.tree / "e/folder").mkdir()
    (bench.tree / "mine").mkdir()
    bench.checkout(bench.commit({"d/f": None, "e/f": None}))
    assert snapshot(bench.tree).keys() == {"a", "d", "d/untracked", "e", "e/folder", "mine"}


# ---- in the way


def test_untracked_files_are_never_touched(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1", "d/e": "1"}))
    (bench.tree / "d/mine").write_text("mine")
    (bench.tree / "mine").mkdir()
    (bench.tree / "mine/x").write_text("mine")
    bench.checkout(bench.commit({"a": "2", "d/e": "2", "d/new": "1"}))
    assert files(bench.tree) == {"a", "d/e", "d/new", "d/mine", "mine/x"}


def test_an_untracked_file_in_the_way_is_an_obstacle(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1"}))
    (bench.tree / "new").write_text("mine")
    sha = bench.commit({"a": "2", "new": "theirs"})
    assert bench.obstacles(sha) == ("new",)
    assert "new" in str(bench.refused(sha))
    (bench.tree / "new").unlink()
    assert bench.obstacles(sha) == ()
    assert bench.checkout(sha).written == ("a", "new")


def test_a_file_that_was_kept_is_an_obstacle_when_git_wants_its_place_again(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1", "data": "1"}))
    (bench.tree / "data").write_text("grown")
    bench.checkout(bench.commit({"data": None}))
    sha = bench.commit({"data": "again"})
    assert bench.obstacles(sha) == ("data",)
    bench.refused(sha)


def test_an_untracked_folder_with_files_is_an_obstacle(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1"}))
    (bench.tree / "new/deep").mkdir(parents=True)
    (bench.tree / "new/deep/x").write_text("mine")
    sha = bench.commit({"new": "a file"})
    assert bench.obstacles(sha) == ("new/deep/x",)
    bench.refused(sha)


def test_an_empty_folder_holds_nothing_and_makes_room(bench: Bench) -> None:
    """Docker makes one where a bind source was missing."""
    sha = bench.commit({"a": "1", "conf": "x"})
    (bench.tree / "conf").mkdir(parents=True)
    assert bench.obstacles(sha) == ()
    assert bench.checkout(sha).written == ("a", "conf")


def test_an_untracked_file_where_a_folder_has_to_be_is_an_obstacle(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1"}))
    (bench.tree / "d").write_text("mine")
    sha = bench.commit({"d/x": "1", "d/y": "1"})
    assert bench.obstacles(sha) == ("d",)
    bench.refused(sha)


@pytest.mark.parametrize("make", ["fifo", "socket"])
def test_what_git_cannot_hold_is_an_obstacle(bench: Bench, make: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = bench.commit({"a": "1"})
    bench.tree.mkdir()
    monkeypatch.chdir(bench.tree)
    if make == "fifo":
        os.mkfifo("a")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("a")
    assert bench.obstacles(sha) == ("a",)
    with pytest.raises(Refused):
        bench.checkout(sha)


def test_what_git_has_anyway_is_no_obstacle(bench: Bench) -> None:
    """Equal to the target, or any content of the history: it can be had again."""
    bench.commit({"old": "an old version"})
    sha = bench.commit({"same": "theirs", "old": "new version", "x": Executable("run")})
    bench.tree.mkdir()
    (bench.tree / "same").write_text("theirs")
    (bench.tree / "old").write_text("an old version")
    (bench.tree / "x").write_text("run")
    inode = (bench.tree / "same").stat().st_ino
    assert bench.obstacles(sha) == ()
    assert bench.checkout(sha) == CheckoutReport(written=("old", "x"))
    assert (bench.tree / "same").stat().st_ino == inode


def test_nothing_is_written_through_a_link_that_replaced_a_folder(bench: Bench, tmp_path: Path) -> None:
    sha = bench.commit({"d/x": "1", "d/y": "1"})
    bench.checkout(sha)
    outside = tmp_path / "outside"
    (bench.tree / "d").rename(outside)
    (outside / "x").write_text("precious")
    (bench.tree / "d").symlink_to(outside)
    assert bench.obstacles(sha) == ("d",)
    bench.refused(sha)
    c2 = bench.commit({"d/x": None, "d/y": None, "other": "1"})
    assert bench.checkout(c2).removed == ()
    assert (outside / "x").read_text() == "precious" and (outside / "y").exists()


def test_a_link_whose_target_reads_like_a_known_file_is_no_folder_of_ours(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    sha = bench.commit({"d/x": "1", "text": str(outside)})
    bench.checkout(sha)
    (bench.tree / "d").rename(outside)
    (bench.tree / "d").symlink_to(outside)
    assert bench.obstacles(sha) == ("d",)


def test_a_tracked_link_becomes_a_folder(bench: Bench) -> None:
    bench.checkout(bench.commit({"real/x": "1", "d": Symlink("real")}))
    report = bench.checkout(bench.commit({"d": None, "d/x": "2"}))
    assert report.removed == ("d",)
    assert ((bench.tree / "real/x").read_text(), (bench.tree / "d/x").read_text()) == ("1", "2")


def test_a_changed_file_is_not_given_up_for_a_folder(bench: Bench) -> None:
    bench.checkout(bench.commit({"d": "1"}))
    (bench.tree / "d").write_text("edited")
    bench.refused(bench.commit({"d": None, "d/x": "1"}))


# ---- the record


@pytest.mark.parametrize("harm", ["gone", "empty", "truncated", "scrambled"])
def test_a_lost_record_costs_no_file(bench: Bench, harm: str) -> None:
    c1 = bench.commit({"a": "1", "b": "1", "l": Symlink("a")})
    bench.checkout(c1)
    (bench.tree / "mine").write_text("mine")
    raw = bench.index.read_bytes()
    match harm:
        case "gone":
            bench.index.unlink()
        case "empty":
            bench.index.write_bytes(b"")
        case "truncated":
            bench.index.write_bytes(raw[:-20])
        case _:
            bench.index.write_bytes(raw.replace(c1.encode(), b"0" * 40))
    assert bench.drift(c1) == ()
    c2 = bench.commit({"a": "2", "l": Symlink("b")})
    assert bench.checkout(c2) == CheckoutReport(written=("a", "l"))
    assert files(bench.tree) == {"a", "b", "l", "mine"}


def test_the_record_lies_outside_of_the_working_tree(bench: Bench) -> None:
    bench.checkout(bench.commit({"a": "1"}))
    assert files(bench.tree) == {"a"}
    assert bench.index.parent == bench.state


# ---- what is never checked out


@pytest.mark.parametrize(
    "links",
    [
        {"l": "/etc/passwd"},
        {"l": "../x"},
        {"d/l": "../../x"},
        {"d/l": "e/../../../x"},
        {"up": "d/..", "d/back": "..", "l": "d/back/../x"},
        {"l": "nowhere/../../x"},
        {"a": "b", "b": "/etc"},
    ],
)
def test_links_that_lead_out_are_refused(bench: Bench, links: dict[str, str]) -> None:
    bench.checkout(bench.commit({"file": "1"}))
    sha = bench.commit({"d/f": "1"} | {path: Symlink(target) for path, target in links.items()})
    bench.refused(sha, "E-CHECKOUT-LINK")
    with pytest.raises(Refused):
        bench.obstacles(sha)


@pytest.mark.parametrize("links", [{"l": "d/f"}, {"d/l": "../d/f"}, {"a": "b", "b": "a"}, {"l": "."}, {"l": "missing"}])
def test_links_that_stay_inside_are_made_as_they_stand(bench: Bench, links: dict[str, str]) -> None:
    sha = bench.commit({"d/f": "1"} | {path: Symlink(target) for path, target in links.items()})
    bench.checkout(sha)
    assert {path: os.readlink(bench.tree / path) for path in links} == links
    assert bench.drift(sha) == ()


@pytest.mark.parametrize("path", [".git/config", "d/.GIT/hooks/x", ".Git"])
def test_paths_of_gits_own_folder_are_refused(bench: Bench, path: str) -> None:
    bench.tree.mkdir()
    blob = bench.remote.git("hash-object", "-w", "--stdin", input=b"x").decode().strip()
    line = f"100644 blob {blob}\t{path.rpartition('/')[2]}\n"
    for folder in reversed(path.split("/")[:-1]):
        tree = bench.remote.git("mktree", input=line.encode()).decode().strip()
        line = f"040000 tree {tree}\t{folder}\n"
    tree = bench.remote.git("mktree", input=line.encode()).decode().strip()
    sha = bench.remote.git("commit-tree", tree, "-m", "evil").decode().strip()
    bench.remote.force(sha)
    bench.repo.fetch("f")
    bench.refused(sha, "E-CHECKOUT-PATH")


def test_submodules_are_skipped_and_named(bench: Bench) -> None:
    sha = bench.commit({"a": "1", "module": Submodule("1" * 40)})
    report = bench.checkout(sha)
    assert (report.written, report.skipped) == (("a",), ("module",))
    assert files(bench.tree) == {"a"}
    assert bench.drift(sha) == ()


def test_a_working_tree_that_is_a_file(bench: Bench) -> None:
    sha = bench.commit({"a": "1"})
    bench.tree.write_text("mine")
    with pytest.raises(Terminal) as caught:
        bench.checkout(sha)
    assert caught.value.code == "E-CHECKOUT-DIRECTORY"
    assert bench.tree.read_text() == "mine"


# ---- a full disk, a kill


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("full", ["tree", "displaced"])
def test_a_full_disk_cuts_no_file_short_and_the_next_try_completes(bench: Bench, small_disk: Path, full: str) -> None:
    if full == "tree":
        bench.tree = small_disk / "tree"
    else:
        bench.state.mkdir()
        (bench.state / "displaced").symlink_to(small_disk)
    old = {f"d/f{number}": bytes([number]) * 60_000 for number in range(10)}
    c1 = bench.commit(dict(old))
    bench.checkout(c1)
    edited = b"edited" * 20_000
    for number in range(10) if full == "displaced" else ():
        (bench.tree / f"d/f{number}").write_bytes(edited)
        old[f"d/f{number}"] = edited
    c2 = bench.commit({path: bytes([number + 100]) * 60_000 for number, path in enumerate(old)})
    with pytest.raises(Transient) as caught:
        bench.checkout(c2)
    assert caught.value.code == "E-DISK-FULL"
    new = {path: bytes([number + 100]) * 60_000 for number, path in enumerate(old)}
    assert files(bench.tree) == set(old), "no temporary file is left"
    assert all((bench.tree / path).read_bytes() in (old[path], new[path]) for path in old)
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    bench.checkout(c2, "again")
    assert {path: (bench.tree / path).read_bytes() for path in new} == new
    assert files(bench.tree) == set(new)
    assert bench.drift(c2) == ()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.support.gitrepository import repository

state, tree, url, sha, when = sys.argv[1:]
left = int(when)

def audit(event, arguments):  # every change of a file system passes here before it happens
    global left
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.chmod"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

repo = repository(Path(state), url)
repo.tree(sha)
sys.addaudithook(audit)
repo.checkout(sha, tree, f"killed{when}")
"""


def test_a_kill_anywhere_is_repaired_by_the_next_checkout(bench: Bench) -> None:
    """Dies before each change of the file system in turn, then goes to the same or to another revision."""
    c1 = bench.commit(
        {
            "a": "1",
            "gone/x": "x",
            "kind": "file",
            "deep/er": "1",
            "edit": "1",
            "mode": "1",
            "l": Symlink("a"),
            "keep": "1",
        }
    )
    c2 = bench.commit(
        {"a": "2", "gone/x": None, "kind": None, "kind/in/ner": "1", "deep/er": None, "deep": "file", "edit": "2",
         "mode": Executable("1"), "l": Symlink("mode"), "new/one": "1", "new/two": "2", "keep": None}
    )  # fmt: skip
    c3 = bench.commit({"a": "3", "new/two": None, "kind/in/ner": "3"})

    def prepare(goal: str) -> None:
        for path in (bench.tree, bench.state / "displaced"):
            shutil.rmtree(path, ignore_errors=True)
        for path in bench.state.glob("repository.git.checkout-*"):
            path.unlink()
        bench.checkout(c1)
        (bench.tree / "edit").write_text("edited")
        if goal != c1:  # which wants it back, and would refuse to overwrite it
            (bench.tree / "keep").write_text("grown")
        (bench.tree / "mine").write_text("mine")
        (bench.tree / "new").mkdir()
        (bench.tree / "new/mine").write_text("mine")

    def uncrashed(sha: str) -> dict[str, tuple[str, object]]:
        prepare(sha)
        bench.checkout(c2)
        bench.checkout(sha)
        return snapshot(bench.tree)

    wanted = {sha: uncrashed(sha) for sha in (c2, c3, c1)}
    done = None
    for when in range(500):
        goal = (c2, c3, c1)[when % 3]
        prepare(goal)
        command = [sys.executable, "-c", KILLED, str(bench.state), str(bench.tree), bench.remote.url, c2, str(when)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        bench.checkout(goal, "next")
        assert snapshot(bench.tree) == wanted[goal], f"killed before change {when}, then to {goal}"
        assert bench.drift(goal) == ()
        copies = [path.read_bytes() for path in (bench.state / "displaced").rglob("edit*")]
        assert b"edited" in copies, "what was edited is nowhere lost"
        if done.returncode == 0:
            assert when > 20
            break
    else:
        pytest.fail("the check-out never got through")

"""The Repository port over real remotes: a file, an SSH server, an HTTP server that wants a token."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.adapters.git import GitRepository
from reconciler.errors import Terminal
from reconciler.model.repository import Change
from reconciler.ports import Repository
from tests.support.gitremote import Executable, Remote, Submodule, Symlink, http_backend, sshd
from tests.support.gitrepository import repository

TOKEN = "s3cret-token"


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "srv")


@pytest.fixture(params=["file", "path", "ssh", "http", "http-password"])
def near(request: pytest.FixtureRequest, remote: Remote, tmp_path: Path) -> Iterator[GitRepository]:
    """The remote as each transport shows it."""
    state = tmp_path / "state"
    match request.param:
        case "file":
            yield repository(state, remote.url)
        case "path":
            yield repository(state, str(remote.path))
        case "ssh":
            with sshd(tmp_path / "ssh") as server:
                yield repository(state, server.url(remote.path), ssh_key=server.key, known_hosts=server.known_hosts)
        case "http":
            with http_backend(remote.path.parent, TOKEN) as web:
                yield repository(state, web.url(), token=TOKEN)
        case _:
            with http_backend(remote.path.parent, "p@ss/word", user="ann") as web:
                yield repository(state, web.url(user_info="ann:p%40ss%2Fword@"))


def test_fetching_follows_the_branch_with_its_whole_history(near: GitRepository, remote: Remote) -> None:
    # main: c1 - c2 - c3
    c1 = remote.commit({"a": "1"})
    c2 = remote.commit({"a": "2"})
    assert near.fetch("r1") == c2
    c3 = remote.commit({"b": "3"})
    assert near.fetch("r2") == c3
    assert near.has(c1) and near.has(c2) and near.has(c3)
    assert near.root(c3) == c1
    assert near.is_descendant(c3, c1)


@pytest.fixture
def repo(remote: Remote, tmp_path: Path) -> GitRepository:
    return repository(tmp_path / "state", remote.url)


def test_it_is_a_repository(repo: GitRepository) -> None:
    port: Repository = repo
    assert port.EFFECTS == ("fetch", "checkout")


def test_a_run_may_fetch_twice(repo: GitRepository, remote: Remote) -> None:
    remote.commit({"a": "1"})
    repo.fetch("r1")
    c2 = remote.commit({"a": "2"})
    assert repo.fetch("r1") == c2


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a..b", "-x", "x.lock", "a b", "a\n"])
def test_a_run_that_is_no_name_of_a_ref_is_refused(repo: GitRepository, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        repo.fetch(name)


def test_what_the_last_runs_fetched_stays_and_older_refs_go(
    repo: GitRepository, remote: Remote, tmp_path: Path
) -> None:
    for number in range(9):
        remote.commit({"a": str(number)})
        repo.fetch(f"r{number}")
    runs = {ref.name for ref in (tmp_path / "state/repository.git/refs/reconciler/runs").iterdir()}
    assert "r8" in runs
    assert 2 <= len(runs) <= 5


def test_ancestry(repo: GitRepository, remote: Remote) -> None:
    # main: c1 - c2 - m ; side: c1 - s - m ; other: x
    c1 = remote.commit({"a": "1"})
    c2 = remote.commit({"a": "2"})
    s = remote.commit({"s": "1"}, parent=c1, branch="side")
    m = remote.commit({"s": "1"}, parent=c2, parents=(s,))
    repo.fetch("r1")
    assert repo.is_descendant(m, m)
    assert repo.is_descendant(m, s) and repo.is_descendant(m, c2)
    assert not repo.is_descendant(c2, s)
    assert not repo.is_descendant(c1, m)
    assert not repo.is_descendant(m, "0" * 40)
    assert not repo.is_descendant(m, "")
    assert repo.first_parents(m, c1) == (m, c2)
    assert repo.root(m) == c1


def test_the_log_follows_first_parents_down_to_the_base(repo: GitRepository, remote: Remote) -> None:
    # main: c1 - c2 - m ; side: c1 - s - m
    c1 = remote.commit({"a": "1"})
    c2 = remote.commit({"a": "2"}, "two")
    s = remote.commit({"s": "1"}, parent=c1, branch="side")
    m = remote.commit({"s": "1"}, "merge", parent=c2, parents=(s,))
    repo.fetch("r1")
    commits, more = repo.log(c1, m, 50)
    assert ([(c.sha, c.subject) for c in commits], more) == ([(m, "merge"), (c2, "two")], 0)
    commits, more = repo.log(c1, m, 1)
    assert ([c.sha for c in commits], more) == ([m], 1)
    assert repo.log(m, m, 50) == ((), 0)
    assert len(repo.log("0" * 40, m, 50)[0]) == 3


def test_ancestry_disregards_replacements(repo: GitRepository, remote: Remote, tmp_path: Path) -> None:
    # main: c1 - c2 ; x stands alone, and a replacement claims that c2 came from it
    c1 = remote.commit({"a": "1"})
    c2 = remote.commit({"a": "2"})
    x = remote.commit({"x": "1"}, parent="", branch="x")
    remote.commit({"x": "1"}, parent=c2, parents=(x,), branch="keep")
    keep = remote.git("rev-parse", "keep").decode().strip()
    remote.force(keep)
    repo.fetch("r1")
    bare = f"--git-dir={tmp_path / 'state/repository.git'}"
    subprocess.run(["git", bare, "replace", "--graft", c2, x], check=True, capture_output=True)
    assert repo.is_descendant(c2, c1)
    assert not repo.is_descendant(c2, x)


def test_a_shallow_remote_is_refused(remote: Remote, tmp_path: Path) -> None:
    remote.commit({"a": "1"})
    remote.commit({"a": "2"})
    shallow = tmp_path / "shallow.git"
    subprocess.run(["git", "clone", "-q", "--bare", "--depth=1", remote.url, str(shallow)], check=True)
    with pytest.raises(Terminal) as caught:
        repository(tmp_path / "state", str(shallow)).fetch("r1")
    assert caught.value.code == "E-GIT-SHALLOW"


def test_a_clone_that_became_shallow_is_made_whole(repo: GitRepository, remote: Remote, tmp_path: Path) -> None:
    c1 = remote.commit({"a": "1"})
    c2 = remote.commit({"a": "2"})
    repo.fetch("r1")
    (tmp_path / "state/repository.git/shallow").write_text(f"{c2}\n")
    assert repo.fetch("r2") == c2
    assert repo.is_descendant(c2, c1)


def test_a_commit_tells_who_what_and_when(repo: GitRepository, remote: Remote) -> None:
    sha = remote.commit({"a": "1"}, "Say hello\n\nAt length.")
    repo.fetch("r1")
    found = repo.commit(sha)
    assert (found.sha, found.subject, found.author) == (sha, "Say hello", "tester <tester@example.org>")
    assert found.at == 1_700_000_000


@pytest.mark.parametrize("sha", ["0" * 40, "main", "", "HEAD"])
def test_an_unknown_commit_is_an_error_that_says_so(repo: GitRepository, remote: Remote, sha: str) -> None:
    remote.commit({"a": "1"})
    repo.fetch("r1")
    assert not repo.has(sha)
    with pytest.raises(Terminal) as caught:
        repo.tree(sha)
    assert caught.value.code == "E-GIT-SHA"


def test_nothing_is_there_before_the_first_fetch(repo: GitRepository) -> None:
    assert not repo.has("0" * 40)


def test_a_tree_is_read_from_objects(repo: GitRepository, remote: Remote) -> None:
    sha = remote.commit(
        {
            "compose.yaml": "services: {}\n",
            "app/run": Executable("#!/bin/sh\n"),
            "app/conf/a.b": b"\x00\xff",
            "link": Symlink("app/run"),
            "module": Submodule("1" * 40),
            "odd\udcff": "x",
        }
    )
    repo.fetch("r1")
    tree = repo.tree(sha)
    kinds = {path: entry.kind for path in tree.children("") if (entry := tree.entry(path))}
    assert kinds == {
        "app": "directory", "compose.yaml": "file", "link": "symlink", "module": "submodule", "odd\udcff": "file",
    }  # fmt: skip
    assert tree.children("app") == ("conf", "run")
    assert tree.children("nowhere") == tree.children("link") == tree.children("compose.yaml") == ()
    assert tree.read("app/conf/a.b") == b"\x00\xff"
    assert tree.read("link") == b"app/run"
    root, run = tree.entry(""), tree.entry("app/run")
    assert root is not None and root.kind == "directory"
    assert run is not None and (run.kind, run.size, len(run.id)) == ("executable", 10, 40)
    assert tree.entry("app/none") is None and tree.entry("link/x") is None and tree.entry("/app") is None
    for path in ("app", "none", "module", "app/../compose.yaml"):
        with pytest.raises(KeyError):
            tree.read(path)


def test_changes_count_lines_and_follow_renames(repo: GitRepository, remote: Remote) -> None:
    text = "".join(f"line {number}\n" for number in range(20))
    base = remote.commit({"old": text, "gone": "a\nb\n", "same": "1", "turn": "a file\n", "edit": "1\n2\n"})
    target = remote.commit(
        {"old": None, "new": text, "gone": None, "turn": Symlink("same"), "edit": "1\n2\n3\n", "odd\udcfe": "x\n"}
    )
    repo.fetch("r1")
    assert set(repo.changes(base, target)) == {
        Change("new", "renamed", 0, 0, "old"),
        Change("gone", "deleted", 0, 2),
        Change("turn", "typechange"),
        Change("edit", "modified", 1, 0),
        Change("odd\udcfe", "added", 1, 0),
    }
    assert repo.changes(target, target) == ()
    assert {change.status for change in repo.changes("", base)} == {"added"}


def test_a_repository_of_somebody_else_is_read(repo: GitRepository, remote: Remote) -> None:
    sha = remote.commit({"a": "1"})
    subprocess.run(["chown", "-R", "12345:12345", str(remote.path)], check=True)
    assert repo.fetch("r1") == sha


def test_the_hosts_own_git_configuration_does_not_reach_in(
    repo: GitRepository, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = remote.commit({"a": "1"})
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "file:///nowhere"]\n\tinsteadOf = file://\n[fetch]\n\tprune = true\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert repo.fetch("r1") == sha


def test_fetching_does_not_load_the_heavy_library(tmp_path: Path, remote: Remote) -> None:
    remote.commit({"a": "1"})
    code = (
        "import sys; from pathlib import Path; from tests.support.gitrepository import repository\n"
        f"r = repository(Path({str(tmp_path / 'state')!r}), {remote.url!r})\n"
        "head = r.fetch('r1'); assert 'pygit2' not in sys.modules\n"
        f"wt = {str(tmp_path / 'wt')!r}; r.checkout(head, wt, 'r1'); assert 'pygit2' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = code.replace(
        "r.checkout(head, wt, 'r1'); assert 'pygit2' in", "r.checkout(head, wt, 'r2'); assert 'pygit2' not in"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_pull_request_of_a_fork_is_never_fetched(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    base = remote.commit({"a": "1"})
    remote.git("config", "uploadpack.allowAnySHA1InWant", "false")
    fork = remote.commit({"a": "evil"}, parent=base, branch="of-a-fork")
    remote.git("update-ref", "refs/pull/1/head", fork)
    remote.git("update-ref", "refs/merge-requests/1/head", fork)
    remote.delete_branch("of-a-fork")
    ours = repository(tmp_path / "state", remote.url)

    for run in ("first", "second"):
        assert ours.fetch(run) == base
    assert ours.has(base) and not ours.has(fork)

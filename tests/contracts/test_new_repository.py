"""The first commit of a fleet: into a new repository, and on top of one that exists."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.adapters.new_repository import author, clone, commit, is_repository, make_bare
from reconciler.core.trees import Content, Executable, Symlink
from reconciler.errors import ReconcilerError
from reconciler.git.transport import Transport
from tests.support.gitremote import Remote

WHO = "ana <ana@example.org>"
FILES: dict[str, Content] = {
    "a/plain.txt": b"\x00\xff\n",
    "a/run.sh": Executable(b"#!/bin/sh\n"),
    "a/link": Symlink("plain.txt"),
    'odd "name"\\ with\n line': b"1",
    "text": "öl",
}


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=True).stdout


def test_a_new_repository_holds_the_files_byte_for_byte(tmp_path: Path) -> None:
    make_bare(tmp_path, "trunk")
    commit(tmp_path, "trunk", FILES, WHO, "A beginning\n\nwith a body")

    listed = git(tmp_path, "ls-tree", "-r", "-z", "trunk").split(b"\0")[:-1]
    modes = {line.split(b"\t")[1].decode(): line.split()[0].decode() for line in listed}
    assert modes == {
        "a/plain.txt": "100644", "a/run.sh": "100755", "a/link": "120000", "text": "100644",
        'odd "name"\\ with\n line': "100644",
    }  # fmt: skip
    assert git(tmp_path, "show", "trunk:a/plain.txt") == b"\x00\xff\n"
    assert git(tmp_path, "show", "trunk:text").decode() == "öl"
    assert git(tmp_path, "log", "-1", "--format=%an <%ae>|%s", "trunk").decode() == f"{WHO}|A beginning\n"
    assert git(tmp_path, "symbolic-ref", "HEAD") == b"refs/heads/trunk\n"
    assert git(tmp_path, "fsck", "--strict") == b""


def test_a_commit_on_top_keeps_what_was_there(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    remote.commit({"README.md": "ours"}, "a beginning")
    folder = tmp_path / "clone"
    folder.mkdir()

    made = clone(Transport(remote.url), "main", folder)
    commit(made.git_dir, "main", {"fleet.yaml": b"x"}, WHO, "more")
    made.push()
    made.check_out()

    assert made.head != remote.head
    assert remote.git("ls-tree", "-r", "--name-only", "main") == b"README.md\nfleet.yaml\n"
    assert sorted(p.name for p in folder.iterdir()) == [".git", "README.md", "fleet.yaml"]
    assert git(folder, "status", "--porcelain") == b""
    assert git(folder, "remote", "get-url", "origin").decode().strip() == remote.url


def test_an_empty_remote_is_no_error_and_a_missing_branch_is(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert clone(Transport(remote.url), "main", tmp_path / "one").tree() is None

    remote.commit({"a": "1"}, "a beginning")
    with pytest.raises(ReconcilerError) as caught:
        clone(Transport(remote.url), "trunk", tmp_path / "two")

    assert caught.value.code == "E-GIT-BRANCH"


def test_a_push_that_is_not_taken_says_what_git_said(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    (remote.path / "hooks/pre-receive").write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    (remote.path / "hooks/pre-receive").chmod(0o755)
    folder = tmp_path / "clone"
    folder.mkdir()
    made = clone(Transport(remote.url), "main", folder)
    commit(made.git_dir, "main", {"a": b"1"}, WHO, "a beginning")

    with pytest.raises(ReconcilerError) as caught:
        made.push()

    assert caught.value.code == "E-INIT-GIT"
    assert "not today" in caught.value.why


def test_the_author_is_whom_git_knows_else_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert author("caroline") == "reconciler <reconciler@caroline>"

    (tmp_path / ".gitconfig").write_text("[user]\n  name = ana\n  email = ana@example.org\n")
    assert author("caroline") == WHO


def test_a_repository_is_told_from_any_other_folder(tmp_path: Path) -> None:
    remote = Remote(tmp_path)

    assert is_repository(remote.path)
    assert not is_repository(tmp_path)
    assert not is_repository(tmp_path / "gone")

"""What makes the crash tests quick changes nothing of what they see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.errors import Terminal, Transient
from tests.support.gitremote import Remote
from tests.support.gitrepository import repository
from tests.support.kept_folder import KeptFolder
from tests.support.near import near_repository


def test_a_near_remote_leaves_the_clone_that_git_leaves(tmp_path: Path) -> None:
    """New, known already, forced back to what is known, and known again."""
    remote = Remote(tmp_path)
    clones = {"git": repository(tmp_path / "git", remote.url), "near": near_repository(tmp_path / "near", remote.url)}
    first = remote.commit({"a": "1"})
    second = remote.commit({"a": "2"})
    for number, head in enumerate((first, first, second, first, second)):
        remote.force(head)
        assert {clone.fetch(f"run-{number}") for clone in clones.values()} == {head}
    found = [_files(tmp_path / name) for name in clones]
    assert found[0] == found[1] and len(found[0]) > 5


def test_a_near_remote_that_is_gone_is_left_to_git(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    remote.commit({"a": "1"})
    near = near_repository(tmp_path / "near", remote.url)
    near.fetch("run-1")
    remote.delete_branch()

    with pytest.raises((Terminal, Transient)):
        near.fetch("run-2")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_kept_folder_is_put_back_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "empty").mkdir(parents=True)
    (folder / "file").write_bytes(b"\0kept")
    (folder / "file").chmod(0o640)
    os.utime(folder / "file", ns=(1, 123_456_789))
    (folder / "link").symlink_to("nowhere")
    kept, nothing = KeptFolder.of(folder), KeptFolder.of(tmp_path / "nothing")
    (folder / "file").write_text("changed")
    (folder / "more").write_text("more")

    kept.put_back(folder)

    assert sorted(os.listdir(folder)) == ["empty", "file", "link"]
    stat = (folder / "file").stat()
    assert ((folder / "file").read_bytes(), stat.st_mode & 0o777, stat.st_mtime_ns) == (b"\0kept", 0o640, 123_456_789)
    assert os.readlink(folder / "link") == "nowhere" and (folder / "empty").is_dir()
    nothing.put_back(folder)
    assert not folder.exists()

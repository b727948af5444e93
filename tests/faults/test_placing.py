"""Files and folders that take their place together: all of them, or none, whatever fails on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.adapters.placing import Placing
from reconciler.errors import Terminal


def everything(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() if p.is_file() else "/" for p in sorted(folder.rglob("*"))}


def test_all_take_their_place_with_their_modes(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    with Placing() as placing:
        placing.file(tmp_path / "deep/env/secret", b"value", 0o600, folder_mode=0o700)
        placing.file(tmp_path / "old", b"new", 0o644)
        (placing.folder(tmp_path / "repository") / "HEAD").write_text("main")
        assert "repository" not in everything(tmp_path)
        placing.put()

    assert everything(tmp_path) == {
        "deep": "/", "deep/env": "/", "deep/env/secret": "value", "old": "new", "repository": "/",
        "repository/HEAD": "main",
    }  # fmt: skip
    assert (tmp_path / "deep/env/secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep/env").stat().st_mode & 0o777 == 0o700


def test_what_was_not_put_leaves_nothing(tmp_path: Path) -> None:
    with Placing() as placing:
        placing.file(tmp_path / "deep/file", b"1", 0o600)
        placing.folder(tmp_path / "other/folder")

    assert everything(tmp_path) == {}


def test_trouble_in_the_middle_puts_everything_back(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    before = everything(tmp_path)

    with Placing() as placing:
        placing.file(tmp_path / "old", b"new", 0o600)
        placing.file(tmp_path / "a/first", b"1", 0o600)
        staged = placing.folder(tmp_path / "b/second")
        staged.rmdir()  # somebody cleaned up meanwhile
        with pytest.raises(Terminal) as caught:
            placing.put()

    assert caught.value.code == "E-INIT-WRITE"
    assert everything(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Placing() as placing, pytest.raises(Terminal) as caught:
        placing.file(tmp_path / "file/inside/x", b"", 0o600)

    assert caught.value.code == "E-INIT-WRITE"
    assert everything(tmp_path) == {"file": ""}


def test_a_link_in_the_place_of_the_draft_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / f".file.{os.getpid()}").symlink_to(target)

    with Placing() as placing, pytest.raises(Terminal):
        placing.file(tmp_path / "file", b"other", 0o600)

    assert target.read_text() == "mine"

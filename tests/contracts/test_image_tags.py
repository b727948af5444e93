"""What registries said is kept, and the file's own time says when to ask again."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.adapters.image_tags import FILE, TagFile
from reconciler.model.images import Tag

TAGS = {"box:1": Tag("sha256:a", 12.0), "box:2": Tag("", 13.0, 2)}


def test_what_is_remembered_is_known_to_the_next_process(tmp_path: Path) -> None:
    assert TagFile(tmp_path).known() == {}
    TagFile(tmp_path).remember(TAGS, 4_000_000_000.0)
    assert TagFile(tmp_path).known() == TAGS
    assert (tmp_path / FILE).stat().st_mtime == 4_000_000_000.0


def test_what_cannot_be_had_is_not_tried_before_the_next_answer(tmp_path: Path) -> None:
    tags = TagFile(tmp_path)
    tags.failed("box:1")
    assert tags.known() == {}
    tags.remember(TAGS, 20.0)
    tags.failed("box:1")
    assert tags.known() == {**TAGS, "box:1": Tag("", 12.0, 1)}
    assert (tmp_path / FILE).stat().st_mtime == 20.0


@pytest.mark.parametrize("left", [b"", b"{}", b"\xff", b"0" * 64 + b"\n{}"])
def test_half_of_it_is_not_believed(tmp_path: Path, left: bytes) -> None:
    TagFile(tmp_path).remember(TAGS, 1.0)
    (tmp_path / FILE).write_bytes(left)
    assert TagFile(tmp_path).known() == {}


def test_a_full_disk_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file is in the way")
    TagFile(tmp_path / "state").remember(TAGS, 1.0)

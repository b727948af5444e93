"""Where Compose files lie on a disk: found within bounds, without following anything out of them."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.adapters.compose_files import LocalDisk, search
from reconciler.model.repository import Entry

NAMES = frozenset(("compose.yaml", "compose.override.yaml"))


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


def found(root: Path, depth: int = 3, most: int = 1000, avoid: tuple[str, ...] = ()) -> dict[str, set[str]]:
    met, _ = search([str(root)], NAMES, depth=depth, most=most, avoid=avoid)
    return {os.path.relpath(folder, root): set(names) for folder, names in met.items()}


def test_folders_with_such_files_are_found_as_deep_as_was_said(tmp_path: Path) -> None:
    write(
        tmp_path,
        "compose.yaml",
        "a/compose.yaml",
        "a/compose.override.yaml",
        "a/b/c/compose.yaml",
        "1/2/3/4/compose.yaml",
    )

    assert found(tmp_path) == {
        ".": {"compose.yaml"},
        "a": {"compose.yaml", "compose.override.yaml"},
        "a/b/c": {"compose.yaml"},
    }


def test_links_hidden_folders_and_those_to_avoid_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "real/compose.yaml", ".git/compose.yaml", "node_modules/x/compose.yaml", "fleet/compose.yaml")
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(tmp_path / "real")
    (root / "round").symlink_to(root)
    (root / "compose.yaml").symlink_to(tmp_path / "real/compose.yaml")

    assert found(root) == {}
    assert found(tmp_path, avoid=(str(tmp_path / "fleet"),)) == {"real": {"compose.yaml"}}


def test_a_root_with_too_much_is_not_searched_to_its_end_and_the_next_one_is(tmp_path: Path) -> None:
    write(tmp_path, *(f"a/{number}/x" for number in range(20)), "a/z/compose.yaml", "b/compose.yaml")

    met, whole = search([str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "gone")], NAMES, depth=3, most=10)

    assert (list(met), whole) == ([str(tmp_path / "b")], False)


def test_the_disk_reads_plain_files_within_their_bound(tmp_path: Path) -> None:
    disk = LocalDisk()
    write(tmp_path, "file")
    os.mkfifo(tmp_path / "pipe")

    assert disk.read(str(tmp_path / "file")) == b"x"
    assert [disk.read(str(tmp_path / name)) for name in ("pipe", ".", "gone", "a\0b")] == [None] * 4
    assert disk.read(str(tmp_path / "file"), 0) is None


def test_what_lies_below_a_folder_is_listed_without_git_and_what_stays_out(tmp_path: Path) -> None:
    write(tmp_path, "a", "b/c", ".git/config", "data/film", "b/skip")
    (tmp_path / "run").write_text("x")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "link").symlink_to("b")

    below = dict(LocalDisk().below(str(tmp_path), {str(tmp_path / "data"), str(tmp_path / "b/skip")}))

    assert below == {
        "a": Entry("file", "", 1),
        "b/c": Entry("file", "", 1),
        "run": Entry("executable", "", 1),
        "link": Entry("symlink", "", 1),
    }
    assert LocalDisk().link(str(tmp_path / "link")) == "b"

"""The in-memory tree has git's own ids."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.core.trees import Executable, MemoryTree, Submodule, Symlink


def test_ids_equal_those_of_git(tmp_path: Path) -> None:
    (tmp_path / "a-b").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_bytes(b"hello\n")
    (tmp_path / "a-b" / "g").write_bytes(b"")
    (tmp_path / "a.txt").write_bytes("grüße".encode())
    (tmp_path / "run").write_bytes(b"#!/bin/sh\n")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "link").symlink_to("a/f")

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("config", "core.autocrlf", "false")
    git("add", ".")
    sub = "1234567890123456789012345678901234567890"
    git("update-index", "--add", "--cacheinfo", f"160000,{sub},module")
    tree = MemoryTree({
        "a/f": b"hello\n", "a-b/g": b"", "a.txt": "grüße", "run": Executable(b"#!/bin/sh\n"), "link": Symlink("a/f"),
        "module": Submodule(sub),
    })  # fmt: skip
    root = tree.entry("")
    assert root is not None
    assert root.id == git("write-tree")
    link = tree.entry("link")
    assert link is not None
    assert (link.kind, link.size, tree.read("link")) == ("symlink", 3, b"a/f")


def test_it_answers_as_the_port_says() -> None:
    tree = MemoryTree({"b/x": b"1", "b/a": b"2", "c": b"3"})
    assert tree.children("") == ("b", "c")
    assert tree.children("b") == ("a", "x")
    assert tree.children("nowhere") == ()
    assert tree.entry("nowhere") is None
    for path in ("b", "nowhere"):
        with pytest.raises(KeyError):
            tree.read(path)


def test_a_path_cannot_be_a_file_and_a_folder() -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        MemoryTree({"a": b"", "a/b": b""})

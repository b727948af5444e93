"""Patterns of paths mean what they mean in a .gitignore: git itself is asked."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.globs import PATTERN, Globs

NAME = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
PATHS = st.lists(st.lists(NAME, min_size=1, max_size=4).map("/".join), min_size=1, max_size=8, unique=True)
PIECE = st.sampled_from(["a", "b", ".", "*", "?", "[ab]", "[!a]", "[a-b]", "ab"])
PART = st.one_of(st.lists(PIECE, min_size=1, max_size=3).map("".join).filter(lambda p: p.strip(".")), st.just("**"))
PATTERNS = st.builds(
    lambda parts, first, last: first + "/".join(parts) + last,
    st.lists(PART, min_size=1, max_size=4).filter(lambda parts: "****" not in "".join(parts)),
    st.sampled_from(["", "/"]),
    st.sampled_from(["", "/"]),
)


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("globs")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def ignored(folder: Path, pattern: str, paths: list[str]) -> set[str]:
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "exclude").write_text(f"{pattern}\n")
    command = ["git", "-C", str(folder), "check-ignore", "--no-index", "--stdin"]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return set(done.stdout.splitlines())


@given(PATTERNS, PATHS)
@settings(max_examples=300)
def test_a_pattern_fits_what_git_would_ignore(git: Path, pattern: str, paths: list[str]) -> None:
    globs = Globs([pattern])
    assert {path for path in paths if globs.match(path)} == ignored(git, pattern, paths)


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("docs/**", ["docs/a", "docs/a/b"], ["docs", "a/docs/b"]),
        ("**/*.md", ["a.md", "a/b/c.md"], ["a.mdx"]),
        ("*.md", ["a.md", "a/b.md"], []),
        ("/*.md", ["a.md"], ["a/b.md"]),
        ("a/**/b", ["a/b", "a/x/y/b"], ["ab", "a/xb"]),
        (".github/**", [".github/workflows/x.yml"], ["github/x"]),
        ("build", ["build/x", "a/build", "a/build/x"], ["builds"]),
        ("conf[0-9].d/", ["conf1.d/x"], ["conf1.d", "conf.d/x"]),
        ("[]-", [], ["[]-", "-"]),
        ("[z-a]", [], ["a", "z"]),
    ],
)
def test_patterns_as_people_write_them(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    assert re.match(PATTERN, pattern)
    assert [path for path in (*fits, *fits_not) if Globs([pattern]).match(path)] == fits


@pytest.mark.parametrize("pattern", ["", "/", "//a", "!a", "#a", " a", "a ", r"a\*"])
def test_what_git_reads_in_another_way_is_no_pattern(pattern: str) -> None:
    assert not re.match(PATTERN, pattern)


def test_no_pattern_fits_nothing() -> None:
    assert not Globs([]) and not Globs([]).match("a")

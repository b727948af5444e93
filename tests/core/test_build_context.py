"""What a build reads from git, less .dockerignore; equal files give an equal id and equal bytes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.build_context import archive, build_id, read_context
from reconciler.core.trees import Content, Executable, MemoryTree, Submodule, Symlink
from reconciler.errors import BadConfiguration
from reconciler.model.desired import Build
from reconciler.model.resources import BuildOptions

APP = Build("app")


def tree(files: Mapping[str, Content], ignore: str | None = None) -> MemoryTree:
    every: dict[str, Content] = {"app/Dockerfile": "FROM box\n", **{f"app/{path}": c for path, c in files.items()}}
    return MemoryTree(every if ignore is None else every | {"app/.dockerignore": ignore})


def paths(made: MemoryTree, build: Build = APP) -> set[str]:
    return {path for path, _, _ in read_context(made, build).files} - {"Dockerfile", ".dockerignore"}


def id_of(made: MemoryTree, build: Build = APP, platform: str = "") -> str:
    return build_id(read_context(made, build), build, platform)


# https://docs.docker.com/build/concepts/context/#dockerignore-files
@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("", {"a.txt", "b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("# a.txt\n\n   \n", {"a.txt", "b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("a.txt", {"b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("/a.txt", {"b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("*.txt", {"b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("**/*.txt", {"b.md", "d/e/b.md"}),
        ("**/a.txt", {"b.md", "d/e/b.md"}),
        ("*/a.txt", {"a.txt", "b.md", "d/e/a.txt", "d/e/b.md"}),
        ("*/*/a.txt", {"a.txt", "b.md", "d/a.txt", "d/e/b.md"}),
        ("d", {"a.txt", "b.md"}),
        ("d/", {"a.txt", "b.md"}),
        ("d/e", {"a.txt", "b.md", "d/a.txt"}),
        ("d/**", {"a.txt", "b.md"}),
        ("?.md", {"a.txt", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("[ab].*", {"d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("[^a].*", {"a.txt", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("*.md\n!b.md", {"a.txt", "b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("d\n!d/e/b.md", {"a.txt", "b.md", "d/e/b.md"}),
        ("!b.md\n*.md", {"a.txt", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        ("d/../a.txt", {"b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
        (r"\a.txt", {"b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"}),
    ],
)
def test_dockerignore(ignore: str, left: set[str]) -> None:
    files = dict.fromkeys(("a.txt", "b.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"), "x")

    assert paths(tree(files, ignore)) == left


def test_the_dockerfile_is_there_whatever_is_ignored() -> None:
    context = read_context(tree({"a": "x"}, "*"), APP)

    assert [path for path, _, _ in context.files] == ["Dockerfile"]


def test_equal_files_give_an_equal_id_and_equal_bytes() -> None:
    one = tree({"a": "1", "b": Executable(b"2"), "c": Symlink("a")})
    other = MemoryTree(
        {"unrelated": "x", **{path: one_of(one, path) for path in ("app/c", "app/b", "app/a", "app/Dockerfile")}}
    )

    assert id_of(one) == id_of(other)
    assert archive(one, read_context(one, APP)) == archive(other, read_context(other, APP))


def one_of(made: MemoryTree, path: str) -> Content:
    return made._files[path]


@pytest.mark.parametrize(
    "changed",
    [
        tree({"a": "2"}),
        tree({"b": "1"}),
        tree({"a": Executable(b"1")}),
        tree({"a": Symlink("1")}),
        tree({"a": "1", "b": ""}),
        tree({"a": "1"}, "b"),
    ],
)
def test_whatever_a_build_can_see_changes_the_id(changed: MemoryTree) -> None:
    assert id_of(changed) != id_of(tree({"a": "1"}))


def test_what_is_ignored_does_not_change_the_id() -> None:
    assert id_of(tree({"a": "1", "log": "1"}, "log")) == id_of(tree({"a": "1", "log": "2"}, "log"))


@pytest.mark.parametrize(
    "build",
    [
        Build("app", args=(("A", "1"),)),
        Build("app", target="test"),
        Build("app", labels=(("a", "b"),)),
        Build("app", "a"),
        Build("app", dockerfile_inline="FROM x"),
        Build("app", options=BuildOptions(network="host")),
        Build("app", options=BuildOptions(extra_hosts=(("db", "192.0.2.1"),))),
        Build("app", options=BuildOptions(shm_size=1)),
        Build("app", options=BuildOptions(no_cache=True)),
        Build("app", options=BuildOptions(pull=True)),
        Build("app", options=BuildOptions(platform="linux/arm64")),
    ],
)
def test_how_it_is_built_changes_the_id(build: Build) -> None:
    assert id_of(tree({"a": "1"}), build) != id_of(tree({"a": "1"}))


def test_where_the_cache_comes_from_does_not_change_the_id() -> None:
    cached = Build("app", options=BuildOptions(cache_from=("box",)))
    assert id_of(tree({"a": "1"}), cached) == id_of(tree({"a": "1"}))


def test_a_new_version_of_reconciler_gives_the_same_id_to_what_was_built_before() -> None:
    """Else an upgrade would build every image anew. This one was made before `BuildOptions` were read."""
    build = Build("app", args=(("A", "1"),), target="t", labels=(("a", "b"),))
    assert id_of(tree({"a": "1"}), build, platform="linux/arm64") == "d76453f073d66d769ff71802a86d07f60f40bbef"


def test_the_platform_changes_the_id() -> None:
    assert id_of(tree({}), platform="linux/arm64") != id_of(tree({}))


def test_the_archive_holds_modes_and_links_and_no_times_or_owners() -> None:
    made = tree({"run.sh": Executable(b"#!"), "link": Symlink("run.sh"), "sub": Submodule()})

    with tarfile.open(fileobj=io.BytesIO(archive(made, read_context(made, APP)))) as tar:
        members = {member.name: member for member in tar.getmembers()}

    assert set(members) == {"Dockerfile", "run.sh", "link"}
    assert (members["run.sh"].mode, members["Dockerfile"].mode) == (0o755, 0o644)
    assert members["link"].linkname == "run.sh"
    assert {(m.mtime, m.uid, m.gid) for m in members.values()} == {(0, 0, 0)}


def test_a_dockerfile_beside_the_context_travels_along() -> None:
    made = MemoryTree({"app/a": "1", "docker/app.Dockerfile": "FROM box\n"})

    context = read_context(made, Build("app", "../docker/app.Dockerfile"))

    assert context.dockerfile in {path for path, _, _ in context.files}
    assert b"FROM box" in archive(made, context)


@pytest.mark.parametrize(
    ("build", "code"),
    [
        (Build("missing"), "E-BUILD-CONTEXT"),
        (Build("app/Dockerfile"), "E-BUILD-CONTEXT"),
        (Build("app", "Missing"), "E-BUILD-DOCKERFILE"),
        (Build("app", "../../outside"), "E-BUILD-DOCKERFILE"),
    ],
)
def test_what_is_not_in_git_is_not_built(build: Build, code: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        read_context(tree({}), build)

    assert caught.value.code == code


@given(st.text("abc*?[]!\\/.#-^ é", max_size=12))
def test_any_pattern_is_read(line: str) -> None:
    read_context(tree({"a": "1", "b/c": "2"}, line), APP)

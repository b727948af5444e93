"""Files for containers are written in one folder, whatever a name or a link makes of the path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.adapters.host_files import LocalHostFiles
from reconciler.errors import Terminal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def files(tmp_path: Path, state: Path) -> LocalHostFiles:
    return LocalHostFiles(tmp_path / "etc", state, str.encode)


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_file_for_a_container_is_written_and_readable(files: LocalHostFiles, state: Path) -> None:
    path = state / "rendered/app/configs/c-1"
    files.write(str(path), b"one")
    files.write(str(path), b"two")

    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert (state / "rendered").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "path",
    ["rendered/../../pwn/job", "rendered/app/../../../pwn/job", "elsewhere", "rendered", "rendered2/x"],
)
def test_a_path_that_leads_out_is_refused_and_nothing_is_made(
    path: str, files: LocalHostFiles, state: Path, tmp_path: Path
) -> None:
    with pytest.raises(Terminal) as caught:
        files.write(f"{state}/{path}", b"x")

    assert caught.value.code == "E-HOST-FILE"
    assert everything(tmp_path) == set()


@pytest.mark.parametrize("path", ["state/rendered/app/c", "/", "", "/nowhere\0/x"])
def test_no_other_kind_of_path_is_taken(path: str, files: LocalHostFiles) -> None:
    with pytest.raises(Terminal) as caught:
        files.write(path, b"x")

    assert caught.value.code == "E-HOST-FILE"


def test_nothing_is_written_through_a_link(files: LocalHostFiles, state: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"theirs")
    (state / "rendered").mkdir(parents=True)
    (state / "rendered/app").symlink_to(outside)
    (state / "rendered/file").symlink_to(outside / "file")

    for path in ("app/c", "file"):
        with pytest.raises(Terminal):
            files.write(f"{state}/rendered/{path}", b"x")

    assert everything(outside) == {"file"}
    assert (outside / "file").read_bytes() == b"theirs"


def test_the_state_directory_may_be_a_link_itself(tmp_path: Path, state: Path) -> None:
    (tmp_path / "link").symlink_to(state)
    state.mkdir()
    LocalHostFiles(tmp_path, tmp_path / "link", str.encode).write(f"{tmp_path}/link/rendered/app/c", b"x")

    assert (state / "rendered/app/c").read_bytes() == b"x"


def test_a_path_is_followed_as_the_kernel_does(files: LocalHostFiles, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    os.symlink("circle", tmp_path / "circle")
    here = os.path.realpath(tmp_path)

    assert files.real(f"{tmp_path}/link/missing") == f"{here}/target/missing"
    assert files.real(f"{tmp_path}/circle") == f"{here}/circle"
    assert files.real("/a\0b") == "/a\0b"

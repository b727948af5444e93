"""Who only looks at the ledger sees it on a disk that is full or read-only, and never changes it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from reconciler import database_view
from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.adapters.ledger.view import LedgerView
from reconciler.errors import Transient
from reconciler.model.report import Run

FIRST, SECOND = (Run(f"run-{n}", "converge", "timer", "a" * 40, "", float(n), host="caroline") for n in (1, 2))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB of its own (needs root)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    with suppress(OSError), (folder / "what-fills-it").open("ab", buffering=0) as stream:
        while stream.write(bytes(512)):
            pass


def read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def written(path: Path, *runs: Run) -> None:
    """By a pass that ended well: there is no log beside the database."""
    with closing(SqliteLedger(path)) as ledger:
        for run in runs:
            ledger.begin(run)
    assert not path.with_name(f"{path.name}-wal").exists()


def killed_while_writing(path: Path, run: Run) -> None:
    """By a pass that died: what it wrote is in the log alone."""
    child = os.fork()
    if not child:
        SqliteLedger(path).begin(run)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert path.with_name(f"{path.name}-wal").stat().st_size


def seen(path: Path) -> tuple[list[str], str]:
    with closing(LedgerView(path)) as view:
        return [run.id for run in view.runs()], view.note


def listed(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("trouble", [fill, read_only])
@pytest.mark.parametrize("index", ["kept", "gone"])
@pytest.mark.parametrize("died", [False, True])
def test_everything_is_seen_and_why_nothing_is_added(disk: Path, trouble: object, index: str, died: bool) -> None:
    path = disk / "ledger.db"
    written(path, FIRST)
    if died:
        killed_while_writing(path, SECOND)
    if index == "gone":
        path.with_name("ledger.db-shm").unlink(missing_ok=True)
    assert callable(trouble)
    trouble(disk)

    runs, note = seen(path)

    assert runs == (["run-2", "run-1"] if died else ["run-1"])
    if died and index == "kept":  # then it is read as it stands
        assert note == ""
        return
    assert ("cannot be written" if trouble is read_only else "has no room") in note
    with pytest.raises(Transient):
        SqliteLedger(path)


@pytest.mark.parametrize("trouble", [fill, read_only])
def test_what_cannot_be_read_anywhere_is_said_to_be_missing(
    disk: Path, trouble: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = disk / "ledger.db"
    written(path, FIRST)
    killed_while_writing(path, SECOND)
    path.with_name("ledger.db-shm").unlink()
    assert callable(trouble)
    trouble(disk)
    monkeypatch.setattr(database_view, "ELSEWHERE", (str(disk), "/nowhere"))

    runs, note = seen(path)

    assert runs == ["run-1"]
    assert "passes may be missing" in note and "ledger.db-wal" in note


def test_a_view_leaves_everything_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    written(path, FIRST)
    before = listed(tmp_path)

    assert seen(path) == (["run-1"], "")
    assert listed(tmp_path) == before
    with closing(LedgerView(path)) as view, pytest.raises(Transient):
        view.begin(SECOND)
    assert listed(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, None])
def test_what_is_no_ledger_is_told_and_left_for_the_next_pass(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ledger.db"
    written(path, FIRST)
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    before = listed(tmp_path)

    runs, note = seen(path)

    assert runs == []
    assert "is unusable" in note and "the next pass sets it aside" in note
    assert listed(tmp_path) == before


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_no_file_is_told_too(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ledger.db"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")

    runs, note = seen(path)

    assert runs == []
    assert "not a regular file" in note
    assert os.path.lexists(path) and not (tmp_path / "elsewhere").exists()


def test_no_ledger_is_none_to_be_made(tmp_path: Path) -> None:
    assert seen(tmp_path / "state" / "ledger.db") == ([], "")
    assert not (tmp_path / "state").exists()


def test_a_view_and_a_pass_do_not_hinder_each_other(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(SqliteLedger(path)) as writing:
        writing.begin(FIRST)
        with closing(LedgerView(path)) as view:
            assert [run.id for run in view.runs()] == ["run-1"]
            writing.begin(SECOND)
            assert [run.id for run in view.runs()] == ["run-2", "run-1"]
        assert seen(path) == (["run-2", "run-1"], "")

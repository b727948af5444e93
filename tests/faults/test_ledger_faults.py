"""Damage to the ledger's file, done for real: it is detected, set aside and begun anew; a full disk is not damage."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.errors import Transient
from reconciler.model.report import Run

A = "a" * 40
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z


def run(number: int, detail: str = "") -> Run:
    return Run(f"r{number}", "converge", "timer", A, "", started=float(number), detail=detail)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of 200 runs, closed in good order."""
    file = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(str(file))
    for number in range(200):
        ledger.begin(run(number, "x" * 200))
    ledger.finish("r0", ended=1.0, outcome="succeeded", exit_code=0)
    ledger.close()
    return file


def zero_bytes(file: Path) -> None:
    file.write_bytes(b"")


def cut_inside_the_header(file: Path) -> None:
    os.truncate(file, 60)


def cut_in_the_middle(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def cut_by_one_byte(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def not_a_database(file: Path) -> None:
    file.write_bytes(b"these are not the bytes you are looking for\n" * 100)


def garbage_in_the_middle(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(8192))


def of_another_program(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE runs (id)")
    connection.close()


def of_another_schema(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_dangling_link(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.parent / "nowhere")


DAMAGE = [
    zero_bytes,
    cut_inside_the_header,
    cut_in_the_middle,
    cut_by_one_byte,
    not_a_database,
    garbage_in_the_middle,
    of_another_program,
    of_another_schema,
    a_folder,
    a_dangling_link,
]


@pytest.mark.parametrize("harm", DAMAGE, ids=lambda harm: str(harm.__name__))
def test_a_damaged_ledger_is_set_aside_and_begun_anew(path: Path, harm: Callable[[Path], None]) -> None:
    harm(path)
    ledger = SqliteLedger(str(path), clock=lambda: NOON)
    assert ledger.loss is not None and ledger.fresh
    assert ledger.loss.aside == f"{path}.broken-20261121T120000Z"
    assert os.path.lexists(ledger.loss.aside)
    ledger.begin(run(1))
    assert [r.id for r in ledger.runs()] == ["r1"]
    ledger.close()
    later = SqliteLedger(str(path))
    assert later.loss is None and not later.fresh and len(later.runs()) == 1
    later.close()


def test_a_second_loss_in_the_same_second_keeps_the_first(path: Path) -> None:
    for _ in range(2):
        zero_bytes(path)
        SqliteLedger(str(path), clock=lambda: NOON).close()
    assert len(list(path.parent.glob("ledger.sqlite.broken-*"))) == 2


def test_a_deleted_ledger_is_begun_anew_without_its_old_log(path: Path) -> None:
    ledger = SqliteLedger(str(path))
    ledger.begin(run(1000))
    log = Path(f"{path}-wal").read_bytes()
    ledger.close()
    path.unlink()
    Path(f"{path}-wal").write_bytes(log)
    anew = SqliteLedger(str(path))
    assert anew.fresh and anew.loss is None and anew.runs() == ()
    anew.close()


def test_a_ledger_deleted_under_a_long_lived_process_is_noticed_at_the_next_run(path: Path) -> None:
    ledger = SqliteLedger(str(path))
    path.unlink()
    ledger.begin(run(1000))
    ledger.close()
    reader = SqliteLedger(str(path))
    assert [r.id for r in reader.runs()] == ["r1000"]
    reader.close()


def test_a_truncated_log_loses_only_its_tail(path: Path) -> None:
    ledger = SqliteLedger(str(path))
    ledger.begin(run(1000))
    kept = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    ledger.close()
    path.write_bytes(kept[0])
    Path(f"{path}-wal").write_bytes(kept[1][:-100])
    again = SqliteLedger(str(path))
    assert again.loss is None and len(again.runs(limit=1000)) == 200
    again.close()


def test_what_was_written_survives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    program = (
        "import os, signal, sys\n"
        "from reconciler.adapters.ledger.sqlite import SqliteLedger\n"
        "from reconciler.model.report import Run\n"
        "ledger = SqliteLedger(sys.argv[1])\n"
        "ledger.begin(Run('r1', 'deploy', 'ci', 'a' * 40, '', 1.0))\n"
        "ledger.note_attempt('a' * 40, 'boot')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)]).returncode == -signal.SIGKILL
    ledger = SqliteLedger(str(path))
    assert ledger.loss is None and [r.id for r in ledger.unfinished()] == ["r1"] and ledger.attempts(A, "boot") == 1
    ledger.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 192 KiB of its own (needs root)."""
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_is_transient_and_loses_nothing(small_disk: Path) -> None:
    ledger = SqliteLedger(str(small_disk / "ledger.sqlite"))
    written = 0
    with pytest.raises(Transient) as caught:
        while True:
            ledger.begin(run(written, "x" * 4000))
            written += 1
    assert caught.value.code == "E-LEDGER-FULL" and caught.value.next
    assert written and len(ledger.runs(limit=1000)) == written
    ledger.close()


def test_a_full_disk_at_the_opening_is_never_taken_for_damage(small_disk: Path) -> None:
    path = small_disk / "ledger.sqlite"
    ledger = SqliteLedger(str(path))
    ledger.begin(run(1))
    ledger.close()
    ballast = small_disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)
    with pytest.raises(Transient) as caught:
        SqliteLedger(str(path)).begin(run(2))
    assert caught.value.code == "E-LEDGER-FULL"
    ballast.unlink()
    again = SqliteLedger(str(path))
    assert again.loss is None and [r.id for r in again.runs()] == ["r1"]
    again.close()


def test_a_full_disk_at_the_very_first_opening_leaves_no_half_made_ledger(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)
    with pytest.raises(Transient) as caught:
        SqliteLedger(str(small_disk / "ledger.sqlite"))
    assert caught.value.code == "E-LEDGER-FULL"
    ballast.unlink()
    ledger = SqliteLedger(str(small_disk / "ledger.sqlite"))
    assert ledger.fresh and ledger.loss is None
    ledger.close()


def test_a_folder_that_cannot_be_made_is_transient(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(Transient) as caught:
        SqliteLedger(str(tmp_path / "state" / "ledger.sqlite"))
    assert caught.value.code == "E-LEDGER-ACCESS"

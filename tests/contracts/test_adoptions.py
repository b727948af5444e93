"""What was taken over from Compose is remembered whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.adapters.adoptions import AdoptionFile
from reconciler.errors import Transient
from reconciler.model.adopted import Adopted, Adoption

ADOPTED = Adopted({"c1": Adoption("v1:a", "1" * 40), "c2": Adoption("", "2" * 40)}, frozenset({"n1"}))


def test_what_is_remembered_is_known_to_the_next_process(tmp_path: Path) -> None:
    assert AdoptionFile(tmp_path).known() == Adopted()
    AdoptionFile(tmp_path).remember(ADOPTED)
    assert AdoptionFile(tmp_path).known() == ADOPTED
    assert (tmp_path / "adopted.json").stat().st_mode & 0o777 == 0o600


def test_the_same_is_not_written_again(tmp_path: Path) -> None:
    AdoptionFile(tmp_path).remember(ADOPTED)
    written = (tmp_path / "adopted.json").stat().st_ino
    AdoptionFile(tmp_path).remember(ADOPTED)
    assert (tmp_path / "adopted.json").stat().st_ino == written
    AdoptionFile(tmp_path / "none").remember(Adopted())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("left", [b"", b"{}", b"\xff", b"0" * 64 + b"\n{}"])
def test_half_of_it_is_not_believed(tmp_path: Path, left: bytes) -> None:
    AdoptionFile(tmp_path).remember(ADOPTED)
    (tmp_path / "adopted.json").write_bytes(left)
    assert AdoptionFile(tmp_path).known() == Adopted()


def test_a_torn_end_is_not_believed(tmp_path: Path) -> None:
    AdoptionFile(tmp_path).remember(ADOPTED)
    whole = (tmp_path / "adopted.json").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "adopted.json").write_bytes(whole[:length])
        assert AdoptionFile(tmp_path).known() == Adopted()


def test_what_cannot_be_written_ends_the_pass(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file is in the way")
    with pytest.raises(Transient) as failed:
        AdoptionFile(tmp_path / "state").remember(ADOPTED)
    assert failed.value.code == "E-HOST-FILE"

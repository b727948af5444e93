"""Secrets are read from where they are safe, and refused from where they are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.adapters.secrets import SecretStore
from reconciler.errors import Terminal


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    file = tmp_path / "secrets" / "token"
    file.write_bytes(b"from the file\n")
    file.chmod(0o600)
    return tmp_path


def test_a_credential_of_systemd_wins_over_the_file(config: Path) -> None:
    credentials = config / "credentials"
    credentials.mkdir()
    assert SecretStore(str(config), str(credentials)).read("token") == b"from the file\n"
    (credentials / "token").write_bytes(b"from systemd")
    assert SecretStore(str(config), str(credentials)).read("token") == b"from systemd"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_that_only_its_owner_reads_is_fine(config: Path, mode: int) -> None:
    (config / "secrets" / "token").chmod(mode)
    assert SecretStore(str(config)).read("token") == b"from the file\n"


@pytest.mark.parametrize("content", [b"", b" \n"], ids=["nothing", "blanks"])
def test_an_empty_one_is_told_with_its_file_and_never_counts_as_none(config: Path, content: bytes) -> None:
    file = config / "secrets" / "token"
    assert SecretStore(str(config)).read_words("token") == "from the file"
    file.write_bytes(content)

    with pytest.raises(Terminal) as caught:
        SecretStore(str(config)).read_words("token")

    assert caught.value.code == "E-SECRET-EMPTY"
    assert str(file) in caught.value.why and str(file) in caught.value.next


def test_an_empty_credential_of_systemd_is_told_by_its_own_file(config: Path) -> None:
    (config / "credentials").mkdir()
    (config / "credentials" / "token").touch()

    with pytest.raises(Terminal) as caught:
        SecretStore(str(config), str(config / "credentials")).read_words("token")

    assert str(config / "credentials" / "token") in caught.value.why


def readable_by_the_group(file: Path) -> None:
    file.chmod(0o640)


def readable_by_all(file: Path) -> None:
    file.chmod(0o604)


def of_another_user(file: Path) -> None:
    os.chown(file, 65534, 65534)


def a_link(file: Path) -> None:
    file.rename(file.with_name("real"))
    file.symlink_to("real")


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def missing(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (readable_by_the_group, "E-SECRET-OPEN"),
        (readable_by_all, "E-SECRET-OPEN"),
        (of_another_user, "E-SECRET-OPEN"),
        (a_link, "E-SECRET-MISSING"),
        (a_folder, "E-SECRET-FILE"),
        (a_pipe, "E-SECRET-FILE"),
        (missing, "E-SECRET-MISSING"),
    ],
)
def test_what_is_not_safe_is_refused_with_the_way_out(config: Path, harm: Callable[[Path], None], code: str) -> None:
    harm(config / "secrets" / "token")
    with pytest.raises(Terminal) as caught:
        SecretStore(str(config)).read("token")
    assert caught.value.code == code
    assert caught.value.next
    assert "from the file" not in f"{caught.value} {caught.value.why} {caught.value.next}"


@pytest.mark.parametrize("name", ["", "..", "../token", "a/b", "/etc/passwd", ".hidden", "a\n", "a\0", "-rf", "ü"])
def test_names_that_are_paths_are_refused(config: Path, name: str) -> None:
    with pytest.raises(Terminal) as caught:
        SecretStore(str(config)).read(name)
    assert caught.value.code == "E-SECRET-NAME"

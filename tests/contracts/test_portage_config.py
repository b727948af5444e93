"""Portage's configuration for one build: the machine's own, with what the offer says laid over it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from reconciler.adapters.portage import folders as portage_folders
from reconciler.adapters.portage.config import Facts, Places, environment, package_use, write_config

USE = {"app-misc/foo": ("doc", "-ssl"), "=dev-libs/bar-1.0": ("x",), "app-misc/plain": ()}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "config", tmp_path / "builds", tmp_path / "packages", tmp_path / "fetched")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    etc = tmp_path / "machine/etc/portage"
    (etc / "package.use").mkdir(parents=True)
    (etc / "package.use/mine").write_text("app-misc/mine x\n")
    (etc / "make.conf").write_text('CFLAGS="-O2"\n')
    (etc / "binrepos.conf").write_text("[elsewhere]\nsync-uri = http://elsewhere.example\n")
    (etc / "make.profile").symlink_to("../../profile")
    return tmp_path / "machine"


def test_everything_is_the_machines_but_for_flags_and_binhost(places: Places, machine: Path) -> None:
    write_config(places, Facts("", "/tmp", machine), USE, "http://here/binhost/amd64", verify=False)

    etc = places.config / "etc/portage"
    assert sorted(os.listdir(etc)) == ["binrepos.conf", "make.conf", "make.profile", "package.use"]
    assert (etc / "make.conf").read_text() == 'CFLAGS="-O2"\n'
    assert os.path.realpath(etc / "make.profile") == str(machine / "profile")
    assert (etc / "package.use/10-machine/mine").read_text() == "app-misc/mine x\n"
    assert (etc / "package.use/90-offer").read_text() == "=dev-libs/bar-1.0 x\napp-misc/foo doc -ssl\n"
    repos = (etc / "binrepos.conf").read_text()
    assert "sync-uri = http://here/binhost/amd64\n" in repos
    assert "verify-signature = false\n" in repos
    assert "elsewhere" not in repos


def test_a_package_use_that_is_a_file_and_signatures_that_are_wanted(places: Places, tmp_path: Path) -> None:
    etc = tmp_path / "machine/etc/portage"
    etc.mkdir(parents=True)
    (etc / "package.use").write_text("app-misc/mine x\n")

    write_config(places, Facts("", "/tmp", tmp_path / "machine"), {}, "http://here", verify=True)

    assert (places.config / "etc/portage/package.use/10-machine").read_text() == "app-misc/mine x\n"
    assert "verify-signature = true\n" in (places.config / "etc/portage/binrepos.conf").read_text()


def test_the_flags_of_the_build_before_are_gone(places: Places, machine: Path) -> None:
    write_config(places, Facts("", "/tmp", machine), USE, "", verify=False)
    write_config(places, Facts("", "/tmp", machine), {}, "", verify=False)

    assert (places.config / "etc/portage/package.use/90-offer").read_text() == ""
    assert (places.config / "etc/portage/binrepos.conf").read_text() == ""
    assert (machine / "etc/portage/package.use/mine").exists(), "what is linked is never cleared"


def test_what_would_be_another_line_changes_nothing(places: Places, machine: Path) -> None:
    write_config(places, Facts("", "/tmp", machine), USE, "", verify=False)

    with pytest.raises(ValueError, match="no USE flag"):
        write_config(places, Facts("", "/tmp", machine), {"a/b": ("x\n*/* y",)}, "", verify=False)

    assert "app-misc/foo" in (places.config / "etc/portage/package.use/90-offer").read_text()


def test_flags_that_are_there_are_all_that_is_written() -> None:
    assert package_use({"b/b": ("y",), "a/a": ("x", "-python_targets_python3_11"), "c/c": ()}) == (
        "a/a x -python_targets_python3_11\nb/b y\n"
    )


def test_nothing_of_the_drones_environment_changes_what_is_built(places: Places) -> None:
    ours = {"PATH": "/bin", "USE": "evil", "FEATURES": "x", "ROOT": "/x", "CFLAGS": "-O9", "http_proxy": "http://proxy"}

    made = environment(places, {**ours, "EMERGE_DEFAULT_OPTS": "--ask", "PORTAGE_OVERRIDE_EPREFIX": "/p"}, 3)

    assert not {"USE", "ROOT", "CFLAGS", "EMERGE_DEFAULT_OPTS"} & made.keys()
    assert (made["PATH"], made["http_proxy"], made["PORTAGE_OVERRIDE_EPREFIX"]) == ("/bin", "http://proxy", "/p")
    assert (made["MAKEOPTS"], made["LC_ALL"]) == ("-j3", "C.UTF-8")
    assert "MAKEOPTS" not in environment(places, ours, 0)


def test_packages_that_were_fetched_long_ago_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "app-misc/foo/foo-1-1.gpkg.tar"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")

    portage_folders.forget_old(tmp_path)
    assert file.exists()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 15 * 86400)
    portage_folders.forget_old(tmp_path)

    assert not file.exists()

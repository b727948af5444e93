"""When ebuilds last changed, by the repositories that the real Portage names."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from reconciler.adapters.portage.tree import EbuildTree
from tests.support.gentoo import Machine


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("portage") / "machine")


@pytest.fixture
def tree(machine: Machine) -> EbuildTree:
    return EbuildTree(ours=machine.environment)


def test_a_repository_that_was_never_synced_does_not_tell(tree: EbuildTree) -> None:
    assert tree.synced() == 0.0


def test_a_sync_by_rsync_counts_when_it_was_and_not_when_the_ebuilds_were_made(
    machine: Machine, tree: EbuildTree
) -> None:
    began = time.time() - 1
    mark = machine.repository / "metadata/timestamp.chk"
    mark.write_text("Mon, 30 Nov 2026 00:45:01 +0000\n")
    os.utime(mark, (1, 1))

    first = tree.synced()

    assert first > began
    until = time.time() + 5
    while tree.synced() == first and time.time() < until:
        mark.write_text("Tue, 01 Dec 2026 00:45:01 +0000\n")
    assert tree.synced() > first
    mark.unlink()


def test_a_sync_by_git_counts_when_it_brought_something(machine: Machine, tree: EbuildTree) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", str(machine.repository), *who, *words], check=True, capture_output=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    first = tree.synced()
    assert first > 0
    git("status")
    assert tree.synced() == first

    until = time.time() + 5
    while tree.synced() == first and time.time() < until:
        git("commit", "-q", "--allow-empty", "-m", "two")
    assert tree.synced() > first


def test_without_portage_nobody_can_tell(tmp_path: Path) -> None:
    assert EbuildTree("nothing", {"PATH": str(tmp_path)}).synced() == 0.0

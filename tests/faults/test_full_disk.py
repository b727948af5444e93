"""The state directory is full: nothing begins, and what failed is blocked all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.adapters.host_files import put
from reconciler.adapters.signals import SentinelSignals
from reconciler.errors import Transient
from tests.support.crash import CrashHost
from tests.support.crash_scenarios import BAD, NEXT
from tests.support.crash_stacks import BEFORE
from tests.support.seam import Seam


@pytest.fixture
def disk(host: CrashHost) -> Iterator[Path]:
    """The state directory is a file system of 4 MiB of its own (needs root); a file that takes what room is left."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(host.state)], check=True)
    put(host.state / "fingerprint.key", b"k" * 32, 0o600)
    yield host.state / "what-fills-it"
    subprocess.run(["umount", str(host.state)], check=True)


def fill(file: Path) -> None:
    with suppress(OSError), file.open("ab", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass


def blocked(host: CrashHost) -> set[str]:
    return set(SentinelSignals(host.state / "sentinels").blocked())


def test_a_failing_verify_writes_its_block_though_the_disk_is_full(host: CrashHost, disk: Path) -> None:
    good = host.commit(BEFORE)
    assert host.converge().outcome == "succeeded"
    bad = host.commit(BAD)

    with suppress(Transient):  # the ledger has no room for the end of the run
        host.converge(Seam(look=lambda point: fill(disk) if point.startswith("before signals.block") else None))

    assert bad in blocked(host), "a bad commit would run again"
    disk.unlink()
    for _ in range(2):
        host.converge()
    assert bad in blocked(host)
    assert SentinelSignals(host.state / "sentinels").stamp() == good
    web = host.engine.by_name()["app-web-1"]
    assert (web.image, web.state) == ("box/web:1", "running")


def test_nothing_begins_without_room_and_everything_does_once_there_is_some(host: CrashHost, disk: Path) -> None:
    host.commit(BEFORE)
    host.converge()
    host.commit(NEXT)
    calls = list(host.engine.calls)
    fill(disk)

    for _ in range(4):  # more often than deaths would be forgiven
        with suppress(Transient):
            assert host.converge().outcome == "failed"
    assert host.engine.calls == calls and not blocked(host)

    disk.unlink()
    assert host.converge().outcome == "succeeded"

"""Whoever only looks sees how things are, also while nothing can be written."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.support.host import Host

pytestmark = pytest.mark.engine


@pytest.fixture
def small(host: Host) -> Iterator[Host]:
    """A host whose state lies on a file system of 2 MiB of its own (needs root)."""
    host.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(host.state)], check=True)
    host.push(app="services: {web: {image: 'test/box:1', stop_grace_period: 0s}}")
    host.converge()
    yield host
    subprocess.run(["umount", str(host.state)], check=True)


def fill(host: Host) -> None:
    with suppress(OSError), (host.state / "what-fills-it").open("ab", buffering=0) as stream:
        while stream.write(bytes(512)):
            pass


def read_only(host: Host) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(host.state)], check=True)


@pytest.mark.parametrize(("trouble", "words"), [(fill, "has no room"), (read_only, "cannot be written")])
def test_status_history_and_sentinels_are_shown_while_nothing_can_be_written(
    small: Host, trouble: Callable[[Host], None], words: str
) -> None:
    run = small.run("history", "-o", "name").stdout.split()[0]
    trouble(small)

    status, history, shown = small.run("status"), small.run("history"), small.run("history", "show", run)
    sentinels, data = small.run("sentinels", "list"), small.run("status", "--json")

    for ran in (status, history, shown):
        assert ran.code == 0, ran.stderr
        assert f"warning: {small.state} {words}" in ran.stderr
    assert "synced" in status.stdout and small.stamp[:7] in status.stdout
    assert run in history.stdout and "app/web  create: ok" in shown.stdout
    assert small.stamp in sentinels.stdout and sentinels.code == 0
    assert data.data["sync"] == "synced"
    assert words in data.envelope["warnings"][0]
    assert small.run("history", "export").stdout.count("\n") == 1

    small.engine.cli("stop", "-t", "0", "app-web-1")
    assert small.run("status", "--check").code == 2
    assert small.run("converge", "--yes").code != 0

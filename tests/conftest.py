"""Real parts that every folder of tests may ask for; a part that cannot be had is an error, never a skip."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest

from tests.support.engine import Engine, private_engine

# CI tries the same examples for the same code, so that it never fails for a change that is not in it; whoever works on
# the code gets new ones each time. No deadline: a busy machine is no fault.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("work", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "work")


# A shell lets what it starts in the background ignore Ctrl-C, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def engine_daemon() -> Iterator[Engine]:
    """One private Docker engine for the whole run, with the images test/box:1 and test/box:2."""
    engine = private_engine()
    try:
        engine.images("test/box:1", "test/box:2")
        yield engine
    finally:
        engine.down()


@pytest.fixture
def engine(engine_daemon: Engine) -> Iterator[Engine]:
    """The run's private engine, empty but for its images."""
    yield engine_daemon
    engine_daemon.clean()


@pytest.fixture
def images(engine: Engine) -> tuple[str, str]:
    """Two images that differ in their id: `httpd` on port 80 over /var/www, `sh`, `sleep` and the rest of busybox."""
    engine.images("test/box:1", "test/box:2")
    return ("test/box:1", "test/box:2")


@pytest.fixture
def other_engine() -> Iterator[Engine]:
    """A second engine of its own: another host, or one that a test may break."""
    engine = private_engine()
    try:
        engine.images("test/box:1")
        yield engine
    finally:
        engine.down()


LONGEST = (
    "faults/test_crash_real.py",
    "faults/test_crash_memory.py",
    "faults/test_crash_pairs.py",
    "faults/test_strace_sweep.py",
    "e2e/test_systemd_trouble.py",
)
"""They begin first: a file stays with one worker, and the last one should not work alone for minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0].removeprefix("tests/")
        return LONGEST.index(file) if file in LONGEST else len(LONGEST)

    items.sort(key=rank)


Tell = Callable[[str], None]
_TOLD = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Says something at the end of the run, whichever worker ran the test: counts of what was tried."""
    return request.config.stash.setdefault(_TOLD, []).append


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["told"] = session.config.stash.get(_TOLD, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist has ended."""
    node.config.stash.setdefault(_TOLD, []).extend(getattr(node, "workeroutput", {}).get("told", []))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash.get(_TOLD, []):
        terminalreporter.write_line(line)

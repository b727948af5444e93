"""What the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import ROOT, Engine
from tests.support.fleet import Fleet
from tests.support.host import Host
from tests.support.machine import Machine, machine_with


@pytest.fixture
def host(tmp_path: Path, engine: Engine) -> Host:
    """A host with a fleet that has no stack yet."""
    return Host(tmp_path, engine)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that this machine and the one with systemd both see, at the same path."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def machine(shared: Path) -> Iterator[Machine]:
    """A machine with a real systemd, where `make install` was run."""
    with machine_with(shared) as machine:
        machine.sh(f"{ROOT}/scripts/install.sh; useradd -m -G reconciler-web pusher; useradd -m stranger")
        yield machine


@pytest.fixture
def fleet(machine: Machine) -> Fleet:
    """The same with a fleet to converge; the path unit runs, the timer does not."""
    return Fleet(machine)

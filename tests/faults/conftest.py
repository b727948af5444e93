"""What several files of faults ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.crash import CrashHost
from tests.support.crash_stacks import crash_host


@pytest.fixture
def host() -> Iterator[CrashHost]:
    """A host whose passes can die."""
    with crash_host() as host:
        yield host

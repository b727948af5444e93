"""What the end-to-end tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.host import Host


@pytest.fixture
def host(tmp_path: Path, engine: Engine) -> Host:
    """A host with a fleet that has no stack yet."""
    return Host(tmp_path, engine)

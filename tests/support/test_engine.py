"""The workshop itself: what the other tests stand on has to hold first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.engine import Engine

pytestmark = pytest.mark.engine


def test_two_engines_do_not_see_each_other(engine: Engine, other_engine: Engine) -> None:
    engine.cli("run", "-d", "--name", "here", "test/box:1")

    assert engine.cli("ps", "-q")
    assert not other_engine.cli("ps", "-q")
    assert engine.pid != other_engine.pid


def test_the_two_images_differ(engine: Engine, images: tuple[str, str]) -> None:
    first, second = (engine.cli("image", "inspect", "--format", "{{.Id}}", name) for name in images)

    assert first != second


def test_services_on_one_network_reach_each_other_by_name(engine: Engine) -> None:
    engine.cli("network", "create", "net")
    engine.cli("run", "-d", "--name", "web", "--network", "net", "test/box:1", "sh", "-c", "httpd -f -h /etc")

    ask = "until wget -q -O - http://web/image; do sleep 0.1; done"
    answer = engine.cli("run", "--rm", "--network", "net", "test/box:1", "sh", "-c", ask)

    assert answer == "test/box:1"


def test_a_restart_keeps_the_socket_and_the_containers(other_engine: Engine) -> None:
    other_engine.cli("run", "-d", "--restart", "always", "--name", "kept", "test/box:1")
    before = other_engine.pid

    other_engine.restart()

    assert other_engine.pid != before
    assert other_engine.cli("ps", "--format", "{{.Names}}") == "kept"


def test_events_tell_what_changed_since(engine: Engine) -> None:
    before = time.time()
    engine.cli("run", "-d", "--name", "seen", "test/box:1")
    after = time.time()

    assert any("create" in line for line in engine.events(before))
    assert engine.events(after) == []


def test_nothing_is_left_of_an_engine_that_went_down(other_engine: Engine) -> None:
    other_engine.cli("network", "create", "left")
    other_engine.cli("run", "-d", "--network", "left", "test/box:1")
    run_folder = other_engine.socket.parent

    other_engine.down()

    assert not other_engine.folder.exists()
    assert not run_folder.exists()
    assert str(run_folder) not in Path("/proc/mounts").read_text()

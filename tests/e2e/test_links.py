"""Links: names that one container alone has for others, as old Compose files have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.composed import Project, Version
from tests.support.engine import Engine
from tests.support.host import Host

pytestmark = pytest.mark.engine

LINKED = """
version: "2.4"
services:
  web:
    image: test/box:1
    command: sleep 1000000
    stop_grace_period: 0s
    links: [db, 'db:database']
  db: {image: test/box:1, command: sleep 1000000, stop_grace_period: 0s}
  other: {image: test/box:1, command: sleep 1000000, stop_grace_period: 0s}
"""


def finds(host: Host, container: str, name: str) -> bool:
    """Whether the container can look the name up."""
    script = f"nslookup {name} 127.0.0.11 >/dev/null 2>&1 && echo yes || echo no"
    return host.engine.cli("exec", container, "sh", "-c", script).strip() == "yes"


def test_a_linked_service_has_its_name_for_that_container_alone_and_keeps_it(host: Host) -> None:
    host.push(app=LINKED)
    host.converge()
    host.settled()
    assert finds(host, "app-web-1", "database") and finds(host, "app-web-1", "db")
    assert not finds(host, "app-other-1", "database")

    before = host.started()
    host.push(app=LINKED.replace("  db: {", "  db: {tty: true, "))
    assert set(host.plan()) == {"app/db"}
    host.converge()
    assert finds(host, "app-web-1", "database"), "it is the service that is linked, not its container"
    assert host.started()["app-web-1"] == before["app-web-1"]

    host.engine.cli("network", "disconnect", "app_default", "app-web-1")
    host.engine.cli("network", "connect", "--alias", "web", "app_default", "app-web-1")
    host.heals({"app/web": "update: linked otherwise on app_default"})
    assert finds(host, "app-web-1", "database")

    host.push(app=LINKED.replace("db:database", "db:store").replace("  db: {", "  db: {tty: true, "))
    assert host.plan() == {"app/web": "replace: linked otherwise on app_default"}
    host.converge()
    assert finds(host, "app-web-1", "store") and not finds(host, "app-web-1", "database")
    host.settled()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_compose_linked_is_taken_over_as_it_runs(
    host: Host, engine: Engine, tmp_path: Path, version: Version
) -> None:
    project = Project(tmp_path / "app", engine, version)
    project.write("docker-compose.yml", LINKED)
    project.run("up", "-d")
    before = host.started()
    host.push(app=LINKED)
    planned = host.plan()
    assert {reason.partition(":")[0] for reason in planned.values()} == {"adopt"}, planned
    host.converge()
    host.settled()
    assert host.started() == before

    host.push(app=LINKED.replace("links: [db, 'db:database']", "tty: false"))
    assert host.plan() == {"app/web": "replace: linked otherwise on app_default"}
    host.converge()
    host.settled()

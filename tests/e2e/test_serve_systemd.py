"""The orchestrator as a service of a real systemd: off until it is wanted, confined, and back after a death."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.engine import ROOT
from tests.support.machine import Machine
from tests.support.serving import listing

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]  # the first test makes the machine

UNIT = "reconciler-serve.service"


@dataclass
class Service:
    """It shares the network with this machine."""

    machine: Machine
    port: int

    def ask(self, method: str, path: str, text: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = {"Content-Type": "text/plain"} if text else {}
            connection.request(method, path, body=text.encode() if text else None, headers=headers)
            return json.loads(connection.getresponse().read())["data"]
        except (OSError, ValueError):
            return None
        finally:
            connection.close()

    def drop_in(self, *lines: str) -> None:
        """At its own address, and with these."""
        own = [f"Environment=RECONCILER_SERVE_LISTEN=127.0.0.1:{self.port}", "RestartSec=200ms"]
        self.machine.drop_in(UNIT, "\n".join(["[Service]", *own, *lines]))

    def answers(self) -> bool:
        return bool(self.ask("GET", "/health"))


@pytest.fixture
def service(machine: Machine) -> Iterator[Service]:
    """Stopped, with an address that is free."""
    machine.reset()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = Service(machine, port)
    made.drop_in()
    yield made
    machine.reset()


def test_it_is_off_until_somebody_wants_it(machine: Machine) -> None:
    machine.reset()

    said = machine.sh(f"{ROOT}/scripts/install.sh").text

    assert "systemctl enable --now reconciler-serve" in said
    assert machine.sh(f"systemctl is-enabled {UNIT}", code=None).text == "disabled"
    assert machine.sh(f"systemctl is-active {UNIT}", code=None).text == "inactive"


def test_it_is_confined(machine: Machine) -> None:
    machine.sh(f"systemd-analyze security --offline=true --no-pager --threshold=15 /etc/systemd/system/{UNIT}")


def test_it_serves_and_sees_nothing_else(service: Service) -> None:
    machine = service.machine
    machine.sh(
        "mkdir -p /var/lib/reconciler/sentinels; touch /var/lib/reconciler/sentinels/x; mkdir -p /etc/reconciler"
    )
    looks = "ls /var/lib/reconciler/sentinels || touch /etc/reconciler/x || touch /opt/x || cat /etc/shadow"
    service.drop_in(f"ExecStartPre=/bin/sh -c '! ({looks})'")

    machine.sh(f"systemctl enable --now {UNIT}")

    machine.eventually(service.answers, "it answers")
    assert machine.sh(f"systemctl show -P User {UNIT}").text == "reconciler-swarm"
    told = service.ask("POST", "/api/queue", listing("app-misc/systemd-1"))
    assert told["accepted"][0]["what"] == "app-misc/systemd-1"
    owner = machine.sh("stat -c '%U %a' /var/lib/reconciler-swarm /var/lib/reconciler-swarm/swarm.db").text
    assert owner.splitlines()[0] == "reconciler-swarm 750"
    assert owner.splitlines()[1].startswith("reconciler-swarm ")


def test_it_comes_back_after_a_death_and_ends_politely(service: Service) -> None:
    machine = service.machine
    machine.sh(f"systemctl start {UNIT}")
    service.ask("POST", "/api/queue", listing("app-misc/survives-1"))  # who started it need not wait for it

    machine.sh(f"systemctl kill --signal=KILL {UNIT}")

    machine.eventually(lambda: machine.state(UNIT, "NRestarts") == "1" and service.answers(), "it is back")
    assert [entry["build"]["title"] for entry in service.ask("GET", "/api/queue")["entries"]] == ["app-misc/survives-1"]
    machine.sh(f"systemctl stop {UNIT}")
    assert machine.state(UNIT, "Result") == "success"
    assert machine.state(UNIT, "ExecMainStatus") == "0"


def test_a_wrong_setting_is_told_and_not_tried_over_and_over(service: Service) -> None:
    machine = service.machine
    machine.drop_in(UNIT, "[Service]\nEnvironment=RECONCILER_SERVE_LISTEN=0.0.0.0:1")

    machine.sh(f"systemctl start {UNIT}", code=None)

    machine.eventually(lambda: machine.state(UNIT, "ActiveState") == "failed", "it has given up")
    assert machine.state(UNIT, "ExecMainStatus") == "78"
    assert "E-SERVE-OPEN" in machine.sh(f"journalctl -u {UNIT} --no-pager").text

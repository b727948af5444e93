"""Two hundred pushes in a minute: the host ends at the last of them, after few passes and few messages."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

import pytest

from reconciler import durable
from tests.support.discord import discord
from tests.support.host import Host, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

PUSHES, SECONDS = 200, 20.0
FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {{box: {{connect: local, checkout: {0}}}}}\n{1}"
NOTICES = "notifications: {discord: {webhook: {secret: hook}}}\n"
APP = """
    services:
      web:
        image: test/box:1
        command: sleep 1000
        stop_grace_period: 0s
        volumes: ["./page:/page:ro"]
      calm: {image: 'test/box:1', command: sleep 1000}
    """


def page(host: Host) -> str:
    return host.engine.cli("exec", "app-web-1", "cat", "/page", check=False)


def stamp(host: Host) -> str:
    file = host.state / "sentinels" / "last-successful-deploy-sha"
    return file.read_text().strip() if file.exists() else ""


def test_a_storm_of_pushes_ends_at_the_last_one(host: Host, tell: Callable[[str], None]) -> None:
    with discord() as there:
        durable.put(host.config.parent / "secrets" / "hook", f"{there.address}\n".encode())
        host.remote.commit({"manifests/fleet.yaml": FLEET.format(host.checkout, NOTICES)}, "the fleet")
        host.push({"app/page": "before"}, app=APP)
        watch = host.begin("watch")
        try:
            until(lambda: stamp(host) == host.remote.head, 60)
            calm = host.ids()["app-calm-1"]
            begun = time.monotonic()
            for each in range(PUSHES):
                last = host.push({"app/page": f"{each}"})
                time.sleep(max(0.0, begun + (each + 1) * SECONDS / PUSHES - time.monotonic()))  # a pace, not a wait
            took = time.monotonic() - begun

            until(lambda: stamp(host) == last and page(host) == f"{PUSHES - 1}", 60)
        finally:
            watch.terminate()
            watch.communicate(timeout=60)
        with sqlite3.connect(host.state / "ledger.db") as ledger:
            outcomes = dict(ledger.execute("SELECT outcome, COUNT(*) FROM runs GROUP BY outcome").fetchall())
        passes, messages = sum(outcomes.values()), len(there.messages)
        tell(f"push storm: {PUSHES} pushes in {took:.0f} s, {passes} passes {outcomes}, {messages} messages")

        assert set(outcomes) <= {"succeeded", "unchanged", "held", "interrupted"}
        assert passes < PUSHES and messages < 10
        assert host.ids()["app-calm-1"] == calm, "a service that no push changed was restarted"
        host.settled()

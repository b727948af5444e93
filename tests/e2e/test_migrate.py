"""Migrations by hand: beside what runs, like what runs, and with a log that stays."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.cli import COMMAND, Host, environment, host_at
from tests.support.engine import Engine
from tests.support.gitremote import Executable
from tests.support.host import free_port

pytestmark = pytest.mark.engine


def database(*migrations: str) -> str:
    """A service that has what a command beside it may need: a port, data, a name on the network, a fixed name."""
    declared = "".join(f"    - {migration}\n" for migration in migrations)
    return f"""
x-reconciler:
  migrations:
{declared}services:
  db:
    image: test/box:1
    pull_policy: never
    stop_grace_period: 0s
    container_name: the-database
    hostname: dbhost
    restart: unless-stopped
    command: [httpd, -f, -p, "80", -h, /var/www]
    ports: ["127.0.0.1:{free_port()}:80"]
    environment: {{COLOR: red}}
    volumes: ["data:/data", /scratch]
    healthcheck: {{test: [CMD, "true"], interval: 1s}}
volumes:
  data:
"""


@pytest.fixture
def host(tmp_path: Path, engine: Engine) -> Host:
    made = host_at(tmp_path, engine.url)
    made.push({"fleet.yaml": made.fleet()})
    return made


def converged(host: Host, compose: str) -> Host:
    host.push({"stacks/app/compose.yaml": compose})
    done = host.run("converge", "-q", "--yes")
    assert done.code == 0, done.err
    return host


def names(engine: Engine) -> set[str]:
    return set(engine.cli("ps", "-a", "--format", "{{.Names}}").split())


def touched(engine: Engine) -> str:
    """The service's container and when it was started."""
    return engine.cli("inspect", "-f", "{{.Id}} {{.State.StartedAt}} {{json .NetworkSettings.Ports}}", "the-database")


BY_HAND = "[ $$RECONCILER_MODE = manual ] || exit 0; "
"""Passes run migrations, too; these do their work only when a person runs them."""
LOOK = BY_HAND + (
    "echo mode=$$RECONCILER_MODE color=$$COLOR host=$$(hostname); echo migrated >> /data/log; echo x >> /scratch/log; "
    "wget -q -O - http://db/ >/dev/null && echo reached; echo warned >&2"
)


def test_a_migration_runs_beside_its_service_with_all_that_it_has(host: Host, engine: Engine) -> None:
    engine.cli("volume", "create", "app_data")
    converged(host, database(f"{{name: schema, service: db, command: [sh, -c, '{LOOK}'], timeout: 1m}}"))
    engine.cli("exec", "the-database", "sh", "-c", "mkdir -p /var/www; echo hello > /var/www/index.html")
    volumes, before = engine.cli("volume", "ls", "-q"), touched(engine)

    done = host.run("migrate", "alpha/app")

    assert done.code == 0, done.err
    assert done.out.startswith("Migrated app: schema  (")
    assert "  mode=manual color=red host=" in done.err
    assert "host=dbhost" not in done.err
    assert "  reached\n" in done.err
    assert engine.cli("exec", "the-database", "cat", "/data/log", "/scratch/log") == "migrated\nx"
    assert names(engine) == {"the-database"}
    assert engine.cli("volume", "ls", "-q") == volumes, "no anonymous volume is left"
    assert touched(engine) == before
    shown = host.run("history", "show", host.run("history", "-n", "1", "-o", "name").out.strip()).out
    assert "migrate by tester: succeeded" in shown
    assert "  app/db  migrate: ok  (schema)\n" in shown
    assert "    | reached\n" in shown
    assert host.run("converge", "-q").out.startswith("Nothing to do")


def test_a_migration_that_fails_ends_the_rest_and_shows_its_last_words_without_secrets(
    host: Host, engine: Engine
) -> None:
    secret = host.config.parent / "env" / "app" / ".env"
    secret.parent.mkdir(parents=True)
    secret.write_text("PASSWORD=correct-horse\n")
    converged(
        host,
        database(
            f'{{name: bad, service: db, command: [sh, -c, "{BY_HAND}echo using correct-horse; exit 3"]}}',
            f'{{name: never, service: db, command: [sh, -c, "{BY_HAND}touch /data/never"]}}',
        ),
    )

    done = host.run("migrate", "alpha", "--json")

    assert (done.code, done.error["code"]) == (1, "E-MIGRATION")
    assert "migration bad ended with 3" in done.error["what"]
    assert done.error["why"] == "using [redacted]"
    assert engine.cli("exec", "the-database", "ls", "/data") == ""
    run = host.run("history", "-n", "1", "--json").answer["data"]["runs"][0]
    steps = host.run("history", "show", run["id"], "--json").answer["data"]["steps"]
    assert (run["outcome"], [(s["result"], s["detail"]) for s in steps]) == ("failed", [("failed", "using [redacted]")])
    assert names(engine) == {"the-database"}


def test_a_migration_that_hangs_is_ended_at_its_timeout(host: Host, engine: Engine) -> None:
    slow = f'[sh, -c, "{BY_HAND}echo begun; exec sleep 600"]'
    converged(host, database(f"{{name: slow, service: db, timeout: 2s, command: {slow}}}"))

    done = host.run("migrate", "alpha/app/db", "--json")

    assert (done.code, done.error["code"], done.error["why"][:5]) == (1, "E-MIGRATION-TIMEOUT", "begun")
    assert names(engine) == {"the-database"}


def test_a_command_on_the_host_needs_its_leave_and_runs_in_the_checkout(host: Host, tmp_path: Path) -> None:
    script = Executable('#!/bin/sh\necho "$RECONCILER_MODE $1 in $(pwd)"; echo done > "$2"\n')
    host.remote.commit({"scripts/migrate.sh": script})
    host.write(more='[trust]\nallow_privileged = ["app"]\n')
    converged(host, database(f"{{name: files, run: [scripts/migrate.sh, word, {tmp_path}/made]}}"))
    (tmp_path / "made").unlink()

    host.write()
    refused = host.run("migrate", "alpha/app", "--json")
    assert (refused.code, refused.error["code"]) == (1, "E-GUARD-PRIVILEGED")
    assert not (tmp_path / "made").exists()
    host.write(more='[trust]\nallow_privileged = ["app"]\n')
    done = host.run("migrate", "alpha/app")

    assert done.code == 0, done.err
    assert f"manual word in {host.checkout}" in done.err
    assert (tmp_path / "made").read_text() == "done\n"
    words = "[ $$RECONCILER_MODE = deploy ] || exec sleep 600"
    hanging = database(f"{{name: hangs, run: [sh, -c, '{words}'], timeout: 1s}}")
    host.push({"stacks/app/compose.yaml": hanging})
    assert host.run("converge", "-q", "--yes").code == 0
    assert host.run("migrate", "alpha", "--json").error["code"] == "E-MIGRATION-TIMEOUT"


def test_a_migrate_that_is_killed_leaves_nothing_that_the_next_pass_does_not_clear(host: Host, engine: Engine) -> None:
    converged(host, database(f'{{name: slow, service: db, command: [sh, -c, "{BY_HAND}exec sleep 600"]}}'))
    process = subprocess.Popen(
        [*COMMAND, "migrate", "--config", str(host.config), "alpha/app"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while len(engine.cli("ps", "-q").split()) < 2:
        assert time.monotonic() < deadline, "it never started"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert len(names(engine)) == 2

    assert host.run("converge", "-q", "--yes").code == 0

    assert names(engine) == {"the-database"}
    assert host.run("history", "-o", "json").answer["data"]["runs"][1]["outcome"] == "interrupted"


def test_an_interrupted_migrate_takes_its_container_away(host: Host, engine: Engine) -> None:
    converged(host, database(f'{{name: slow, service: db, command: [sh, -c, "{BY_HAND}exec sleep 600"]}}'))
    process = subprocess.Popen(
        [*COMMAND, "migrate", "--config", str(host.config), "alpha/app", "--json"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    deadline = time.monotonic() + 30
    while len(engine.cli("ps", "-q").split()) < 2:
        assert time.monotonic() < deadline, "it never started"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert '"code": "E-INTERRUPTED"' in out
    assert names(engine) == {"the-database"}


def test_what_there_is_to_migrate_is_told(host: Host) -> None:
    converged(host, database('{name: one, service: db, command: ["true"]}'))
    assert host.run("migrate", "alpha/none").code == 64
    assert host.run("migrate", "alpha/app/web").code == 64
    assert host.run("pause", "--reason", "disk swap").code == 0
    assert host.run("migrate", "alpha").code == 3
    assert host.run("migrate", "alpha", "--force").code == 0
    host.push({"stacks/app/compose.yaml": database().replace("  migrations:\n", "  hosts: [alpha]\n")})
    assert host.run("resume").code == 0
    assert host.run("converge", "-q", "--yes").code == 0
    assert "Nothing to migrate: alpha declares no migration" in host.run("migrate", "alpha").out

"""A pass that nobody looks at: content with a quick look as long as nothing changed, and never a moment longer."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from reconciler import durable
from reconciler.adapters.lock import Holder, PassLock
from tests.support.engine import ROOT, Engine
from tests.support.host import Host, Ran, until

pytestmark = pytest.mark.engine

HEAVY = {"click", "docker", "pydantic", "pygit2", "requests", "rich", "sqlite3", "yaml"}
STACK = """
    services:
      web:
        image: test/box:1
        env_file: [.env]
        networks: {front: }
        secrets: [token]
        healthcheck: {test: [CMD, test, '!', -e, /tmp/broken], interval: 200ms, timeout: 1s, retries: 1}
        command: sh -c 'rm -f /tmp/broken; exec httpd -f -p 80 -h /etc'
      beside:
        image: test/box:1
        network_mode: service:web
        volumes: ['./page.conf:/etc/page.conf:ro']
        command: [sleep, '1000']
      job: {image: 'test/box:1', command: sh -c 'test ! -e /srv/fail', volumes: ['data:/srv']}
      last: {image: 'test/box:1', stop_grace_period: 0s, depends_on: {job: {condition: service_completed_successfully}}}
    secrets: {token: {external: true}}
    networks: {front: }
    volumes: {data: }
    """


@pytest.fixture
def settled(host: Host) -> Host:
    """A host on which a full look has just found nothing to do."""
    etc = host.config.parent
    (etc / "env" / "app").mkdir(parents=True)
    (etc / "env" / "app" / ".env").write_text("GREETING=hello\n")
    (etc / "secrets").mkdir()
    durable.put(etc / "secrets" / "token", b"secret")
    host.push({"app/page.conf": "from git\n"}, app=STACK)
    settle(host)
    return host


def tick(host: Host, *arguments: str) -> Ran:
    """A pass as a timer asks for it."""
    return host.run("converge", "--yes", *arguments)


def quick(ran: Ran) -> bool:
    assert ran.code == 0, ran
    return "quick look" in ran.stdout


def settle(host: Host) -> None:
    """Passes until one is content with a quick look; a file that was just written may be seen once more."""
    until(lambda: quick(tick(host)), seconds=30)


def sees(host: Host, change: Callable[[], object]) -> Ran:
    """The next pass looks properly."""
    assert quick(tick(host)), "it was not settled before"
    change()
    ran = tick(host)
    assert "quick look" not in ran.stdout, ran
    return ran


def test_a_pass_without_a_change_is_a_quick_look_that_changes_nothing(settled: Host) -> None:
    with settled.quiet():
        ran = tick(settled)

    assert quick(ran)
    assert ran.stdout.startswith(f"Nothing to do at {settled.remote.head[:7]}")
    assert ran.stderr == ""


def test_a_quick_look_loads_no_heavy_library(settled: Host) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "reconciler", "converge", "--config", str(settled.config)]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    assert "quick look" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "reconciler.quick.look" in loaded
    assert not HEAVY & {name.partition(".")[0] for name in loaded}


def test_a_quick_look_is_no_row_of_history_and_status_shows_when_it_was(settled: Host) -> None:
    runs = settled.run("history", "--json").data
    before = settled.run("status", "--json").data["checked"]
    assert quick(tick(settled))

    assert settled.run("history", "--json").data == runs
    assert settled.run("status", "--json").data["checked"] > before


def test_what_happens_to_containers_is_seen(settled: Host) -> None:
    docker = settled.engine.cli

    def sicken() -> None:
        settled.sh("app-web-1", "touch /tmp/broken")
        until(lambda: settled.inspect("app-web-1")["State"]["Health"]["Status"] == "unhealthy")

    def fail_the_job() -> None:
        docker("run", "--rm", "-v", "app_data:/srv", "test/box:1", "touch", "/srv/fail")
        docker("start", "-a", "app-job-1", check=False)
        docker("run", "--rm", "-v", "app_data:/srv", "test/box:1", "rm", "/srv/fail")

    first = docker("image", "inspect", "--format", "{{.Id}}", "test/box:1")
    try:
        for change in (
            lambda: docker("stop", "-t", "0", "app-web-1"),
            lambda: docker("rm", "-f", "app-last-1"),
            lambda: docker("rename", "app-last-1", "renamed"),
            lambda: docker("pause", "app-last-1"),
            lambda: docker("restart", "-t", "0", "app-web-1"),  # the one beside it is left without a network
            lambda: docker("network", "disconnect", "app_front", "app-web-1"),
            lambda: docker("network", "connect", "bridge", "app-web-1"),
            lambda: docker("tag", "test/box:2", "test/box:1"),
            sicken,
            fail_the_job,
        ):
            ran = sees(settled, change)
            assert ran.stdout.startswith("Converged"), ran
            settle(settled)
    finally:
        docker("tag", first, "test/box:1")  # the engine is the whole run's


def test_a_container_that_compose_starts_beside_ours_is_looked_at_once(settled: Host) -> None:
    labels = ["--label", "com.docker.compose.project=app", "--label", "com.docker.compose.service=more"]

    sees(settled, lambda: settled.engine.cli("run", "-d", *labels, "test/box:1"))
    settle(settled)


def test_a_container_of_somebody_else_is_none_of_our_business(settled: Host) -> None:
    settled.engine.cli("run", "-d", "--name", "foreign", "test/box:2", "sleep", "1000")
    assert quick(tick(settled))

    settled.engine.cli("rm", "-f", "foreign")
    settled.engine.cli("tag", "test/box:2", "foreign/image:1")
    assert quick(tick(settled))
    settled.engine.cli("rmi", "foreign/image:1")


def test_a_push_is_seen(settled: Host) -> None:
    assert sees(settled, lambda: settled.push({"app/page.conf": "changed\n"})).code == 0
    settle(settled)

    assert sees(settled, lambda: settled.push({"README": "nothing that runs\n"})).code == 0
    settle(settled)

    first = settled.remote.git("rev-list", "--max-parents=0", "main").decode().strip()
    assert sees(settled, lambda: settled.remote.force(first)).code == 1


def test_a_branch_that_is_gone_is_seen(settled: Host) -> None:
    assert sees(settled, settled.remote.delete_branch).code == 1


def test_what_is_written_on_the_host_is_seen(settled: Host) -> None:
    etc, checkout = settled.config.parent, settled.checkout / "manifests" / "stacks" / "app"

    def set_up(text: str) -> Callable[[], object]:
        return lambda: settled.config.write_text(settled.config.read_text() + text)

    for change in (
        lambda: (etc / "env" / "app" / ".env").write_text("GREETING=goodbye\n"),
        lambda: durable.put(etc / "secrets" / "token", b"another"),
        lambda: (checkout / "page.conf").write_text("by hand\n"),
        (checkout / "page.conf").unlink,
        lambda: (checkout / "page.conf").chmod(0o755),
        set_up("\n[apply]\nparallel = 3\n"),
        (settled.state / "ledger.db").unlink,
    ):
        assert sees(settled, change).code == 0
        settle(settled)


def test_what_lies_among_the_sentinels_is_seen(settled: Host) -> None:
    sentinels = settled.state / "sentinels"

    assert sees(settled, (sentinels / "paused").mkdir).code == 3
    assert settled.run("resume").code == 0
    settle(settled)

    assert sees(settled, lambda: settled.run("pause", "box/app", "--reason", "a test")).code == 0
    assert not quick(tick(settled)), "a pause ends by itself, and a quick look cannot tell when"
    assert settled.run("resume", "box/app").code == 0
    settle(settled)

    block = sentinels / "blocked" / settled.remote.head
    sees(settled, partial(durable.put, block, b""))
    assert not quick(tick(settled)), "the head is held back: that is told every time"
    block.unlink()
    settle(settled)

    sees(settled, (sentinels / "last-successful-deploy-sha").unlink)
    settle(settled)

    def pause_and_resume() -> None:
        """As somebody may while a full look is at work, and leaves a stack out."""
        assert settled.run("pause", "box/app", "--reason", "a test").code == 0
        assert settled.run("resume", "box/app").code == 0

    sees(settled, pause_and_resume)


def test_another_environment_is_seen(settled: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert sees(settled, lambda: monkeypatch.setenv("HOME", str(tmp_path))).code == 0
    settle(settled)

    def give(value: bytes) -> None:
        """As systemd does it: the same credential lies in other files at every start."""
        folder = tmp_path / f"credentials-{os.urandom(4).hex()}"
        durable.put(folder / "token", value)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))

    sees(settled, lambda: give(b"secret"))
    settle(settled)
    folder = Path(os.environ["CREDENTIALS_DIRECTORY"])
    durable.put(folder / "token", b"secret")
    assert quick(tick(settled))
    sees(settled, lambda: durable.put(folder / "token", b"another"))


def test_a_record_that_is_torn_or_old_or_of_another_boot_is_no_record(settled: Host) -> None:
    record = settled.state / "quick-look"

    def rewrite(**new: object) -> None:
        durable.put_sealed(record, durable.read_sealed(record) | new)

    for change in (
        record.unlink,
        lambda: record.write_bytes(b""),
        lambda: record.write_bytes(record.read_bytes()[:-1]),
        lambda: rewrite(at=durable.read_sealed(record)["at"] - 3600),
        lambda: rewrite(at=durable.read_sealed(record)["at"] + 3600),
        lambda: rewrite(facts=durable.read_sealed(record)["facts"] | {"boot": "another"}),
        lambda: rewrite(facts=durable.read_sealed(record)["facts"] | {"program": "another"}),
        lambda: rewrite(more="than this version knows"),
    ):
        assert sees(settled, change).code == 0
        settle(settled)


def test_a_host_may_have_every_look_full(host: Host) -> None:
    host.config.write_text(host.config.read_text() + '\n[look]\nevery = "0"\n')
    host.push(app="services: {web: {image: 'test/box:1'}}")

    assert not any(quick(tick(host)) for _ in range(3))


def test_trouble_is_left_to_the_full_look(settled: Host, other_engine: Engine) -> None:
    away = settled.remote.path.with_name("away")
    assert sees(settled, lambda: settled.remote.path.rename(away)).code == 69
    away.rename(settled.remote.path)
    settle(settled)

    settled.config.write_text(settled.config.read_text().replace(settled.engine.url, other_engine.url))
    assert tick(settled).code == 0
    settle(settled)
    assert sees(settled, other_engine.stop).code == 69


def test_who_asks_for_more_gets_a_full_look(settled: Host) -> None:
    for arguments in (["--full"], ["box"], ["--json"], ["--dry-run"], ["-v"]):
        assert not quick(tick(settled, *arguments)), arguments
        settle(settled)

    assert quick(tick(settled, "-q", "--no-color"))


def test_a_person_at_a_terminal_gets_a_full_look(settled: Host) -> None:
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-m", "reconciler", "converge", "-q", "--config", str(settled.config)]
        done = subprocess.run(command, cwd=ROOT, stdin=theirs, capture_output=True, text=True, timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)

    assert done.stdout.startswith("Nothing to do")
    assert "quick look" not in done.stdout


def test_a_quick_look_answers_the_trigger_and_who_asked_meanwhile(settled: Host) -> None:
    trigger, again = settled.folder / "inbox" / "trigger", settled.state / "again"
    trigger.parent.mkdir(exist_ok=True)
    trigger.touch()
    again.touch()

    assert quick(tick(settled))
    assert not trigger.exists()
    assert not again.exists()


def test_a_quick_look_waits_for_nobody(settled: Host) -> None:
    lock = PassLock(settled.state)
    lock.acquire(Holder(os.getpid(), 0, "a test"))

    assert tick(settled).code == 75
    assert (settled.state / "again").exists()
    lock.release()
    assert quick(tick(settled))


def test_a_full_look_that_does_not_end_well_leaves_nothing_to_go_by(settled: Host) -> None:
    sees(settled, lambda: settled.push(app="services: {web: {image: 7}}"))

    assert not (settled.state / "quick-look").exists()
    settled.push(app=STACK)
    assert not quick(tick(settled))


def test_the_record_holds_no_secret(settled: Host) -> None:
    record = settled.state / "quick-look"

    assert record.stat().st_mode & 0o777 == 0o600
    assert b"secret" not in record.read_bytes().replace(b'"secrets"', b"")
    with sqlite3.connect(settled.state / "ledger.db") as ledger:
        assert ledger.execute("SELECT COUNT(*) FROM runs WHERE outcome = ''").fetchone() == (0,)


def test_a_pass_that_a_look_turned_away_is_asked_for_again(settled: Host) -> None:
    inbox = settled.folder / "inbox"
    inbox.mkdir(exist_ok=True)
    PassLock(settled.state).leave_again()
    settled.plan()
    assert (inbox / "trigger").exists(), "the look itself answers nobody"
    tick(settled)
    assert not (inbox / "trigger").exists() and not (settled.state / "again").exists()

"""`reconciler watch`: it stays, hears what asks for a pass, and nothing that goes wrong ends it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from reconciler.adapters.lock import Holder, PassLock
from tests.support.engine import Engine
from tests.support.gitremote import http_backend
from tests.support.host import Host, until

pytestmark = pytest.mark.engine


def web(greeting: str, **more: str) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    keys = f"image: 'test/box:1', stop_grace_period: 0s, environment: {{GREETING: {greeting}}}{extra}"
    return f"services: {{web: {{{keys}}}}}"


@dataclass
class Watching:
    """A host with a `watch` at work; what it said is there when it has ended."""

    host: Host
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    @property
    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.said = list(self.process.communicate(timeout=30))
        return self.process.returncode


@contextmanager
def watching(host: Host, *arguments: str) -> Iterator[Watching]:
    process = host.begin("watch", *arguments)
    try:
        yield Watching(host, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def watched(host: Host) -> Iterator[Watching]:
    """A host with one service, and a watch that has come to rest."""
    host.push(app=web("hello"))
    with watching(host) as process:
        rests(host)
        yield process


def rests(host: Host) -> None:
    """Wait until a full look found nothing to do: then whatever the watch hears is answered by a quick look."""
    until((host.state / "quick-look").exists, 30)


def greets(host: Host, greeting: str) -> None:
    until(lambda: serving(host) == greeting, 30)


def serving(host: Host) -> str:
    form = "{{.State.Running}} {{range .Config.Env}}{{.}} {{end}}"
    running, *variables = host.engine.cli("inspect", "-f", form, "app-web-1", check=False).split() or [""]
    return dict(line.partition("=")[::2] for line in variables)["GREETING"] if running == "true" else ""


def trigger(host: Host) -> Path:
    file = host.folder / "inbox" / "trigger"
    file.touch()
    return file


def gone(file: Path) -> bool:
    return not file.exists()


def asked(host: Host) -> bool:
    """Ask, and go on at once."""
    return trigger(host).exists() or True


def runs(host: Host) -> int:
    """How many passes the history knows."""
    if not (host.state / "ledger.db").exists():
        return 0
    with sqlite3.connect(host.state / "ledger.db") as ledger:
        return int(ledger.execute("SELECT COUNT(*) FROM runs").fetchone()[0])


def test_a_push_to_a_repository_beside_it_converges(watched: Watching) -> None:
    watched.host.push(app=web("again"))
    greets(watched.host, "again")

    watched.host.remote.git("pack-refs", "--all")
    watched.host.push(app=web("packed"))
    greets(watched.host, "packed")

    rests(watched.host)
    assert watched.end() == 0
    told = [line.partition(":")[0] for line in watched.said[0].splitlines()]
    assert (len(told), told[-1]) == (3, f"Converged at {watched.host.remote.head[:7]}")


def test_a_trigger_asks_for_a_look_at_the_host(watched: Watching) -> None:
    watched.host.engine.cli("rm", "-f", "app-web-1")
    file = trigger(watched.host)

    greets(watched.host, "hello")
    until(lambda: not file.exists())


def test_at_rest_it_writes_no_history_and_holds_no_more_files(watched: Watching) -> None:
    """What it writes itself (stamps, blocks, the answered trigger) asks for nothing."""
    until(lambda: not (watched.host.state / "pass.lock").read_text())
    before, files = runs(watched.host), watched.open_files
    for _ in range(20):
        file = trigger(watched.host)
        until(partial(gone, file))
    until(lambda: not (watched.host.state / "pass.lock").read_text())

    assert runs(watched.host) == before
    until(lambda: watched.open_files <= files)  # a look has some open for a moment


def test_full_passes_leave_nothing_open(host: Host) -> None:
    host.config.write_text(host.config.read_text() + '\n[look]\nevery = "0"\n')
    host.push(app=web("hello"))

    def passes(count: int) -> int:
        before = runs(host)
        until(lambda: asked(host) and runs(host) >= before + count, 60)
        until(lambda: not (host.state / "pass.lock").read_text())
        return process.open_files

    with watching(host) as process:
        greets(host, "hello")
        first = passes(3)
        passes(10)
        until(lambda: process.open_files <= first)  # a pass has some open for a moment


def test_a_pause_holds_and_its_end_asks_for_a_pass(watched: Watching) -> None:
    host = watched.host
    assert host.run("pause", "--reason", "a test").code == 0
    before = runs(host)
    host.push(app=web("later"))
    until(lambda: runs(host) > before)
    assert serving(host) == "hello"

    assert host.run("resume").code == 0
    greets(host, "later")


def test_a_block_that_is_cleared_asks_for_a_pass(watched: Watching) -> None:
    host = watched.host
    blocked = host.state / "sentinels" / "blocked"
    blocked.mkdir(exist_ok=True)
    first = host.remote.head
    bad = host.push(app=web("bad"))
    host.remote.force(first)
    (blocked / bad).touch()
    before = runs(host)
    host.remote.force(bad)
    until(lambda: runs(host) > before)
    watched.host.engine.cli("rm", "-f", "app-web-1")
    trigger(host)
    until(lambda: serving(host) in ("hello", "bad"))

    (blocked / bad).unlink(missing_ok=True)
    greets(host, "bad")


def test_a_failure_is_told_and_blocked_and_the_watch_goes_on(watched: Watching) -> None:
    host = watched.host
    bad = host.push(app=web("bad", command="[sh, -c, 'exit 7']"))
    until((host.state / "sentinels" / "blocked" / bad).exists, 30)
    greets(host, "hello")

    host.push(app="services: {web: {image: 7}}")
    until(lambda: "failed" in outcomes(host), 30)
    host.push(app=web("mended"))
    greets(host, "mended")

    assert watched.end() == 0
    out, err = watched.said
    assert f"Failed at {bad[:7]}, and put back" in out
    assert "E-COMPOSE" in err


def outcomes(host: Host) -> set[str]:
    with sqlite3.connect(host.state / "ledger.db") as ledger:
        return {outcome for (outcome,) in ledger.execute("SELECT outcome FROM runs")}


def test_a_burst_of_pushes_is_a_few_passes_to_the_last_one(watched: Watching) -> None:
    before = runs(watched.host)
    for number in range(20):
        watched.host.push(app=web(f"push-{number}"))

    greets(watched.host, "push-19")
    rests(watched.host)
    assert runs(watched.host) - before <= 10


def test_after_a_kill_the_next_one_carries_on(watched: Watching) -> None:
    host = watched.host
    before = runs(host)
    host.push(app=web("after"))
    until(lambda: runs(host) > before)
    watched.process.kill()
    watched.process.wait()

    with watching(host):
        greets(host, "after")
        rests(host)


def test_an_engine_that_is_away_for_a_while_is_waited_for(host: Host, other_engine: Engine) -> None:
    host.config.write_text(host.config.read_text().replace(host.engine.url, other_engine.url))
    host.engine = other_engine
    host.push(app=web("hello"))
    with watching(host) as process:
        rests(host)
        other_engine.stop()
        host.push(app=web("meanwhile"))
        until(lambda: "failed" in outcomes(host), 30)
        other_engine.start()
        trigger(host)

        greets(host, "meanwhile")
        assert process.end() == 0
        assert "E-DOCKER-UNREACHABLE" in process.said[1]


def test_another_pass_is_waited_for(watched: Watching) -> None:
    """Also one that only fetches, and so never goes once more for who asked meanwhile."""
    lock = PassLock(watched.host.state)
    until(lambda: not (watched.host.state / "pass.lock").read_text())
    lock.acquire(Holder(os.getpid(), 0, "a test"))
    watched.host.push(app=web("later"))
    until((watched.host.state / "again").exists)
    assert serving(watched.host) == "hello"
    lock.release()

    greets(watched.host, "later")


def test_a_remote_elsewhere_is_looked_at_in_intervals(host: Host) -> None:
    with http_backend(host.remote.path.parent) as server:
        toml = host.config.read_text().replace(host.remote.url, server.url(host.remote.path.name))
        host.config.write_text(toml + '\n[watch]\nevery = "200ms"\n')
        host.push(app=web("hello"))
        with watching(host):
            greets(host, "hello")
            host.push(app=web("again"))
            greets(host, "again")


def test_settings_are_read_again_and_bad_ones_are_told_and_waited_for(watched: Watching) -> None:
    host = watched.host
    good = host.config.read_text()
    host.config.write_text(good + "\n[nonsense]\n")
    lines = iter(watched.process.stderr or ())
    assert any("E-SETTINGS-KEY" in line for line in lines)
    host.push(app=web("again"))
    assert serving(host) == "hello"

    host.config.write_text(good)
    greets(host, "again")


def test_bad_settings_at_the_start_end_it(host: Host) -> None:
    host.config.write_text("host = 7\n")

    assert host.run("watch").code == 78


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_politely(watched: Watching, number: signal.Signals) -> None:
    assert watched.end(number) == 0


def test_it_ends_politely_in_the_middle_of_a_pass(watched: Watching) -> None:
    host = watched.host
    host.push(app=web("never", healthcheck="{test: [CMD, 'false'], interval: 1s, start_period: 300s, retries: 1}"))
    until(lambda: serving(host) == "never", 30)

    assert watched.end() == 0
    assert outcomes(host) <= {"succeeded", "unchanged", "interrupted"}
    host.push(app=web("hello"))
    host.converge()
    assert serving(host) == "hello"


def test_programs_get_one_object_a_line(host: Host) -> None:
    host.push(app=web("hello"))
    with watching(host, "--json") as process:
        rests(host)
        host.push(app=web("bad", command="[sh, -c, 'exit 7']"))
        until(lambda: "rolled-back" in outcomes(host), 30)
        assert process.end() == 0

        events = [json.loads(line) for line in process.said[0].splitlines()]
        told = [(event["event"], event.get("outcome")) for event in events]
        assert told[:3] == [("line", None), ("pass", "succeeded"), ("pass", "rolled-back")]
        assert events[2]["error"]["code"] == "E-VERIFY"
        assert process.said[1] == ""


def test_what_is_the_same_as_before_is_not_told_again(watched: Watching) -> None:
    host = watched.host
    assert host.run("pause", "--reason", "a test").code == 0
    wanted = runs(host) + 3
    until(lambda: asked(host) and runs(host) >= wanted)
    assert watched.end() == 0

    assert watched.said[0].count("Paused") == 1

"""What a person does to containers between two passes: read, restart, work inside; and never to those of others."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import COMMAND, Host, environment, host_at
from tests.support.engine import Engine

pytestmark = pytest.mark.engine

TALKING = """
services:
  one:
    image: test/box:1
    pull_policy: never
    stop_grace_period: 0s
    command: [sh, -c, "echo first; echo bad >&2; sleep 0.3; echo third; exec sleep 600"]
  two:
    image: test/box:1
    pull_policy: never
    stop_grace_period: 0s
    command: [sh, -c, "sleep 0.15; echo second; exec sleep 600"]
"""
ORDERED = """
services:
  web:
    image: test/box:1
    pull_policy: never
    stop_grace_period: 0s
    command: [sleep, "600"]
    depends_on: {db: {condition: service_healthy, restart: true}}
  db:
    image: test/box:1
    pull_policy: never
    stop_grace_period: 0s
    command: [sh, -c, "rm -f /ready; sleep 0.5; touch /ready; exec sleep 600"]
    healthcheck: {test: [CMD, test, -e, /ready], interval: 200ms, timeout: 2s, retries: 20}
  beside:
    image: test/box:1
    pull_policy: never
    stop_grace_period: 0s
    command: [sleep, "600"]
    network_mode: service:db
  done:
    image: test/box:1
    pull_policy: never
    command: ["true"]
    x-reconciler: {job: true}
"""


@pytest.fixture
def host(tmp_path: Path, engine: Engine) -> Host:
    made = host_at(tmp_path, engine.url, more=f'[inbox]\ndirectory = "{tmp_path}/inbox"\n')
    made.push({"fleet.yaml": made.fleet(), "stacks/app/compose.yaml": TALKING})
    return made


def converged(host: Host, **stacks: str) -> Host:
    host.push({f"stacks/{name}/compose.yaml": text for name, text in stacks.items()})
    done = host.run("converge", "-q", "--yes")
    assert done.code == 0, done.err
    return host


def started(engine: Engine) -> dict[str, str]:
    """By name: when each container was started."""
    names = engine.cli("ps", "-a", "--format", "{{.Names}}").split()
    return {name: engine.cli("inspect", "-f", "{{.State.StartedAt}}", name) for name in names}


def begin(
    host: Host, *arguments: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, arguments[0], "--config", str(host.config), *arguments[1:]],
        env=environment(),
        stdin=stdin,
        stdout=stdout,
        stderr=stdout if stdout != subprocess.PIPE else subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


# ---- logs


def test_logs_of_one_service_are_bare_and_keep_their_streams(host: Host) -> None:
    converged(host)

    done = host.run("logs", "alpha/app/one")

    assert (done.code, done.out, done.err) == (0, "first\nthird\n", "bad\n")


def test_logs_of_several_are_sorted_by_time_behind_their_names(host: Host) -> None:
    converged(host)

    done = host.run("logs", "alpha/app")

    assert done.out.splitlines() == ["one | first", "two | second", "one | third"]
    assert done.err == "one | bad\n"
    assert host.run("logs", "alpha/app", "--tail", "1").out.splitlines() == ["two | second", "one | third"]
    assert host.run("logs", "alpha", "--since", "2100-01-01").out == ""


def test_logs_for_a_program_are_one_object_a_line(host: Host) -> None:
    converged(host)

    done = host.run("logs", "alpha/app/one", "--json")

    assert sorted((e["service"], e["stream"], e["text"]) for e in done.events) == [
        ("one", "stderr", "bad"),
        ("one", "stdout", "first"),
        ("one", "stdout", "third"),
    ]
    assert done.answer["data"]["containers"] == ["app/one"]


def test_following_shows_what_comes_from_all_and_ends_at_once(host: Host, engine: Engine) -> None:
    converged(host)
    follower = begin(host, "logs", "alpha/app", "-f", "--tail", "0")
    try:
        assert follower.stdout
        for name, word in (("app-one-1", "later"), ("app-two-1", "after")):
            until_written(follower, engine, name, word)
        begun = time.monotonic()
        os.killpg(follower.pid, signal.SIGINT)
        follower.wait(timeout=10)
        assert time.monotonic() - begun < 9
        assert follower.returncode == 130
    finally:
        follower.kill()
        follower.communicate()


def until_written(follower: subprocess.Popen[str], engine: Engine, name: str, word: str) -> None:
    """Write again and again until the follower, who may not listen yet, has shown it."""
    assert follower.stdout
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        engine.cli("exec", name, "sh", "-c", f"echo {word} > /proc/1/fd/1")
        if select.select([follower.stdout], [], [], 0.5)[0]:
            assert re.match(r"(one|two) \| (later|after)", follower.stdout.readline())
            return
    raise AssertionError("it never came")


def test_following_ends_when_the_containers_do(host: Host, engine: Engine) -> None:
    converged(host)
    follower = begin(host, "logs", "alpha/app/one", "-f")
    try:
        assert follower.stdout
        assert [follower.stdout.readline(), follower.stdout.readline()] == ["first\n", "third\n"]
        engine.cli("stop", "-t", "0", "app-one-1")
        assert follower.stdout.readline() == "", "its output is closed"
        assert follower.wait(timeout=20) == 0
    finally:
        follower.kill()
        follower.communicate()


def test_containers_of_others_and_of_other_hosts_are_not_ours(host: Host, engine: Engine) -> None:
    converged(host)
    labels = ("com.docker.compose.project=app", "com.docker.compose.service=alien")
    engine.cli("run", "-d", *(f"--label={label}" for label in labels), "test/box:1", "sleep", "600")

    for target in ("alpha/app/alien", "alpha/none", "beta/app"):
        for command in ("logs", "restart"):
            done = host.run(command, target, "--json")
            assert (done.code, done.error["code"]) == (64, "E-TARGET"), (command, target)
    assert "alpha/app/one" in host.run("logs", "alpha/app/alien").err
    assert host.run("shell", "alpha/app/alien", "true").code == 64


# ---- restart


def test_a_restart_goes_by_dependencies_and_takes_along_what_cannot_do_without(host: Host, engine: Engine) -> None:
    converged(host, app=ORDERED, other=TALKING)
    before, since = started(engine), time.time()

    done = host.run("restart", "alpha/app/db")

    assert done.code == 0, done.err
    assert done.out.startswith("Restarted app/beside, app/db, app/web  (")
    after = started(engine)
    assert {name for name in after if after[name] != before[name]} == {"app-db-1", "app-web-1", "app-beside-1"}
    starts = [line for line in engine.events(since, kinds=("container",)) if " container start " in line]
    assert "name=app-db-1" in starts[0]
    assert host.run("status", "--check").code == 0
    run = json.loads(host.run("history", "-n", "1", "--json").out)["data"]["runs"][0]
    assert (run["command"], run["actor"], run["outcome"]) == ("restart", "tester", "succeeded")
    assert "app/db  restart: ok" in host.run("history", "show", run["id"]).out
    assert host.run("converge", "-q").out.startswith("Nothing to do")


def test_a_restart_that_does_not_come_up_says_so_and_leaves_the_rest(host: Host, engine: Engine) -> None:
    fragile = ORDERED.replace("touch /ready; exec", "test ! -e /once && touch /once /ready && exec")
    converged(host, app=fragile)

    done = host.run("restart", "alpha/app", "--json")

    assert (done.code, done.error["code"]) == (1, "E-VERIFY")
    assert "app/db" in done.error["what"]
    assert host.run("history", "-n", "1", "--json").answer["data"]["runs"][0]["outcome"] == "failed"


def test_a_pause_holds_a_restart_unless_it_is_forced(host: Host, engine: Engine) -> None:
    converged(host)
    before = started(engine)
    assert host.run("pause", "alpha/app", "--reason", "disk swap").code == 0

    held = host.run("restart", "alpha", "--json")
    assert (held.code, held.error["code"]) == (3, "E-PAUSED")
    assert "disk swap" in held.error["what"]
    assert started(engine) == before
    assert host.run("restart", "alpha/app/one", "--force").code == 0
    assert started(engine)["app-one-1"] != before["app-one-1"]


@contextmanager
def lock_held(host: Host) -> Iterator[subprocess.Popen[str]]:
    script = textwrap.dedent("""
        import os, sys, time
        from reconciler.adapters.lock import Holder, PassLock
        lock = PassLock(sys.argv[1])
        lock.acquire(Holder(os.getpid(), time.time(), "converge"))
        print("held", flush=True)
        input()
    """)
    command = [COMMAND[0], "-c", script, str(host.state)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.communicate("\n")


def test_a_restart_waits_for_no_pass(host: Host, engine: Engine) -> None:
    converged(host)
    before = started(engine)
    with lock_held(host):
        done = host.run("restart", "alpha", "--json")

    assert (done.code, done.error["code"]) == (75, "E-LOCK-BUSY")
    assert started(engine) == before


def test_a_trigger_that_came_during_a_restart_is_put_back(host: Host, tmp_path: Path) -> None:
    slow = ORDERED.replace("sleep 0.5; touch", "sleep 3; touch")
    converged(host, app=slow)
    (tmp_path / "inbox").mkdir()
    trigger = tmp_path / "inbox" / "trigger"
    restart = begin(host, "restart", "alpha/app/db")
    try:
        assert restart.stderr
        assert "stopping" in restart.stderr.readline(), "it has the lock"
        trigger.touch()
        assert host.run("converge", "-q").code == 75
        assert not trigger.exists(), "whoever is turned away takes it along"
    finally:
        restart.communicate(timeout=60)

    assert restart.returncode == 0
    assert trigger.exists()


# ---- shell


def test_a_command_gets_our_input_and_gives_its_output_and_exit_code(host: Host) -> None:
    converged(host)

    done = host.run("shell", "alpha/app/one", "sh", "-c", "cat; echo oops >&2; exit 7", stdin="hello\nthere\n")

    assert (done.code, done.out, done.err) == (7, "hello\nthere\n", "oops\n")


def test_a_large_output_comes_through_whole(host: Host) -> None:
    converged(host)

    done = host.run("shell", "alpha/app/one", "sh", "-c", "seq 1 200000", stdin="")

    assert done.code == 0
    assert done.out.splitlines() == [str(number) for number in range(1, 200_001)]


def test_short_commands_never_lose_their_output(host: Host) -> None:
    converged(host)

    assert {host.run("shell", "alpha/app/one", "echo", "hi", stdin="").out for _ in range(8)} == {"hi\n"}


def test_what_follows_the_target_belongs_to_the_command(host: Host) -> None:
    converged(host)

    assert host.run("shell", "alpha/app/one", "echo", "--json", "-n", "-q", stdin="").out == "--json -n -q\n"
    assert host.run("shell", "alpha/app", "true").code == 64
    assert host.run("shell", "alpha/app/one", "no-such-program", stdin="").code in (126, 127)


def test_a_container_that_does_not_run_is_told(host: Host, engine: Engine) -> None:
    converged(host)
    engine.cli("stop", "-t", "0", "app-one-1")

    done = host.run("shell", "alpha/app/one", "true")

    assert (done.code, "alpha/app/one does not run [E-NOT-RUNNING]" in done.err) == (1, True)
    assert host.run("shell", "-n", "2", "alpha/app/one", "true").code == 1


def test_at_a_terminal_it_is_a_shell_with_the_size_of_ours(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    converged(host)
    monkeypatch.setenv("COLUMNS", "80")  # exported by whoever started our shell, and no longer true
    monkeypatch.setenv("LINES", "24")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    before = termios.tcgetattr(theirs)
    process = begin(host, "shell", "alpha/app/one", stdin=theirs, stdout=theirs)
    try:
        screen = Screen(ours)
        screen.wait_for(r"[#$] ")
        screen.type_until("tty; stty size\r", r"/dev/pts/\d+\s+33 101")  # the engine takes a size once it runs
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.killpg(process.pid, signal.SIGWINCH)
        screen.type_until("stty size\r", r"\s40 120\s")
        screen.type("sleep 600\r", "sleep 600")
        screen.type_until("\x03", r"[#$] ")
        screen.type("exit 5\r", "exit 5")
        assert process.wait(timeout=20) == 5
        assert termios.tcgetattr(theirs) == before, "the terminal is as it was"
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


class Screen:
    """What a terminal shows."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._seen = descriptor, ""

    def wait_for(self, pattern: str, seconds: float = 20) -> bool:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self._seen):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                return False
            self._seen += os.read(self._descriptor, 65536).decode(errors="replace")
        return True

    def type(self, keys: str, pattern: str) -> None:
        self._seen = ""
        os.write(self._descriptor, keys.encode())
        assert self.wait_for(pattern), self._seen

    def type_until(self, keys: str, pattern: str) -> None:
        deadline = time.monotonic() + 20
        self._seen = ""
        while time.monotonic() < deadline:
            os.write(self._descriptor, keys.encode())
            if self.wait_for(pattern, 1):
                return
        raise AssertionError(self._seen)

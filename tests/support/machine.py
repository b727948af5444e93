"""A machine with a real systemd: a container whose first process it is.

It shares the network with this machine, and uses the engine that it runs on.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.engine import ROOT, Engine, private_engine, script

NAME = "machine"
SOCKET = "/docker.sock"
UNITS = ("reconciler.timer", "reconciler.path", "reconciler.service", "reconciler-serve.service")
_RIGHTS = ("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw")
_BOOT = ("--network", "host", "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", *_RIGHTS)


@dataclass(frozen=True)
class Said:
    """How a command on the machine ended; `text` is both of its streams."""

    code: int
    text: str


class Machine:
    """`engine` is the one that it runs on and works with."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def sh(self, script: str, *, user: str = "root", code: int | None = 0) -> Said:
        """Run a shell script there; `code`: how it must end, None for anyhow."""
        given = [word for name in _pip_environment() for word in ("-e", name)]
        done = subprocess.run(
            ["docker", "-H", self.engine.url, "exec", "-i", "-u", user, *given, NAME, "sh", "-eu"],
            input=script,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )
        said = Said(done.returncode, done.stdout.strip())
        assert code is None or said.code == code, f"exit code {said.code}\n{script}\n{said.text}\n{self.said()}"
        return said

    def write(self, path: str, text: str) -> None:
        self.sh(f"mkdir -p {os.path.dirname(path)}\ncat > {path} <<'--END--'\n{text}\n--END--")

    def drop_in(self, unit: str, text: str) -> None:
        """Change a unit as its owner would; `reset` takes it back."""
        self.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.sh("systemctl daemon-reload")

    def reset(self) -> None:
        """As after `make install` with no configuration: nothing runs, nothing is remembered."""
        units = " ".join(UNITS)
        self.sh(f"""
            systemctl stop {units}
            systemctl disable --quiet reconciler.timer reconciler.path reconciler-serve.service
            rm -rf /etc/systemd/system/reconciler.*.d /etc/systemd/system/reconciler-serve.*.d /var/lib/reconciler-swarm
            rm -rf /etc/reconciler /var/lib/reconciler /opt/fleet /srv/git
            rm -rf /run/reconciler/inbox/* /root/work /home/pusher/*
            systemctl daemon-reload
            systemctl reset-failed {units} 2>/dev/null || true
            journalctl --quiet --rotate --vacuum-time=1us 2>/dev/null
        """)
        ours = self.engine.cli("ps", "-aq", "--filter", "label=reconciler.owner").split()
        if ours:
            self.engine.cli("rm", "-f", "-v", *ours)

    # The journal

    def journal(self) -> list[Mapping[str, Any]]:
        """Every entry about our service since the last `reset`, systemd's own about it too."""
        lines = self.sh("journalctl -u reconciler.service -o json --no-pager", code=None).text.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def said(self) -> str:
        return "\n".join(str(entry["MESSAGE"]) for entry in self.journal())

    def starts(self) -> int:
        """How often systemd began to start the service."""
        return sum(entry.get("JOB_TYPE") == "start" and "Starting" in entry["MESSAGE"] for entry in self.journal())

    def state(self, unit: str, name: str) -> str:
        """One property, as `systemctl show` has it."""
        return self.sh(f"systemctl show --value -p {name} {unit}").text

    def eventually(self, check: Callable[[], object], what: str, seconds: float = 60) -> float:
        """Poll until it holds; how long that took, in seconds."""
        begun = time.monotonic()
        while not check():
            assert time.monotonic() < begun + seconds, f"never came: {what}\n{self.said()}"
            time.sleep(0.05)
        return time.monotonic() - begun

    def idle(self) -> bool:
        return self.state("reconciler.service", "ActiveState") in ("inactive", "failed")


def _pip_environment() -> dict[str, str]:
    """How this machine reaches its package index; nothing of it is written anywhere."""
    return {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.lower().endswith("_proxy")}


def _mounts(engine: Engine) -> Iterator[str]:
    yield f"{engine.socket}:{SOCKET}"
    yield f"{ROOT}:{ROOT}:ro"
    for value in _pip_environment().values():  # certificates, folders of wheels
        for path in filter(lambda word: word.startswith("/") and Path(word).exists(), value.split()):
            yield f"{path}:{path}:ro"
    for config in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"):
        if config.exists():
            yield f"{config}:/etc/pip.conf:ro"
            return


@contextmanager
def machine_with(*folders: Path) -> Iterator[Machine]:
    """A machine on an engine of its own that sees `folders` at their own paths; nothing of ours is installed."""
    engine = private_engine()
    try:
        script("systemd-image.sh", env={"DOCKER_HOST": engine.url}, timeout=600)
        engine.images("test/box:1")
        mounts = [*_mounts(engine), *(f"{folder}:{folder}" for folder in folders)]
        engine.cli("run", "-d", "--name", NAME, *_BOOT, *(w for m in mounts for w in ("-v", m)), "test/systemd:1")
        machine = Machine(engine)
        machine.eventually(
            lambda: machine.sh("systemctl is-system-running", code=None).text in ("running", "degraded"),
            "the machine is up",
        )
        machine.sh("mount --make-rshared /")  # systemd does it on a real machine; its credentials need it
        yield machine
    finally:
        engine.down()

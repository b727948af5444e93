"""One host as its owner sees it: a real git remote, reconciler.toml, the real command, and a real engine below."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import warm
from tests.support.engine import ROOT, Engine
from tests.support.gitremote import Content, Remote
from tests.support.settings import allowing

NAME = "box"


@dataclass(frozen=True)
class Ran:
    """What one call of the command said."""

    code: int
    stdout: str
    stderr: str

    @property
    def envelope(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout.splitlines()[-1]))

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.envelope["data"])

    @property
    def error(self) -> dict[str, Any]:
        return dict(self.envelope["error"] or {})

    @property
    def reasons(self) -> dict[str, str]:
        """`stack/service` (`#n` for further replicas) -> action and reasons of each step, as one text."""
        plan = self.data.get("plan", self.data) or {"steps": []}
        return {_slot(step): f"{step['action']}: {'; '.join(step['reasons'])}" for step in plan["steps"]}


def _slot(step: Mapping[str, Any]) -> str:
    replica = f"#{step['number']}" if step["number"] > 1 else ""
    return f"{step['stack']}/{step['service']}{replica}"


WINDOW = "100ms"
"""What dies at once has done so by then."""


class Host:
    """`settings` goes into reconciler.toml as it stands, e.g. `[trust]` with its keys."""

    def __init__(self, folder: Path, engine: Engine, settings: str = "") -> None:
        self.folder, self.engine = folder, engine
        self.remote = Remote(folder)
        self.state, self.checkout = folder / "state", folder / "checkout"
        self.config = folder / "etc" / "reconciler.toml"
        self.config.parent.mkdir()
        self.config.write_text(
            f'host = "{NAME}"\n[repository]\nurl = "{self.remote.url}"\n[state]\ndirectory = "{self.state}"\n'
            f'[inbox]\ndirectory = "{folder / "inbox"}"\n'
            f'[docker]\nhost = "{engine.url}"\n[verify]\nwindow = "{WINDOW}"\ntimeout = "5s"\n'
            + allowing(self.checkout, textwrap.dedent(settings))
        )
        hosts = f"{{{NAME}: {{connect: local, checkout: {self.checkout}}}}}"
        fleet = f"apiVersion: reconciler/v1\nkind: Fleet\nhosts: {hosts}\n"
        self.remote.commit({"manifests/fleet.yaml": fleet}, "the fleet")

    def looks_on_for(self, window: str) -> None:
        """How long a pass waits before it calls a service good."""
        text = self.config.read_text()
        assert text.count(f'window = "{WINDOW}"') == 1
        self.config.write_text(text.replace(f'window = "{WINDOW}"', f'window = "{window}"'))

    @property
    def stamp(self) -> str:
        """What was verified last; "" when nothing was."""
        file = self.state / "sentinels" / "last-successful-deploy-sha"
        return file.read_text().strip() if file.exists() else ""

    # Git

    def push(self, files: Mapping[str, Content] | None = None, /, **stacks: str | None) -> str:
        """Commit Compose files by the name of their stack (None: the stack goes) and other files below stacks/."""
        changes: dict[str, Content] = {f"manifests/stacks/{path}": text for path, text in (files or {}).items()}
        for name, text in stacks.items():
            changes[f"manifests/stacks/{name}/compose.yaml"] = None if text is None else textwrap.dedent(text)
        return self.remote.commit(changes)

    # The command

    def run(self, *arguments: str) -> Ran:
        done = warm.run([*arguments, "--config", str(self.config)], ROOT, self._environment)
        return Ran(done.returncode, done.stdout, done.stderr)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """The command without waiting for it; whoever begins it waits for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "reconciler", *arguments, "--config", str(self.config)],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def _environment(self) -> dict[str, str]:
        return {k: v for k, v in os.environ.items() if not k.startswith(("GIT", "CI", "RECONCILER_", "DOCKER_"))}

    def converge(self, *arguments: str, code: int = 0) -> Ran:
        """One pass, which must end with that exit code."""
        ran = self.run("converge", "--yes", "--json", *arguments)
        said = json.dumps(ran.error, indent=1) if ran.stdout else ""
        assert ran.code == code, f"exit code {ran.code} instead of {code}\n{said}\n{ran.stderr}"
        return ran

    def plan(self, *arguments: str) -> dict[str, str]:
        """What a pass would do and why, by slot."""
        ran = self.run("plan", "--json", *arguments)
        assert ran.code == 0, ran.stdout + ran.stderr
        return ran.reasons

    def settled(self) -> None:
        """Once more: there is nothing to do, and Docker does not notice that anybody asked."""
        with self.quiet():
            ran = self.converge()
        assert (ran.data["outcome"], ran.reasons) == ("unchanged", {}), ran.stdout

    def heals(self, expected: Mapping[str, str]) -> None:
        """The plan has just these steps for reasons with these words; a pass mends them and leaves the others alone."""
        planned = self.plan()
        assert planned.keys() == expected.keys(), planned
        for slot, words in expected.items():
            assert words in planned[slot], planned
        before = self.ids()
        self.converge()
        moved = {name for name, now in self.started().items() if before.get(name) != now}
        assert moved <= {self.name_of(slot) for slot in expected}, moved
        self.settled()

    # The engine

    def subnet(self, number: int) -> str:
        """The first three numbers of a subnet that only this engine uses, and may forward within; `number` below 64."""
        own = re.search(r"^number=(\d+)", (self.engine.folder / "engine").read_text(), re.MULTILINE)
        assert own
        return f"10.{200 + int(own[1])}.{64 + number}"

    def inspect(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.engine.cli("inspect", "--type", "container", name))[0])

    def containers(self) -> dict[str, dict[str, Any]]:
        """Every container of the engine, running or not, by name."""
        ids = self.engine.cli("ps", "-aq").split()
        if not ids:
            return {}
        return {c["Name"].lstrip("/"): c for c in json.loads(self.engine.cli("inspect", *ids))}

    def started(self) -> dict[str, tuple[str, str, str]]:
        """By name: id, state and moment of the last start; equal means untouched."""
        return {n: (c["Id"], c["State"]["Status"], c["State"]["StartedAt"]) for n, c in self.containers().items()}

    ids = started

    def name_of(self, slot: str) -> str:
        stack, _, service = slot.partition("/")
        service, _, number = service.partition("#")
        return f"{stack}-{service}-{number or 1}"

    def sh(self, container: str, script: str) -> str:
        return self.engine.cli("exec", container, "sh", "-c", script)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Docker reports no event while this lasts, and every container stays as it was."""
        before, since = self.started(), time.time()
        yield
        assert self.engine.events(since) == []
        assert self.started() == before

    @contextmanager
    def moves(self, *names: str) -> Iterator[None]:
        """Of the containers that are there before and after, exactly these are other ones (or were started again)."""
        before = self.started()
        yield
        after = self.started()
        assert {n for n in before.keys() & after.keys() if before[n] != after[n]} == set(names)


def until(holds: Callable[[], object], seconds: float = 15) -> None:
    """Wait for a condition; AssertionError when it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])

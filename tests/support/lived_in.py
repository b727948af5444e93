"""A machine as somebody has it before reconciler: projects that the real docker-compose started, and nothing else."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cli import COMMAND, Done, environment, run
from tests.support.composed import Version, compose_binary
from tests.support.engine import Engine

NAME = "caroline"
HANG_UP = "\x04hang up"


@dataclass(frozen=True)
class Machine:
    """`home` holds the projects; repository, configuration, check-out and state lie beside it."""

    folder: Path
    engine: str = "unix:///nonexistent/docker.sock"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def config(self) -> Path:
        return self.folder / "etc" / "reconciler" / "reconciler.toml"

    @property
    def repository(self) -> Path:
        return self.folder / "git" / "fleet.git"

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def flags(self) -> tuple[str, ...]:
        """What a test says always, so that it stays in its folder."""
        return ("--search", str(self.home), "--host", NAME, "--checkout", str(self.checkout))

    @property
    def env(self) -> dict[str, str]:
        return environment(
            DOCKER_HOST=self.engine,
            RECONCILER_STATE_DIRECTORY=str(self.folder / "state"),
            RECONCILER_INBOX_DIRECTORY=str(self.folder / "inbox"),
            HOME=str(self.folder),
        )

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Files below `home`."""
        for path, content in files.items():
            file = self.home / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).lstrip().encode())

    def up(self, folder: str, *options: str, version: Version = "v1") -> None:
        """`docker compose up -d` there."""
        done = subprocess.run(
            [compose_binary(version), *options, "up", "-d"],
            cwd=self.home / folder,
            env={**self.env, "PWD": str(self.home / folder)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr

    def init(self, *arguments: str | Path, **how: Any) -> Done:
        """`reconciler init` into the default places of this machine; without a terminal."""
        repository = () if "--repository" in arguments else ("--repository", self.repository)
        return self.run("init", *self.flags, *repository, *arguments, **how)

    def run(self, *arguments: str | Path, **how: Any) -> Done:
        return run(*arguments[:1], "--config", self.config, *arguments[1:], env=self.env, cwd=self.folder, **how)

    def git(self, *arguments: str) -> str:
        """git on the repository that init made."""
        argv = ["git", f"--git-dir={self.repository}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def files(self) -> list[str]:
        """What the branch holds."""
        return self.git("ls-tree", "-r", "--name-only", "main").splitlines()

    def at_a_terminal(self, arguments: Sequence[str | Path], answers: Sequence[tuple[str, str]]) -> Done:
        """The command at a real terminal; each answer is typed when its question (a pattern) stands there.

        The answer HANG_UP closes the terminal.
        """
        argv = [*COMMAND, *map(str, arguments[:1]), "--config", str(self.config), *map(str, arguments[1:])]
        pid, terminal = pty.fork()
        if not pid:  # pragma: no cover  the child
            os.chdir(self.folder)
            os.execvpe(argv[0], argv, {**self.env, "TERM": "dumb", "COLUMNS": "200"})
        try:
            said = _converse(terminal, list(answers))
        finally:
            os.close(terminal)
            _, status = os.waitpid(pid, 0)
        return Done(os.waitstatus_to_exitcode(status), said, "")


def _converse(terminal: int, answers: list[tuple[str, str]], seconds: float = 60) -> str:
    """All that was said. AssertionError when a question does not come."""
    said, heard, deadline = "", 0, time.monotonic() + seconds
    while True:
        assert time.monotonic() < deadline, f"waiting for {answers[:1]} after:\n{said}"
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            chunk = os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # EIO: the other side is closed
            chunk = ""
        if not chunk:
            assert not answers, f"never asked {answers}:\n{said}"
            return said
        said += chunk
        if answers and (asked := re.search(answers[0][0], said[heard:])):
            heard += asked.end()
            if (answer := answers.pop(0)[1]) == HANG_UP:
                return said
            os.write(terminal, f"{answer}\n".encode())


def three_projects(folder: Path, engine: Engine, version: Version = "v1") -> Machine:
    """A media project with override, `.env` and env file; a proxy with the socket; a blog of one file. All run."""
    machine = Machine(folder, engine.url)
    machine.write(
        {
            "ana/media/docker-compose.yml": """
                version: "2.4"
                services:
                  player:
                    image: test/box:${TAG}
                    command: [sleep, "600"]
                    stop_grace_period: 0s
                    env_file: player.env
                    volumes: ["./data:/data", "library:/library"]
                  index:
                    image: test/box:1
                    command: [sleep, "600"]
                    stop_grace_period: 0s
                    volumes: ["./index.conf:/etc/index.conf:ro"]
                volumes:
                  library: {}
                """,
            "ana/media/docker-compose.override.yml": """
                version: "2.4"
                services:
                  player:
                    environment: {MODE: night}
                """,
            "ana/media/.env": "TAG=1\n",
            "ana/media/player.env": "TOKEN=hush-hush-value\n",
            "ana/media/data/film": "a film",
            "ana/media/index.conf": "on\n",
            "proxy/docker-compose.yml": f"""
                version: "2.4"
                services:
                  watch:
                    image: test/box:1
                    command: [sleep, "600"]
                    stop_grace_period: 0s
                    pid: host
                    volumes: ["{engine.socket}:/var/run/docker.sock:ro"]
                """,
            "srv/blog/compose.yaml": """
                version: "2.4"
                services:
                  web:
                    image: test/box:1
                    command: [sleep, "600"]
                    stop_grace_period: 0s
                """,
            "old/docker-compose.yml": 'version: "2.4"\nservices: {gone: {image: "test/box:1"}}\n',
        }
    )
    for project in ("ana/media", "proxy", "srv/blog"):
        machine.up(project, version=version)
    return machine


def odd_projects(folder: Path, engine: Engine) -> Machine:
    """Projects that were started in ways of which only their containers tell; all with Compose 2, and all run."""
    machine = Machine(folder, engine.url)
    stays = 'image: "test/box:1"\n    command: [sleep, "600"]\n    stop_grace_period: 0s\n'

    def text(name: str, more: str = "", rest: str = "") -> str:
        return f"services:\n  {name}:\n    {stays}{more}\n{rest}"

    machine.write(
        {
            "here/compose.yaml": text("web", "    volumes: ['.:/here', './:/ro:ro', '~/film:/film', '${PWD}/x:/x']"),
            "here/note": "data beside the Compose file",
            "named/compose.yaml": "name: other\n" + text("web", "    volumes: ['./data:/data']"),
            "many/one.yaml": text("web", "    environment: {A: one, B: one}"),
            "many/two.yaml": "services: {web: {environment: {B: two}}}\n",
            "many/over/three.yaml": "services: {web: {volumes: ['./data:/data'], environment: {C: $$WORD}}}\n",
            "switched/compose.yaml": text("web") + f"  debug:\n    {stays}    profiles: [debug, all]\n",
            "valued/compose.yaml": text("web", "    environment: {VALUE: '${VALUE}', OTHER: '${OTHER}'}"),
            "valued/prod.env": "VALUE=secret-of-prod\n",
            "valued/more.env": "OTHER=more",
            "built/compose.yaml": text("web", "    build: {context: .}\n    volumes: ['./data:/data']", "").replace(
                "test/box:1", "built-here:1"
            ),
            "built/Dockerfile": "FROM test/box:1\nCOPY index.html /index.html\n",
            "built/index.html": "hello",
            "extended/compose.yaml": "services:\n  web:\n    extends: {file: parts/base.yaml, service: base}\n",
            "extended/parts/base.yaml": text("base", "    volumes: ['./data:/data']\n    env_file: base.env"),
            "extended/parts/base.env": "BASE=1\n",
        }
    )
    engine.cli("build", "-q", "-t", "built-here:1", str(machine.home / "built"))
    for project, options in {
        "here": (),
        "named": ("-p", "mine"),
        "many": ("-f", "one.yaml", "-f", "two.yaml", "-f", "over/three.yaml"),
        "switched": ("--profile", "debug"),
        "valued": ("--env-file", "prod.env", "--env-file", "more.env"),
        "built": (),
        "extended": (),
    }.items():
        machine.up(project, *options, version="v2")
    return machine

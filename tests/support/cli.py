"""The command as a user runs it: a process of its own, with a host's file, a real remote and maybe a real engine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import warm
from tests.support.gitremote import Content, Remote
from tests.support.settings import allowing

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "reconciler"]
OURS = ("RECONCILER_", "DOCKER_", "JOURNAL_STREAM", "INVOCATION_ID", "NO_COLOR", "CREDENTIALS_DIRECTORY", "CI")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str
    memory: int = 0
    seconds: float = 0

    @property
    def answer(self) -> dict[str, Any]:
        """The envelope: the only document, or the last line of a stream."""
        envelope: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        assert set(envelope) == {"schema", "command", "ok", "data", "warnings", "error"}
        assert envelope["ok"] == (envelope["error"] is None)
        return envelope

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.answer["error"]
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """What a stream told before its envelope."""
        return [json.loads(line) for line in self.out.splitlines()[:-1]]


def environment(**more: str) -> dict[str, str]:
    """Ours without what would reach into a test from outside."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    return clean | {"PYTHONPATH": str(ROOT), "USER": "tester"} | more


def run(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    limits: Mapping[int, int] | None = None,
    timeout: float = 60,
) -> Done:
    """Run the command to its end. `limits`: resource -> bound, set in the child."""
    words, env = [*map(str, arguments)], environment() if env is None else env
    done = warm.run(words, cwd or Path.cwd(), env, stdin or "", timeout, limits or {})
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass
class Host:
    """One host: its folder of configuration and state, the remote that it follows, and its check-out."""

    folder: Path
    remote: Remote
    engine: str = "unix:///nonexistent/docker.sock"
    more: str = ""
    name: str = "alpha"
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.write()

    @property
    def config(self) -> Path:
        return self.folder / "etc" / "reconciler.toml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def sentinels(self) -> Path:
        return self.state / "sentinels"

    @property
    def stamp(self) -> str:
        """What was verified last; "" when nothing was."""
        file = self.sentinels / "last-successful-deploy-sha"
        return file.read_text().strip() if file.exists() else ""

    def write(self, more: str | None = None) -> None:
        """The host's own file; `more` is added at its end."""
        settings = allowing(self.checkout, self.more if more is None else more)
        self.config.write_text(
            f'host = "{self.name}"\n\n[repository]\nurl = "{self.remote.url}"\n\n'
            f'[state]\ndirectory = "{self.state}"\n\n[docker]\nhost = "{self.engine}"\n\n'
            f'[verify]\nwindow = "200ms"\ntimeout = "5s"\n{settings}'
        )

    def push(self, files: Mapping[str, Content], message: str = "a change") -> str:
        """Commit below manifests/, and give the commit's id."""
        return self.remote.commit({f"manifests/{path}": content for path, content in files.items()}, message)

    def fleet(self, more: str = "") -> str:
        """A fleet of this one host."""
        return (
            "apiVersion: reconciler/v1\nkind: Fleet\n"
            f"hosts:\n  {self.name}: {{connect: local, checkout: {self.checkout}}}\n{more}"
        )

    def run(self, *arguments: str | Path, **how: Any) -> Done:
        """Run a command as this host; `env` is added to the environment."""
        env = environment(**self.env, **how.pop("env", {}))
        return run(*arguments[:1], "--config", self.config, *arguments[1:], env=env, **how)


def host_at(folder: Path, engine: str = "unix:///nonexistent/docker.sock", more: str = "") -> Host:
    """A host with an empty remote of its own."""
    return Host(folder / "host", Remote(folder / "git"), engine, more)


def stack(image: str = "test/box:1", **environment: str) -> str:
    """A small service that stays up."""
    variables = "".join(f"      {key}: {value!r}\n" for key, value in environment.items())
    return (
        "services:\n  web:\n"
        f"    image: {image}\n    command: [sleep, '600']\n    stop_grace_period: 0s\n    pull_policy: never\n"
        + (f"    environment:\n{variables}" if variables else "")
    )

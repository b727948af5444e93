"""A project that somebody started with Compose: docker-compose 1 of Debian, or Compose 2."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Literal

from tests.support.engine import ROOT, Engine

Version = Literal["v1", "v2"]


def compose_binary(version: Version) -> str:
    """The real program; a missing one is an error."""
    if version == "v1":
        return "docker-compose"
    script = subprocess.run([ROOT / "scripts" / "compose-v2.sh"], capture_output=True, text=True, check=False)
    assert script.returncode == 0, script.stderr
    return script.stdout.strip()


class Project:
    """`folder` holds its docker-compose.yml and all that lies beside; its name is the folder's."""

    def __init__(self, folder: Path, engine: Engine, version: Version) -> None:
        self.folder, self._engine, self._program = folder, engine, compose_binary(version)
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def run(self, *arguments: str) -> str:
        """What Compose said."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "COMPOSE_"))}
        done = subprocess.run(
            [self._program, "--ansi", "never", *arguments],
            cwd=self.folder,
            env=environment | {"DOCKER_HOST": self._engine.url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

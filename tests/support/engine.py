"""A private Docker engine for tests: started, stopped and cleaned by scripts/engine.sh."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "rcltest-"


def script(name: str, *arguments: str, env: dict[str, str] | None = None, timeout: float = 180) -> str:
    """Run scripts/NAME and return what it printed; its own words are in the error when it failed."""
    done = subprocess.run(
        [str(ROOT / "scripts" / name), *arguments],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name} {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Engine:
    """`folder` holds its data; the socket keeps its path over restarts."""

    folder: Path
    url: str

    @property
    def socket(self) -> Path:
        return Path(self.url.removeprefix("unix://"))

    @property
    def pid(self) -> int:
        """The pid of dockerd; FileNotFoundError while it is stopped."""
        return int(self.socket.with_name("pid").read_text())

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self, *, kill: bool = False) -> None:
        """As `systemctl stop docker`, or as a crash with `kill`."""
        script("engine.sh", "stop", str(self.folder), *(["KILL"] if kill else []))

    def start(self) -> None:
        script("engine.sh", "start", str(self.folder))

    def restart(self, *, kill: bool = False) -> None:
        self.stop(kill=kill)
        self.start()

    def cli(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        """What `docker ARGUMENTS` prints; CalledProcessError, with its stderr as a note, when it fails."""
        done = subprocess.run(
            ["docker", "-H", self.url, *arguments],
            env={k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            error.add_note(done.stderr)
            raise error
        return done.stdout.strip()

    def clean(self) -> None:
        """Remove every container, network, volume and dangling image of this engine; named images stay.

        An engine that counts an endpoint of a container that is gone (moby's libnetwork leaks one now and then) learns
        better by a restart; else one test would fail all those after it.
        """
        try:
            self._emptied()
        except subprocess.CalledProcessError:
            self.restart()
            self._emptied()

    def _emptied(self) -> None:
        for kind, list_all, remove in (
            ("container", ["ps", "-aq"], ["rm", "-f", "-v"]),
            ("network", ["network", "ls", "-q", "--filter", "type=custom"], ["network", "rm"]),
            ("volume", ["volume", "ls", "-q"], ["volume", "rm", "-f"]),
            ("image", ["image", "ls", "-q", "--filter", "dangling=true"], ["image", "rm", "-f"]),
        ):
            found = self.cli(*list_all).split()
            if found:
                self.cli(*remove, *found, check=kind != "image")

    def events(
        self, since: float, *, kinds: tuple[str, ...] = ("container", "network", "volume", "image")
    ) -> list[str]:
        """What changed here since that time (seconds since the epoch), one line each; health probes are left out."""
        filters = [word for kind in kinds for word in ("--filter", f"type={kind}")]
        lines = self.cli("events", "--since", f"{since:.9f}", "--until", f"{time.time():.9f}", *filters).splitlines()
        return [line for line in lines if " exec_" not in line and " health_status" not in line]

    def images(self, *names: str) -> None:
        """Make these images of busybox: each has httpd, sh, sleep and an id of its own."""
        script("images.sh", *names, env={"DOCKER_HOST": self.url})

    def down(self) -> None:
        script("engine.sh", "down", str(self.folder))


def private_engine() -> Engine:
    """A new engine; the caller ends it with `down()`."""
    reap()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    (folder / "owner").write_text(str(os.getpid()))
    try:
        return Engine(folder, script("engine.sh", "private", str(folder)))
    except BaseException:
        script("engine.sh", "down", str(folder))
        raise


def reap() -> None:
    """End engines whose test run was killed before it could."""
    for folder in Path("/tmp").glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int((folder / "owner").read_text())
            if not Path(f"/proc/{owner}").exists():
                script("engine.sh", "down", str(folder))

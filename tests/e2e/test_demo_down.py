"""`make demo-down` where the demo's own advice was followed: what was started from it ends, and nothing else does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIVES = """\
#!{python}
import signal, sys
if "{deaf}":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
signal.pause()
"""


class Checkout:
    """A copy of what `make demo-down` runs, with a demo that has no engine."""

    def __init__(self, folder: Path, started: ExitStack) -> None:
        self.folder, self._started = folder, started
        self.demo = folder / ".demo"
        for name in ("demo-down.sh", "demo-processes.sh", "lib.sh"):
            (folder / "scripts").mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "scripts" / name, folder / "scripts")
        (self.demo / "etc").mkdir(parents=True)
        (self.demo / "etc/reconciler.toml").touch()

    def start(self, *arguments: str, program: str = "bin/reconciler", deaf: bool = False) -> subprocess.Popen[str]:
        """Runs in this folder when this returns; it goes at the end of the test anyway."""
        file = self.folder / program
        file.parent.mkdir(exist_ok=True)
        file.write_text(LIVES.format(python=sys.executable, deaf="yes" if deaf else ""))
        file.chmod(0o755)
        process = subprocess.Popen([program, *arguments], cwd=self.folder, stdout=subprocess.PIPE, text=True)
        self._started.enter_context(process)
        self._started.callback(process.kill)
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        return process

    def down(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["scripts/demo-down.sh"],
            cwd=self.folder,
            env=os.environ | {"DEMO_DOWN_PATIENCE": "3"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def checkout(tmp_path: Path, started: ExitStack) -> Checkout:
    return Checkout(tmp_path / "one", started)


def test_what_runs_from_the_demo_ends_and_all_is_gone_and_named(checkout: Checkout) -> None:
    relative = checkout.start("serve", "--config", ".demo/etc/reconciler.toml")
    absolute = checkout.start("drone", f"--config={checkout.demo}/etc/reconciler.toml")
    script = checkout.start(program=".demo/drone.sh")

    done = checkout.down()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "removed: processes that ran (3), .demo\n"
    assert [each.wait(10) for each in (relative, absolute, script)] == [-15, -15, -15]
    assert not checkout.demo.exists()


def test_one_that_does_not_listen_is_killed(checkout: Checkout) -> None:
    deaf = checkout.start("serve", "--config", ".demo/etc/reconciler.toml", deaf=True)

    assert checkout.down().returncode == 0
    assert deaf.wait(10) == -9


def test_others_live_on(checkout: Checkout, tmp_path: Path, started: ExitStack) -> None:
    """The demo of another checkout, an installed reconciler, and somebody who only reads the file."""
    others = [
        Checkout(tmp_path / "two", started).start("serve", "--config", ".demo/etc/reconciler.toml"),
        checkout.start("serve", "--config", "/etc/reconciler/reconciler.toml"),
        checkout.start("serve"),
        checkout.start(".demo/etc/reconciler.toml", program="bin/editor"),
    ]

    assert checkout.down().stdout == "removed: .demo\n"
    assert [each.poll() for each in others] == [None] * 4


def test_the_second_time_there_is_nothing(checkout: Checkout) -> None:
    checkout.down()

    done = checkout.down()

    assert (done.returncode, done.stdout) == (0, "nothing to remove\n")

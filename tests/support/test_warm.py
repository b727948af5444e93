"""A command that is forked from a warm process does what one that Python has just started does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import warm
from tests.support.cli import environment

SEEN = """
import json, os, sys
mask = os.umask(0)
seen = [sys.argv[1:], os.getcwd(), dict(os.environ), mask, sys.stdin.read(), os.isatty(1), os.listdir('/proc/self/fd')]
print(json.dumps(seen))
print('complaint', file=sys.stderr)
sys.exit(3)
"""


def same(arguments: list[str], cwd: Path, env: Mapping[str, str], stdin: str = "", module: str = "reconciler") -> int:
    """The exit code of both."""
    command = [sys.executable, "-m", module, *arguments]
    cold = subprocess.run(command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, check=False)
    forked = warm.run(arguments, cwd, env, stdin, module=module)
    assert (forked.returncode, forked.stdout, forked.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    return forked.returncode


def test_a_command_says_the_same_and_ends_the_same(tmp_path: Path) -> None:
    assert same(["version"], tmp_path, environment()) == 0
    assert same(["no-such-command"], tmp_path, environment()) == 64
    assert same(["validate", "."], tmp_path, environment()) != 0


def test_it_has_the_arguments_environment_folder_mask_streams_and_descriptors_that_were_given(tmp_path: Path) -> None:
    (tmp_path / "seen.py").write_text(SEEN)
    env = environment(RECONCILER_HOST="alpha")
    mask = os.umask(0o027)
    try:
        assert same(["-x", "a b"], tmp_path, env, "line\n" * 100_000, "seen") == 3
    finally:
        os.umask(mask)


def test_how_it_died_is_told(tmp_path: Path) -> None:
    done = warm.run(["-n1", "import os; os.kill(os.getpid(), 9)"], tmp_path, environment(), module="timeit")

    assert done.returncode == -signal.SIGKILL


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    (tmp_path / "lasting.py").write_text("import time; print('so far', flush=True); time.sleep(60)")
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        warm.run([], tmp_path, environment(), timeout=0.5, module="lasting")

    assert caught.value.output == "so far\n"

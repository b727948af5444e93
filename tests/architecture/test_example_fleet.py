"""The fleet that the demo converges and the docs show is one that loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted(folder.name for folder in (ROOT / "manifests/stacks").iterdir())


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("reconciler")), "validate", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_the_example_fleet_is_valid() -> None:
    done = validate(ROOT / "manifests")

    assert done.returncode == 0, done.stderr


def test_a_mistake_in_the_example_fleet_would_be_found(tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(ROOT / "manifests"), str(tmp_path)], check=True)
    compose = tmp_path / "manifests/stacks/site/compose.yaml"
    compose.write_text(compose.read_text().replace("healthcheck:", "healthchek:"))

    done = validate(tmp_path / "manifests")

    assert done.returncode == 78
    assert "healthchek" in done.stderr + done.stdout


def test_a_mistake_in_a_set_of_the_example_would_be_found(tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(ROOT / "manifests"), str(tmp_path)], check=True)
    file = tmp_path / "manifests/packages/tools.yaml"
    file.write_text(file.read_text().replace("dev-vcs/git", "git"))

    done = validate(tmp_path / "manifests")

    assert done.returncode == 78
    assert "packages/tools.yaml:" in done.stderr + done.stdout


def test_the_example_has_a_set_and_nothing_in_it_is_warned_of() -> None:
    done = validate(ROOT / "manifests")

    assert "package set tools: 3 packages" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_of_the_example_pulls_nothing(stack: str) -> None:
    """Whatever runs in the demo is made on this machine."""
    text = (ROOT / "manifests/stacks" / stack / "compose.yaml").read_text()
    images = [line.split()[1] for line in text.splitlines() if line.strip().startswith("image:")]

    assert images
    assert set(images) == {"reconciler-demo/base:1"}
    assert text.count("pull_policy: never") == len(images)

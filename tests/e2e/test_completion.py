"""Completion in a real bash, from what was fetched last."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cli import Host, environment, host_at, run, stack


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without an engine, whose remote is gone: completion may need neither."""
    made = host_at(tmp_path)
    two = stack() + "  db:\n    image: test/box:1\n"
    made.push({
        "fleet.yaml": made.fleet("  beta: {connect: local, checkout: /opt/beta}\n"),
        "stacks/app/compose.yaml": f"x-reconciler: {{hosts: [alpha]}}\n{two}",
        "stacks/folder/compose.yaml": f"name: media\n{stack()}",
        "stacks/elsewhere/compose.yaml": f"x-reconciler: {{hosts: [beta]}}\n{stack()}",
        "stacks/broken/compose.yaml": "services: [",
    })  # fmt: skip
    made.run("plan")
    made.remote.path.rename(tmp_path / "gone")
    return made


def complete(host: Host | None, line: str) -> list[str]:
    """What bash offers at the end of a line, by the function that it was given for this command."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        'eval "$(reconciler completion bash)"\n'
        "function=$(complete -p reconciler | sed 's/.* -F \\([^ ]*\\) .*/\\1/')\n"
        f"COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}\n"
        "$function reconciler\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    config = {"RECONCILER_CONFIG": str(host.config)} if host else {}
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment(PATH=path, **config),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return [line for line in done.stdout.splitlines() if line]


def test_commands_and_options_are_completed(host: Host) -> None:
    assert complete(host, "reconciler pl") == ["plan"]
    assert complete(host, "reconciler sentinels ") == ["clear", "list", "show"]
    assert "--detailed-exitcode" in complete(host, "reconciler plan --det")
    assert complete(host, "reconciler schema st") == ["stack"]


def test_targets_are_completed_one_level_further_than_typed(host: Host) -> None:
    assert complete(host, "reconciler plan al") == ["alpha", "alpha/app", "alpha/media"]
    assert complete(host, "reconciler restart alpha/a") == ["alpha/app", "alpha/app/web", "alpha/app/db"]
    assert complete(host, "reconciler logs -f alpha/app/w") == ["alpha/app/web"]
    assert complete(host, "reconciler history alpha/m") == ["alpha/media", "alpha/media/web"]
    assert complete(host, "reconciler shell beta") == []


def test_the_file_of_the_line_is_the_one_that_counts(host: Host) -> None:
    assert complete(None, f"reconciler --config {host.config} pause alpha/m") == ["alpha/media", "alpha/media/web"]


def test_without_a_file_or_a_clone_it_is_silent(host: Host, tmp_path: Path) -> None:
    host.config.write_text("nonsense [")
    assert complete(host, "reconciler plan a") == []
    assert complete(None, f"reconciler --config {tmp_path}/none plan a") == []
    assert complete(host, "reconciler no-such-command x") == []


def test_a_damaged_clone_is_nothing_to_complain_about(host: Host) -> None:
    for pack in (host.state / "repository.git" / "objects").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(b"")

    assert complete(host, "reconciler plan a") == []


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o nosort"), ("zsh", "#compdef"), ("fish", "complete ")]
)
def test_every_shell_has_its_script(shell: str, mark: str) -> None:
    done = run("completion", shell)

    assert (done.code, mark in done.out) == (0, True)


def test_tab_in_an_interactive_bash(host: Host) -> None:
    """As a person does it: typed at a terminal, with the one way on filled in."""
    import pty
    import select

    ours, theirs = pty.openpty()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = environment(PATH=path, RECONCILER_CONFIG=str(host.config), PS1="> ", TERM="dumb")
    bash = subprocess.Popen(
        ["bash", "--norc", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    )
    seen = ""
    try:
        os.write(ours, b'eval "$(reconciler completion bash)"\n\n')
        os.write(ours, b"reconciler histo\t--limit x\n")
        deadline = time.monotonic() + 30
        while "reconciler history --limit x" not in seen and time.monotonic() < deadline:
            if select.select([ours], [], [], 1)[0]:
                seen += os.read(ours, 65536).decode(errors="replace")
    finally:
        bash.kill()
        bash.wait()
        os.close(ours)
        os.close(theirs)

    assert "reconciler history --limit x" in seen

"""The workflows that the manual offers are sound, harmless to forks, and call commands that exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import check_jsonschema
import click
import jsonschema
import pytest
import yamllint.config
import yamllint.linter

from reconciler.cli import cli
from reconciler.cli.frame import Frame
from reconciler.core.document import parse
from reconciler.core.gate.workflows import Push, expect, read_workflow

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "docs/examples").glob("*/*.yml"))
SCHEMA = Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor/github-workflows.json"
STYLE = """
extends: default
rules:
  line-length: {max: 130}
  document-start: disable
  truthy: {check-keys: false}
  comments: {min-spaces-from-content: 1}
  comments-indentation: disable
"""

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")


def read(file: Path) -> Any:
    return parse(file.read_bytes(), file.name)


@pytest.fixture(params=FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def file(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_there_are_examples_for_both_forges() -> None:
    assert {file.parent.name for file in FILES} == {"github", "gitea"}
    assert {file.name for file in FILES} >= {"lint.yml", "test.yml", "secret-scan.yml", "deploy.yml", "checks.yml"}


def test_a_workflow_is_well_formed(file: Path) -> None:
    problems = yamllint.linter.run(file.read_text(), yamllint.config.YamlLintConfig(STYLE))
    assert [str(problem) for problem in problems] == []

    jsonschema.validate(json.loads(json.dumps(read(file))), json.loads(SCHEMA.read_text()))


@pytest.fixture(scope="module")
def actionlint() -> str:
    """It is built where go is; what scripts/test-deps.sh could not get is not there in CI either."""
    here, missing = ROOT / ".tools/actionlint", ROOT / ".tools/actionlint.missing"
    found = str(here) if here.exists() else shutil.which("actionlint")
    if found is None and os.environ.get("CI") and shutil.which("go") and not missing.exists():
        pytest.fail("go is here and actionlint is not: scripts/test-deps.sh was not run")
    if found is None:
        pytest.skip(missing.read_text() if missing.exists() else "actionlint is built with go, which is not here")
    return found


def linted(actionlint: str, file: Path) -> list[str]:
    """What actionlint says; shell scripts are not its business here, whatever else is installed."""
    words = [actionlint, "-no-color", "-oneline", "-shellcheck=", "-pyflakes=", "-config-file", os.devnull, str(file)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


def test_actionlint_has_nothing_to_say(actionlint: str, file: Path) -> None:
    assert linted(actionlint, file) == []


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("steps.plan.outputs.any", "steps.plam.outputs.any", 'property "plam" is not defined'),
        ("needs: ci-gate", "needs: ci-gat", "needs job"),
        ("repository.fork }}", "repository.fork }} && true", "is always evaluated to true"),
        ("timeout-minutes: 10", "timeout-minute: 10", 'unexpected key "timeout-minute"'),
    ],
)
def test_actionlint_notices_a_workflow_that_is_broken(
    actionlint: str, tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    text = (ROOT / "docs/examples/github/deploy.yml").read_text()
    assert right in text
    broken = tmp_path / "deploy.yml"
    broken.write_text(text.replace(right, wrong))

    assert any(says in line for line in linted(actionlint, broken)), linted(actionlint, broken)


def test_a_push_to_main_starts_it_and_our_own_gate_knows(file: Path) -> None:
    workflow = read_workflow(file.read_bytes(), file.name)

    assert expect(workflow, Push("main")).runs == "must run"
    assert expect(workflow, Push("dev")).runs == "must not run"


def test_actions_are_pinned_to_a_commit_and_leave_no_token_behind(file: Path) -> None:
    uses = re.findall(r"uses: (.*)", file.read_text())

    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", each) for each in uses)
    assert file.read_text().count("persist-credentials: false") == len(uses)


def test_every_job_ends_and_runs_are_ordered(file: Path) -> None:
    workflow = read(file)

    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    assert set(workflow["concurrency"]) == {"group", "cancel-in-progress"}


def test_permissions_are_the_least(file: Path) -> None:
    if file.parent.name == "github":  # the others have no such key
        assert read(file)["permissions"] in ({"contents": "read"}, {})


def test_what_a_fork_can_start_has_no_secret_and_no_machine_of_ours(file: Path) -> None:
    workflow, text = read(file), file.read_text()

    assert "pull_request_target" not in text and "workflow_run" not in text and "secrets." not in text
    if "pull_request" in workflow["on"]:
        assert "self-hosted" not in text and "sudo" not in text
    else:
        assert "fork" in workflow["jobs"]["ci-gate"]["if"]


def test_no_text_of_a_stranger_becomes_part_of_a_script(file: Path) -> None:
    scripts = [step["run"] for job in read(file)["jobs"].values() for step in job["steps"] if "run" in step]

    assert [script for script in scripts if "${{" in script] == []


# ---- our own commands


def command_lines() -> list[str]:
    """Of the examples, of what sudo allows, and of the page's own blocks."""
    page = (ROOT / "docs/ci.md").read_text()
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    texts = [file.read_text() for file in FILES] + [text for language, text in blocks if not language]
    lines = [line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = [re.search(r"(?:^|[( /])reconciler ([a-z]+(?:\"[^\"]*\"|[^)|&;>])*)", line) for line in lines]
    return sorted({line[1].strip() for line in found if line})


@pytest.mark.parametrize("line", command_lines())
def test_a_command_line_is_one_that_our_own_program_takes(line: str) -> None:
    arguments = shlex.split(line.replace("$GITHUB_SHA", "4f2c1ab0" * 5))
    group: click.Group = cli
    context = click.Context(group, info_name="reconciler", obj=Frame())
    name, command, rest = group.resolve_command(context, arguments)

    assert name and command
    command.make_context(name, rest, parent=context)


def test_the_commands_of_the_examples_are_found() -> None:
    assert {line.split()[0] for line in command_lines()} >= {"plan", "deploy", "status", "validate", "rollback"}


def test_sudo_allows_what_the_deploy_asks_for_and_no_more() -> None:
    page = (ROOT / "docs/ci.md").read_text()
    allowed = re.findall(r"NOPASSWD: /usr/local/bin/reconciler (\^.*\$)$", page, re.MULTILINE)
    asked = {
        line.replace('"$GITHUB_SHA"', "4f2c1ab0" * 5)
        for file in FILES
        for line in re.findall(r"sudo reconciler ([^)\n]*)", file.read_text())
    }

    assert asked
    assert [line for line in asked if not any(re.fullmatch(rule, line) for rule in allowed)] == []
    more = f"deploy {'a' * 40} --wait-ci 20m --json --config /tmp/mine"
    assert not any(re.fullmatch(rule, more) for rule in allowed)

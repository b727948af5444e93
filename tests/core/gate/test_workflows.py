"""Whether a workflow runs for a push, by its own file: GitHub's rules, and nothing guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.gate.workflows import Push, expect, read_workflow, workflows_of
from reconciler.core.trees import MemoryTree, Symlink

PATH = ".github/workflows/test.yml"
MAIN = Push("main", "mend it", (("src/a.py",),))


def answer(text: str, push: Push = MAIN) -> tuple[str, str]:
    (workflow,) = workflows_of(MemoryTree({PATH: text}), "github")
    expected = expect(workflow, push)
    return expected.runs, expected.reason


def on(events: str) -> str:
    return f"on: {events}\njobs: {{}}\n"


@pytest.mark.parametrize(
    ("events", "runs"),
    [
        ("push", "must run"),
        ("[push, pull_request]", "must run"),
        ("{push: , workflow_dispatch: }", "must run"),
        ("{push: {}}", "must run"),
        ("pull_request", "must not run"),
        ("[workflow_dispatch]", "must not run"),
        ("{workflow_run: {workflows: [x]}, schedule: [{cron: '0 0 * * *'}]}", "must not run"),
        ("{push: {branches: [main]}}", "must run"),
        ("{push: {branches: main}}", "must run"),
        ("{push: {branches: ['**']}}", "must run"),
        ("{push: {branches: [dev, 'release/**']}}", "must not run"),
        ("{push: {branches: ['**', '!main']}}", "must not run"),
        ("{push: {branches: ['!main', '**']}}", "must run"),
        ("{push: {branches: ['!main']}}", "unknown"),
        ("{push: {branches-ignore: [main]}}", "must not run"),
        ("{push: {branches-ignore: ['dev/*']}}", "must run"),
        ("{push: {branches: [main], branches-ignore: [dev]}}", "unknown"),
        ("{push: {tags: ['v*']}}", "must not run"),
        ("{push: {tags-ignore: ['v*']}}", "must not run"),
        ("{push: {tags: ['v*'], branches: [main]}}", "must run"),
        ("{push: {tags: ['v*'], paths: ['src/**']}}", "unknown"),
        ("{push: {paths: ['src/**']}}", "must run"),
        ("{push: {paths: ['docs/**']}}", "must not run"),
        ("{push: {paths: ['**', '!src/**']}}", "must not run"),
        ("{push: {paths: ['!src/**', '**']}}", "must run"),
        ("{push: {paths-ignore: ['src/**']}}", "must not run"),
        ("{push: {paths-ignore: ['docs/**']}}", "must run"),
        ("{push: {paths-ignore: ['**', '!src/**']}}", "unknown"),
        ("{push: {paths: [a], paths-ignore: [b]}}", "unknown"),
        ("{push: {branches: [dev], paths: ['src/**']}}", "must not run"),
        ("{push: {branches: [main], paths: ['docs/**']}}", "must not run"),
        ("{push: {branches: ['[']}}", "unknown"),
        ("{push: {branches: []}}", "unknown"),
        ("{push: {branches: [1.0]}}", "unknown"),
        ("{push: {brunches: [main]}}", "unknown"),
        ("{push: main}", "unknown"),
        ("", "unknown"),
        ("3", "unknown"),
    ],
)
def test_events_and_filters_decide(events: str, runs: str) -> None:
    found, reason = answer(on(events))

    assert (found, bool(reason)) == (runs, True)


@pytest.mark.parametrize(
    "text",
    ["", "- a\n", "on: [push\n", "on: push\non: push\n", "on: !!python/name:x push\n", "true: push\n", "a: &a [*a]\n"],
)
def test_a_file_that_cannot_be_read_is_unknown(text: str) -> None:
    assert answer(text)[0] == "unknown"


def test_a_link_is_not_followed() -> None:
    (workflow,) = workflows_of(MemoryTree({PATH: Symlink("../../x.yml"), "x.yml": "on: push"}), "github")

    assert expect(workflow, MAIN).runs == "unknown"


@pytest.mark.parametrize(
    ("message", "runs"),
    [
        ("mend it [skip ci]", "must not run"),
        ("[ci skip] mend it", "must not run"),
        ("mend it\n\nand [no ci] here", "must not run"),
        ("a [skip actions]", "must not run"),
        ("a [actions skip]", "must not run"),
        ("mend it\n\n\nskip-checks: true", "must not run"),
        ("mend it\n\n\nskip-checks:true\n", "must not run"),
        ("mend it\n\nSigned-off-by: a <a@b>\nskip-checks: true\n", "must not run"),
        ("mend it [Skip CI]", "unknown"),
        ("skip ci", "must run"),
        ("explains skip-checks: true in the middle\n\nof a text", "must run"),
        ("", "must run"),
    ],
)
def test_a_mark_in_the_message_skips(message: str, runs: str) -> None:
    assert answer(on("push"), Push("main", message))[0] == runs


def test_a_workflow_of_other_events_is_no_more_unknown_for_a_strange_mark() -> None:
    assert answer(on("pull_request"), Push("main", "[SKIP CI]"))[0] == "must not run"


def test_one_proof_is_enough_whatever_else_is_unknown() -> None:
    assert answer(on("{push: {branches: [dev]}}"), Push("main", "[SKIP CI]"))[0] == "must not run"
    assert answer(on("{push: {branches: [dev], paths: [a]}}"), Push("main", "", None))[0] == "must not run"


SRC, DOCS = ("src/a.py",), ("docs/a.md",)


@pytest.mark.parametrize(
    ("diffs", "runs"),
    [
        ((SRC,), "must run"),
        ((DOCS,), "must not run"),
        ((SRC, (*SRC, *DOCS)), "must run"),
        ((SRC, DOCS), "unknown"),
        (None, "unknown"),
        (((),), "unknown"),
        ((tuple(f"src/{n}" for n in range(300)),), "must run"),
        ((tuple(f"src/{n}" for n in range(301)),), "unknown"),
    ],
)
def test_paths_are_proof_only_when_every_possible_push_says_the_same(
    diffs: tuple[tuple[str, ...], ...] | None, runs: str
) -> None:
    assert answer(on("{push: {paths: ['src/**']}}"), Push("main", "", diffs))[0] == runs


def test_the_first_folder_that_a_forge_knows_counts() -> None:
    tree = MemoryTree({PATH: on("push"), ".gitea/workflows/a.yaml": on("push"), ".gitea/workflows/notes.md": "x"})

    assert [w.path for w in workflows_of(tree, "github")] == [PATH]
    assert [w.path for w in workflows_of(tree, "gitea")] == [".gitea/workflows/a.yaml"]
    assert [w.path for w in workflows_of(tree, "forgejo")] == [".gitea/workflows/a.yaml"]
    assert workflows_of(tree, "generic") == ()


def test_a_workflow_is_called_by_its_name_else_by_its_file() -> None:
    assert read_workflow(b"name: Lint\non: push", PATH).name == "Lint"
    assert read_workflow(b"on: push", PATH).name == "test.yml"


PATTERN = st.text("ab*?+[]!\\/-", max_size=8)


@given(
    st.sampled_from(["branches", "branches-ignore", "paths", "paths-ignore", "tags"]),
    st.lists(PATTERN, min_size=1, max_size=3),
    st.lists(st.lists(st.text("ab/", min_size=1, max_size=5), max_size=3).map(tuple), max_size=3).map(tuple),
)
def test_whatever_a_file_says_there_is_an_answer(
    key: str, patterns: list[str], diffs: tuple[tuple[str, ...], ...]
) -> None:
    import json

    runs, reason = answer(json.dumps({"on": {"push": {key: patterns}}}), Push("a", "", diffs))

    assert runs in ("must run", "must not run", "unknown")
    assert reason


@given(st.binary(max_size=60))
def test_whatever_bytes_a_file_holds_there_is_an_answer(raw: bytes) -> None:
    (workflow,) = workflows_of(MemoryTree({PATH: raw}), "github")

    assert expect(workflow, MAIN).runs in ("must run", "must not run", "unknown")

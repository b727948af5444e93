"""Whether the workflows of a commit run for a push of it, read from their files at that very commit.

The rules are those of "Workflow syntax for GitHub Actions" and "Skipping workflow runs"; Gitea and Forgejo keep the
same. What they leave open is answered with "unknown", never with a guess.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.core.document import Map, Seq, parse, read_file
from reconciler.core.gate.patterns import UnknownPattern, lets_in, matches
from reconciler.errors import ReconcilerError
from reconciler.model.gate import Expected, Provider
from reconciler.ports import Tree

FOLDERS: dict[Provider, tuple[str, ...]] = {
    "github": (".github/workflows",),
    "gitea": (".gitea/workflows", ".github/workflows"),
    "forgejo": (".forgejo/workflows", ".gitea/workflows", ".github/workflows"),
}
"""Where a provider looks; the first that is there counts."""

MOST_PATHS = 300
"""Path filters see no more of a diff than this."""

NOT_FOR_PUSHES = "it does not run for a push"

_MARKS = re.compile(r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", re.IGNORECASE)
_TRAILER = re.compile(r"(?:\A|\n\n)(?:[\w-]+: ?[^\n]*\n)*(skip-checks: ?true)\s*\Z", re.IGNORECASE)
_FILTERS = ("branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore")

Answer = tuple[bool | None, str]
"""Whether it runs (None: nobody can tell), and why."""


@dataclass(frozen=True, slots=True)
class Push:
    """A branch whose head became this commit.

    `diffs`: the changed paths, once for every commit that may have been the head before, since a repository does not
    tell which one was; None when there are too many.
    """

    branch: str
    message: str = ""
    diffs: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """One file. `pushed`: for pushes at all; `filters`: of that event; `problem`: why it is not understood."""

    path: str
    name: str
    pushed: bool = False
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    problem: str = ""

    def filter(self, name: str) -> tuple[str, ...] | None:
        return dict(self.filters).get(name)

    @property
    def looks_at_paths(self) -> bool:
        """Whether the changed paths are needed to judge it."""
        return self.filter("paths") is not None or self.filter("paths-ignore") is not None


def workflows_of(tree: Tree, provider: Provider) -> tuple[Workflow, ...]:
    """Those of a revision, in the order of their paths."""
    for folder in FOLDERS.get(provider, ()):
        if names := tree.children(folder):
            paths = (posixpath.join(folder, name) for name in names if name.endswith((".yml", ".yaml")))
            return tuple(_in_tree(tree, path) for path in paths)
    return ()


def _in_tree(tree: Tree, path: str) -> Workflow:
    entry = tree.entry(path)
    if entry is None or entry.kind not in ("file", "executable"):
        return Workflow(path, posixpath.basename(path), problem=f"{path} is not a plain file")
    try:
        return read_workflow(read_file(tree, path), path)
    except ReconcilerError as error:
        return Workflow(path, posixpath.basename(path), problem=f"it cannot be read: {error}")


def read_workflow(text: bytes, path: str) -> Workflow:
    """`on` stays text here, whereas a reader of YAML 1.1 takes it for true. BadConfiguration."""
    document = parse(text, path)
    name = posixpath.basename(path)
    if not isinstance(document, Map):
        return Workflow(path, name, problem="it is not a mapping")
    given = document.get("name")
    name = given if isinstance(given, str) and given else name
    events = document.get("on")
    if isinstance(events, str):
        return Workflow(path, name, pushed=events == "push")
    if isinstance(events, Seq):
        return Workflow(path, name, pushed="push" in events)
    if not isinstance(events, Map):
        return Workflow(path, name, problem="it has no `on:` that can be read")
    if "push" not in events:
        return Workflow(path, name)
    filters = events["push"]
    if filters is None:
        return Workflow(path, name, pushed=True)
    if not isinstance(filters, Map):
        return Workflow(path, name, pushed=True, problem="`on: push:` is not a mapping")
    return _filtered(path, name, filters)


def _filtered(path: str, name: str, raw: Map) -> Workflow:
    read: list[tuple[str, tuple[str, ...]]] = []
    for key, value in raw.items():
        patterns = [value] if isinstance(value, str) else value
        texts = isinstance(patterns, list) and patterns and all(isinstance(each, str) for each in patterns)
        if key not in _FILTERS or not texts:
            return Workflow(path, name, pushed=True, problem=f"`on: push: {key}:` is not understood")
        read.append((key, tuple(patterns)))
    return Workflow(path, name, pushed=True, filters=tuple(read))


def expect(workflow: Workflow, push: Push) -> Expected:
    """Whether a push has to start this workflow, and why."""
    runs, reason = _answer(workflow, push)
    words = {True: "must run", False: "must not run", None: "unknown"}
    return Expected(workflow.path, workflow.name, words[runs], reason)  # type: ignore[arg-type]


def _answer(workflow: Workflow, push: Push) -> Answer:
    if workflow.problem:
        return None, workflow.problem
    if not workflow.pushed:
        return False, NOT_FOR_PUSHES
    answers = [_skipped(push.message), *_filters(workflow, push)]
    for runs in (False, None):
        for answer in answers:
            if answer[0] is runs:
                return answer
    return answers[-1]


def _skipped(message: str) -> Answer:
    """A mark that is not spelt as it is documented may or may not count."""
    mark = _MARKS.search(message) or _TRAILER.search(message)
    if mark is None:
        return True, "a push starts it"
    exact = mark[1] == mark[1].lower()
    told = f"the commit's message says {mark[1]}"
    return (False, told) if exact else (None, f"{told}, which may or may not skip it")


def _filters(workflow: Workflow, push: Push) -> Iterator[Answer]:
    try:
        yield _branches(workflow, push.branch)
        if workflow.looks_at_paths:
            yield _paths(workflow, push.diffs)
    except UnknownPattern as error:
        yield None, f"a pattern of its filters is not understood: {error}"


def _branches(workflow: Workflow, branch: str) -> Answer:
    wanted, ignored = workflow.filter("branches"), workflow.filter("branches-ignore")
    if wanted is not None and ignored is not None:
        return None, "it has both branches and branches-ignore, which excludes it from running at all"
    if wanted is not None:
        return _by_branch(lets_in(wanted, branch), wanted, branch)
    if ignored is not None:
        return _by_branch(not any(matches(pattern, branch) for pattern in ignored), ignored, branch)
    if workflow.filter("tags") is not None or workflow.filter("tags-ignore") is not None:
        if workflow.looks_at_paths:
            return None, "whether tags beside paths keep it from running for branches is documented nowhere"
        return False, "it runs for tags only"
    return True, "it runs for every push"


def _by_branch(runs: bool, patterns: Sequence[str], branch: str) -> Answer:
    if patterns and all(pattern.startswith("!") for pattern in patterns):
        return None, "its branches are all excluded ones, which is not allowed"
    return runs, f"it {'runs' if runs else 'does not run'} for the branch {branch}"


def _paths(workflow: Workflow, diffs: tuple[tuple[str, ...], ...] | None) -> Answer:
    wanted, ignored = workflow.filter("paths"), workflow.filter("paths-ignore")
    if wanted is not None and ignored is not None:
        return None, "it has both paths and paths-ignore, which is not allowed"
    if any(pattern.startswith("!") for pattern in ignored or ()):
        return None, "paths-ignore with ! is documented nowhere"
    if diffs is None:
        return None, "it looks at changed paths, and which push brought this commit cannot be told"
    answers = {_by_paths(diff, wanted, ignored) for diff in diffs}
    if answers == {True}:
        return True, "a path that it looks at changed"
    if answers == {False}:
        return False, "no path that it looks at changed"
    return None, "whether a path that it looks at changed depends on what was pushed before"


def _by_paths(diff: tuple[str, ...], wanted: Sequence[str] | None, ignored: Sequence[str] | None) -> bool | None:
    if not 0 < len(diff) <= MOST_PATHS:
        return None
    if wanted is not None:
        return any(lets_in(wanted, path) for path in diff)
    return any(not any(matches(pattern, path) for pattern in ignored or ()) for path in diff)

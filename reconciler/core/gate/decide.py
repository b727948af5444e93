"""What became of the runs of a commit x what should have run x the rules of the fleet -> one answer with its evidence.

Absent is not passed (I14): a run that is not there counts as a pass only when the workflow files prove that there is
none to come, or when the rules of the fleet say so after a settling time.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.core.gate.workflows import NOT_FOR_PUSHES
from reconciler.model.gate import CiRules, CiRun, Evidence, Expected, GateAnswer

POLL = 15.0
"""Seconds after which asking about a run that goes on is worth it."""

_HELD = ("cancelled", "stale")
_NEITHER = ("neutral", "skipped", "warning")


@dataclass(frozen=True, slots=True)
class _Check:
    """One thing that has to be well. `words`: how it is, for a reason."""

    state: Literal["passed", "failed", "pending", "not triggered"]
    words: str
    evidence: Evidence


def decide(
    sha: str, runs: Iterable[CiRun], expected: Sequence[Expected], rules: CiRules, first_seen: float, now: float
) -> GateAnswer:
    """`expected`: one for each workflow file of the commit. `first_seen`, `now`: seconds since the epoch."""
    latest = _latest(runs, expected)
    age = max(0.0, now - first_seen)
    checks = tuple(_required(latest, expected, rules, age) if rules.require else _all(latest, expected, rules, age))
    evidence = tuple(check.evidence for check in checks)
    for state in ("failed", "pending", "passed", "not triggered"):
        if told := [check.words for check in checks if check.state == state]:
            again = now + POLL if state == "pending" else 0.0
            return GateAnswer(sha, state, "; ".join(told), evidence, again)
    return GateAnswer(sha, "not triggered", "no workflow of this commit runs for a push of it")


def _latest(runs: Iterable[CiRun], expected: Iterable[Expected]) -> tuple[CiRun, ...]:
    """The newest of each workflow and of each context; a forge's own statuses are left out where it tells the run."""
    newest: dict[tuple[str, str], CiRun] = {}
    for run in runs:
        key = (run.workflow, "" if run.workflow else run.name)
        if key not in newest or (run.number, run.attempt) >= (newest[key].number, newest[key].attempt):
            newest[key] = run
    told = {posixpath.basename(run.workflow) for run in newest.values() if run.workflow}
    covered = [each for each in expected if posixpath.basename(each.workflow) in told]
    return tuple(
        run for run in newest.values() if run.workflow or not any(_is_status_of(run, each) for each in covered)
    )


def _is_status_of(run: CiRun, workflow: Expected) -> bool:
    """Gitea and Forgejo call the status of a job `<workflow> / <job> (<event>)`."""
    return not run.workflow and run.name.startswith(f"{workflow.name} / ")


def _belongs(run: CiRun, workflow: Expected) -> bool:
    same_file = posixpath.basename(run.workflow) == posixpath.basename(workflow.workflow)
    return same_file if run.workflow else _is_status_of(run, workflow)


def _required(latest: Sequence[CiRun], expected: Sequence[Expected], rules: CiRules, age: float) -> Iterator[_Check]:
    for name in rules.require:
        workflow = next((each for each in expected if _is_named(each.workflow, each.name, name)), None)
        found = [
            run for run in latest if (workflow and _belongs(run, workflow)) or _is_named(run.workflow, run.name, name)
        ]
        if found:
            yield from (_judged(run, rules) for run in found)
        else:
            yield _absent(workflow or _missing(name, rules), rules, age)


def _is_named(path: str, title: str, name: str) -> bool:
    return name == title or bool(path and name in (path, posixpath.basename(path)))


def _missing(name: str, rules: CiRules) -> Expected:
    """A file that the commit does not have cannot run; a context of another system may come at any time."""
    if name.endswith((".yml", ".yaml")) and rules.provider != "generic":
        return Expected(name, name, "must not run", "this commit has no such workflow")
    return Expected("", name, "unknown", "nobody can tell whether it comes")


def _all(latest: Sequence[CiRun], expected: Sequence[Expected], rules: CiRules, age: float) -> Iterator[_Check]:
    """Everything that ran, and whatever should have run."""
    yield from (_judged(run, rules) for run in latest)
    for workflow in expected:
        if not any(_belongs(run, workflow) for run in latest) and workflow.reason != NOT_FOR_PUSHES:
            yield _absent(workflow, rules, age)
    if not latest and not expected and rules.provider != "github":
        yield _absent(Expected("", rules.provider, "unknown", "there is nothing that says what runs"), rules, age)


def _judged(run: CiRun, rules: CiRules) -> _Check:
    name = posixpath.basename(run.workflow) or run.name
    evidence = Evidence(name, run.conclusion or "running", run.id, run.attempt, run.link)
    shown = f"run {run.id}, attempt {run.attempt}" if run.attempt > 1 else f"run {run.id}"
    words = f"{name}: {run.conclusion or 'running'}" + (f" ({shown})" if run.id else "")
    if not run.conclusion:
        return _Check("pending", words, evidence)
    if run.conclusion == "success" or (run.conclusion in _NEITHER and rules.neutral == "pass"):
        return _Check("passed", words, evidence)
    if run.conclusion in _HELD:
        return _Check("pending", f"{words}; it says neither yes nor no: run it again", evidence)
    return _Check("failed", words, evidence)


def _absent(workflow: Expected, rules: CiRules, age: float) -> _Check:
    name = posixpath.basename(workflow.workflow) or workflow.name
    evidence = Evidence(name, f"absent, {workflow.runs}")
    if workflow.runs == "must not run":
        return _Check("not triggered", f"{name}: not triggered, {workflow.reason}", evidence)
    waited = f"no run for {age / 60:.0f} min" if age >= 60 else "no run yet"
    if workflow.runs == "must run":
        late = (
            "; are its runners and Actions on, and was this commit the head of a push?" if age >= rules.settle else ""
        )
        return _Check("pending", f"{name}: {waited}, {workflow.reason}{late}", evidence)
    if age < rules.settle:
        return _Check("pending", f"{name}: {waited}, {workflow.reason}", evidence)
    if rules.unknown == "pass":
        return _Check("not triggered", f"{name}: {waited}, which ci.unknown lets pass ({workflow.reason})", evidence)
    return _Check("pending", f"{name}: {waited}, held by ci.unknown ({workflow.reason})", evidence)

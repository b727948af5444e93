"""The gate of a pass: what continuous integration says about exactly one commit.

The rules that count are those of the revision verified last, when it has any: a commit that changes the rules is
judged by the rules that it changes (I18). Nothing is asked before a back-off is over, and whatever goes wrong is
"unreachable": no pass, and no failure of the commit either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from reconciler.core.fleet_file import ci_of
from reconciler.core.gate.decide import decide
from reconciler.core.gate.workflows import Push, Workflow, expect, workflows_of
from reconciler.errors import BadConfiguration, ReconcilerError
from reconciler.model.gate import CiPage, CiRules, Expected, GateAnswer
from reconciler.ports import Backoff, CiMemory, Clock, ContinuousIntegration, Remembered, Repository, Unanswered

MOST_PARENTS = 50
"""Commits that may have been the head before; with more of them nobody can tell what one push changed."""

MOST_ASKED = 10
"""Commits that one pass asks about; of those of one push a forge only knows the last, and questions are counted."""

_KEPT_PAGES, _KEPT_COMMITS = 40, 200
_LONGEST = 3600.0
_WAIT = 15.0


class Gate:
    """For one pass. `branch`: the one that is followed. `connect`: the provider that rules name; a ReconcilerError
    when it cannot be made, for want of a secret, say.
    """

    def __init__(
        self,
        repository: Repository,
        manifests: str,
        branch: str,
        memory: CiMemory,
        clock: Clock,
        connect: Callable[[CiRules], ContinuousIntegration],
    ) -> None:
        self._repository, self._manifests, self._branch = repository, manifests, branch
        self._memory, self._clock, self._connect = memory, clock, connect
        self._about: set[str] = set()
        self._newest = ""

    def judge(self, sha: str, base: str) -> GateAnswer:
        """`base`: the revision verified last, "" when there is none: then the newest commit, which is asked for first,
        judges those before it as well, and they need a pass. Otherwise what is older than the gate would go past it.

        A commit whose fleet file cannot be read is let through: what reads it next says what is wrong, and deploys
        nothing of it.
        """
        self._newest = self._newest or sha
        rules, note = self._rules(sha, base or self._newest)
        if rules is None:
            return GateAnswer(sha, "not triggered", note or "the fleet has no ci:")
        if rules.provider == "none":
            return GateAnswer(sha, "not triggered", f"ci.provider is none{note}")
        answer = self._asked(sha, base, rules)
        if not base and sha != self._newest and answer.state == "not triggered":
            answer = replace(answer, state="pending", reason=f"{answer.reason}; an older commit needs a pass")
        return replace(answer, reason=f"{answer.reason}{note}") if note else answer

    def _rules(self, sha: str, judge: str) -> tuple[CiRules | None, str]:
        """The rules that count, and what to say when the commit has others. `judge`: whose rules go before its own."""
        own, wrong = self._read(sha)
        before, _ = self._read(judge) if judge != sha and self._repository.has(judge) else (own, "")
        if before is None or before == own:
            return own, wrong
        return before, f" (by the ci: of {judge[:7]}; what this commit says there counts for later ones)"

    def _read(self, sha: str) -> tuple[CiRules | None, str]:
        """The rules of one revision; of the base, too, which an older version may have taken for good."""
        try:
            return ci_of(self._repository.tree(sha), self._manifests), ""
        except BadConfiguration as error:
            return None, f"its fleet file cannot be read: {error}"

    def _asked(self, sha: str, base: str, rules: CiRules) -> GateAnswer:
        now, known = self._clock.now(), self._memory.known()
        if len(self._about | {sha}) > MOST_ASKED:
            return GateAnswer(
                sha, "pending", f"not asked: {MOST_ASKED} commits after it were not let through", again=now
            )
        self._about.add(sha)
        try:
            ci = self._connect(rules)
        except ReconcilerError as error:
            return GateAnswer(sha, "unreachable", _told(error), again=now + _WAIT)
        backoff = known.backoff if known.backoff and known.backoff.source == ci.source else None
        if backoff and now < backoff.until <= now + _LONGEST:  # further away, the clock was set back
            return GateAnswer(sha, "unreachable", backoff.reason, again=backoff.until)
        known = replace(known, seen=_first_seen(known.seen, sha, now))
        try:
            pages = ci.ask(sha, known.pages)
        except Unanswered as error:
            backoff = _backoff(ci.source, error, now, backoff.times if backoff else 0)
            self._memory.remember(replace(known, backoff=backoff))
            return GateAnswer(sha, "unreachable", backoff.reason, again=backoff.until)
        self._memory.remember(Remembered(known.seen, _newest(known.pages, pages)))
        runs = [run for page in pages.values() for run in page.runs]
        return decide(sha, runs, self._expected(sha, base, rules), rules, known.seen[sha], now)

    def _expected(self, sha: str, base: str, rules: CiRules) -> tuple[Expected, ...]:
        """What the workflow files of the commit say; only git is asked."""
        workflows = workflows_of(self._repository.tree(sha), rules.provider)
        if not workflows:
            return ()
        push = Push(self._branch, self._repository.commit(sha).message, self._diffs(sha, base, workflows))
        return tuple(expect(workflow, push) for workflow in workflows)

    def _diffs(self, sha: str, base: str, workflows: tuple[Workflow, ...]) -> tuple[tuple[str, ...], ...] | None:
        """One for every commit that may have been the branch's head before this push, each as forges may count it."""
        if not base or not any(workflow.looks_at_paths for workflow in workflows):
            return None
        parents = self._repository.first_parents(sha, base, MOST_PARENTS + 1)[1:]
        if len(parents) == MOST_PARENTS:
            return None
        return tuple(paths for head in (*parents, base) for paths in self._paths(head, sha))

    def _paths(self, before: str, sha: str) -> set[tuple[str, ...]]:
        """Whether a renamed file counts under its old path as well is documented nowhere."""
        changes = self._repository.changes(before, sha)
        new = tuple(change.path for change in changes)
        return {new, (*new, *(change.old_path for change in changes if change.old_path))}


def _first_seen(seen: Mapping[str, float], sha: str, now: float) -> dict[str, float]:
    """A time in the future is that of a clock that was set back since."""
    kept = dict(list(seen.items())[-_KEPT_COMMITS:])
    return kept | {sha: min(seen.get(sha, now), now)}


def _newest(before: Mapping[str, CiPage], now: Mapping[str, CiPage]) -> dict[str, CiPage]:
    older = {address: page for address, page in before.items() if address not in now}
    return dict([*older.items(), *now.items()][-_KEPT_PAGES:])


def _backoff(source: str, error: Unanswered, now: float, times: int) -> Backoff:
    wait = error.wait if error.told else error.wait * 2 ** min(times, 10)
    return Backoff(source, now + min(wait, _LONGEST), times + 1, _told(error))


def _told(error: ReconcilerError) -> str:
    return f"{error.what}: {error.why}; next: {error.next} [{error.code}]"

"""Where a pass aims: the branch is fetched, and of its commits one is chosen that may be deployed.

Four things can be in a commit's way: it was blocked, passes died at it, nobody who is trusted signed it, and continuous
integration has not passed it. The gate comes last, for it may cost a question to somebody else's server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconciler.convergence.gather import Gather
from reconciler.convergence.world import Request, World
from reconciler.core.target import Candidate, Target, block_of, check_ancestry, choose_target, none_yet
from reconciler.core.wanted import digest
from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.gate import GateAnswer
from reconciler.model.report import Block

ATTEMPTS = 3
"""So many passes on one boot may die at a revision; then it is blocked."""
_FAR = 50
"""How many commits back a pass looks for one that may be deployed."""
_NO_NAME = "0" * 40


class Aim:
    """`base`: the revision verified last, "" when there is none. Changes nothing but what a fetch changes.

    `deadly`: the candidates at which passes died, to be blocked.
    """

    def __init__(self, world: World, gather: Gather, request: Request, base: str) -> None:
        self._world, self._gather, self._request, self.base = world, gather, request, base
        self.deadly: list[Block] = []

    def target(self) -> Target:
        """What this pass goes for. Raises Terminal when there is nothing, or the asked-for commit may not be deployed.

        `revision` is "" when all there is waits for its gate.
        """
        if self._request.command == "rollback":
            return self._back_to(self._request.revision)
        self._world.progress.phase("fetch")
        return self.choose(self._world.repository.fetch(self._request.run))

    def choose(self, head: str) -> Target:
        """The target when the branch is at `head`, without a fetch."""
        asked = self._request.revision
        if asked:
            self._check_on_branch(asked, head)
        elif self.base:
            self._check_ancestry(head)
        if asked and asked != self.base and self._deployed_already(asked):
            newer = f"{self.base[:7]} is newer and runs already"
            return Target(self.base, newer, superseded=True)
        if asked:
            return self._exactly(asked)
        target = choose_target(self._candidates(head), self.base)
        if not target.revision and not target.gate:
            found = self._candidate(head)
            raise none_yet(head, target.reason, target.block) if found.failed else _may_not(found)
        return target

    def _back_to(self, asked: str) -> Target:
        """What is blocked is no way back either. The block of what runs does not count: it may want the same."""
        blocks = tuple(block for block in self._world.signals.blocks() if not block.holds_for(self.base))
        if found := self._blocked(asked, blocks):
            raise _may_not(found)
        return Target(asked, f"back to it: {self._request.reason}")

    def _exactly(self, asked: str) -> Target:
        found = self._candidate(asked)
        if found.obstacle:
            raise _may_not(found)
        return Target(asked, f"asked for by {self._request.actor}", gate=found.gate)

    def _deployed_already(self, asked: str) -> bool:
        return bool(self.base) and self._world.repository.is_descendant(self.base, asked)

    def _check_on_branch(self, asked: str, head: str) -> None:
        """What is not on the branch is nobody's to deploy: a fork's pull request has commits, too."""
        repository = self._world.repository
        if not repository.has(asked) or not repository.is_descendant(head, asked):
            raise Terminal(
                "E-DEPLOY-BRANCH",
                f"{asked[:7]} is not on the branch, whose head is {head[:7]}",
                why="only what the branch holds is deployed, whoever asks",
                next="push it to the branch first",
            )
        if self.base and not self._deployed_already(asked) and not self._accepted(asked):
            check_ancestry(asked, self.base, descends=repository.is_descendant(asked, self.base))

    def _check_ancestry(self, head: str) -> None:
        if not self._accepted(head):
            check_ancestry(head, self.base, descends=self._world.repository.is_descendant(head, self.base))

    def _accepted(self, sha: str) -> bool:
        """Whether a person took a rewritten branch for good, and this commit is on what was rewritten."""
        repository, accepted = self._world.repository, self._world.signals.accepted()
        return bool(accepted) and repository.has(accepted) and repository.is_descendant(sha, accepted)

    def _candidates(self, head: str) -> Iterator[Candidate]:
        yield self._candidate(head)
        for sha in self._world.repository.first_parents(head, self.base, _FAR)[1:]:
            yield self._candidate(sha)

    def _candidate(self, sha: str) -> Candidate:
        if blocked := self._blocked(sha, self._world.signals.blocks()):
            return blocked
        if sha == self.base:
            return Candidate(sha)
        if why := self._died_at(sha):
            return Candidate(sha, why, failed=True)
        if why := self._world.trust.obstacle(sha, self.base):
            return Candidate(sha, why, untrusted=True)
        answer = self._judged(sha)
        return Candidate(sha, "" if answer.open else f"{sha[:7]}: CI {answer.state}: {answer.reason}", gate=answer)

    def _judged(self, sha: str) -> GateAnswer:
        answer = self._world.gate.judge(sha, self.base)
        if answer.open or not self._request.override:
            return answer
        reason = f"overridden by {self._request.actor}: {self._request.override} (CI {answer.state}: {answer.reason})"
        return replace(answer, overridden=True, reason=reason)

    def _blocked(self, sha: str, blocks: tuple[Block, ...]) -> Candidate | None:
        block = self._block_of(sha, blocks)
        if block is None:
            return None
        same = "" if block.holds_for(sha) else f" as {block.name[:7]} is, which wants the same"
        return Candidate(sha, f"{sha[:7]} is blocked{same}: {block.reason}", failed=True, block=block.name)

    def _block_of(self, sha: str, blocks: tuple[Block, ...]) -> Block | None:
        tree = self._world.repository.tree_id(sha) if any(block.tree for block in blocks) else ""
        return block_of(sha, blocks, tree, lambda: self.wanted(sha))

    def wanted(self, sha: str) -> str:
        """What a revision wants of this host, as a digest; "" when its manifests are no good."""
        try:
            _, desired, facts, _ = self._gather.desired(sha, self._world.identity.owner(sha), _NO_NAME)
            return digest(desired, facts, self._world.repository.tree_id(sha))
        except ReconcilerError:
            return ""

    def block(self, sha: str, reason: str) -> Block:
        """A block for this commit and for whatever is the same."""
        return Block(sha, reason, self._request.run, self._world.repository.tree_id(sha), self.wanted(sha))

    def _died_at(self, sha: str) -> str:
        """Three passes that never came to a verdict are one: it takes the host down, or hangs (I16)."""
        world = self._world
        if world.ledger.attempts(sha, world.clock.boot()) < ATTEMPTS:
            return ""
        reason = f"{ATTEMPTS} passes died at it"
        self.deadly.append(self.block(sha, reason))
        return f"{sha[:7]} is blocked: {reason}"


def _may_not(candidate: Candidate) -> Terminal:
    gate, sha = candidate.gate, candidate.revision
    if gate is None:
        clear = f"push a commit that mends it, or: reconciler sentinels clear {candidate.block or sha}"
        sign = "sign it and push again, or name its signer in trust.allowed_signers of this host's own file"
        code, advice = ("E-BLOCKED", clear) if candidate.failed else ("E-TRUST", sign)
        return Terminal(code, candidate.obstacle, next=advice, unchanged="everything")
    code = {"failed": "E-CI-FAILED", "pending": "E-CI-PENDING"}.get(gate.state, "E-CI-UNREACHABLE")
    links = ", ".join(each.link for each in gate.evidence if each.link)
    return Terminal(
        code,
        f"{sha[:7]} may not be deployed: CI {gate.state}",
        why=f"{gate.reason}{f' ({links})' if links else ''}",
        next="mend it and push; wait for it with --wait-ci 20m; or, knowing better, --override-ci REASON",
        unchanged="everything",
    )

"""Which revision a pass goes for, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reconciler.errors import Terminal
from reconciler.model.gate import GateAnswer
from reconciler.model.report import Block


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit newer than the one verified last. `obstacle`: why it may not be deployed; "" when it may.

    `failed`: it was tried. Then nothing older is tried in its stead: that was never meant to run by itself, and the
    same fault is likely in it. `block`: the name of the one that holds for it, "" when none does. `untrusted`: nobody
    whom this host trusts has signed it.
    """

    revision: str
    obstacle: str = ""
    failed: bool = False
    block: str = ""
    gate: GateAnswer | None = None
    untrusted: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """`revision` is "" when there is none; `held` says why the head is not followed, "" when it is.

    `gate`: what continuous integration says about the head, when it was asked. `superseded`: a newer one was deployed.
    `block`: the name of the block that holds for the head. `untrusted`: the head is held because of who signed it.
    `is_head`: it is known to be the head of the branch.
    """

    revision: str
    reason: str
    held: str = ""
    gate: GateAnswer | None = None
    superseded: bool = False
    block: str = ""
    untrusted: bool = False
    is_head: bool = False


def choose_target(candidates: Iterable[Candidate], verified: str) -> Target:
    """The newest candidate without an obstacle, else the revision verified last, so that drift is still healed.

    `candidates`: newest first, the head of the branch among them; asked for one by one, since to ask costs.
    """
    head: Candidate | None = None
    for candidate in candidates:
        head = head or candidate
        if not candidate.obstacle:
            held = head.obstacle
            reason = f"newest that may be deployed; {held}" if held else "head of the branch"
            return Target(
                candidate.revision, reason, held, head.gate, untrusted=head.untrusted, is_head=candidate is head
            )
        if candidate.failed:
            break
    if head is None:
        return Target(verified, "verified last")
    return Target(verified, head.obstacle, head.obstacle, head.gate, block=head.block, untrusted=head.untrusted)


def none_yet(head: str, why: str, block: str = "") -> Terminal:
    """The branch has nothing that may run, and nothing ever ran."""
    return Terminal(
        "E-BLOCKED",
        f"{head[:7]} is blocked, and no revision was verified before it",
        why=why,
        next=f"push a commit that mends it, or: reconciler sentinels clear {block or head}",
    )


def check_ancestry(head: str, verified: str, *, descends: bool) -> None:
    """A branch that was rewritten is never followed silently (I5)."""
    if not descends:
        raise Terminal(
            "E-REWRITTEN",
            f"the branch is at {head[:7]}, which does not descend from {verified[:7]}",
            why=f"{verified[:7]} was verified last; somebody rewrote the branch, or the remote is another repository",
            next=f"push a branch that holds it; if the rewrite is meant: reconciler accept {head}",
            unchanged=f"everything still runs as of {verified[:7]}",
        )


def block_of(revision: str, blocks: Iterable[Block], tree: str, desired: Callable[[], str]) -> Block | None:
    """The block that holds for a commit: by its own name, by the same files, or by wanting the same of this host.

    `desired` is only asked when some block knows what was wanted. An amended commit, or one that only touches words on
    top of a bad one, is as bad (I3).
    """
    blocks = [block for block in blocks if not block.name.startswith("image-")]
    for block in blocks:
        if block.holds_for(revision) or (block.tree and block.tree == tree):
            return block
    wanted = desired() if any(block.desired for block in blocks) else ""
    return next((block for block in blocks if wanted and block.desired == wanted), None)

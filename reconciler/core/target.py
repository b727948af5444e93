"""Which revision a pass goes for, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.errors import Terminal


@dataclass(frozen=True, slots=True)
class Target:
    """`held`: the head is not followed; `reason` says why."""

    revision: str
    reason: str
    held: bool = False


def choose_target(head: str, verified: str, blocked: Mapping[str, str]) -> Target:
    """The head, unless it is blocked; then the revision verified last, so that drift is still healed.

    Raises Terminal when the head is blocked and nothing was ever verified.
    """
    if head not in blocked:
        return Target(head, "head of the branch")
    if verified:
        return Target(verified, f"{head[:7]} is blocked: {blocked[head]}", held=True)
    raise Terminal(
        "E-BLOCKED",
        f"{head[:7]} is blocked, and no revision was verified before it",
        why=blocked[head],
        next=f"push a commit that mends it, or: reconciler sentinels clear {head}",
    )


def check_ancestry(head: str, verified: str, *, descends: bool) -> None:
    """A branch that was rewritten is never followed silently (I5)."""
    if not descends:
        raise Terminal(
            "E-REWRITTEN",
            f"the branch is at {head[:7]}, which does not descend from {verified[:7]}",
            why=f"{verified[:7]} was verified last; somebody rewrote the branch, or the remote is another repository",
            next=f"push a branch that holds it; if the rewrite is meant, write {head} into last-successful-deploy-sha",
            unchanged=f"everything still runs as of {verified[:7]}",
        )

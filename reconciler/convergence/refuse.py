"""What must not happen ends here, before anything was touched."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.convergence.gather import Picture
from reconciler.convergence.migrations import Due
from reconciler.convergence.world import World
from reconciler.core import guard
from reconciler.core.guard import Policy
from reconciler.core.migrations import refuse_untrusted
from reconciler.errors import Refused


def refuse(
    world: World, policy: Policy, picture: Picture, blocked: Collection[str], migrating: Due | None = None
) -> None:
    """Raises Refused for what the guard, or a file in the way of the check-out, forbids."""
    guard.check(picture.desired, picture.wants, picture.observed, picture.plan, policy, picture.ground, blocked)
    for stack in migrating.stacks if migrating else ():
        refuse_untrusted(stack, policy.allow_privileged)
    if obstacles := world.repository.checkout_obstacles(picture.desired.revision, picture.desired.checkout):
        raise Refused(
            "E-CHECKOUT-UNTRACKED",
            f"untracked files are in the way: {', '.join(obstacles[:5])}",
            why=f"git wants to write them below {picture.desired.checkout}, and what lies there is not from git",
            next="move them away, or take them out of the repository",
        )

"""After a way back: whether what serves again is well. A short look, since there is no second way."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.convergence.gather import Gather
from reconciler.convergence.observe import listed
from reconciler.convergence.verify import Verify
from reconciler.convergence.wait import Awaited, Waiting
from reconciler.convergence.world import Rules, World
from reconciler.core.planner import serving
from reconciler.core.wanted import wants
from reconciler.errors import ReconcilerError
from reconciler.model.observed import Container, Slot


def smoke(
    world: World,
    rules: Rules,
    gather: Gather,
    waiting: Waiting,
    base: str,
    owner: str,
    restored: Collection[str],
) -> str:
    """What is not well of the base revision, in words; "" when all is. `restored`: names of containers."""

    def now() -> dict[Slot, Container]:
        return serving(listed(world.engine, world.adoptions, rules.site.host, owner), owner)

    try:
        _, desired, facts, _ = gather.desired(base, owner)
        wanted = wants(desired, facts)
        back = [(slot, c) for slot, c in now().items() if c.name in restored and slot in wanted]
        failures = waiting.until_started(Awaited(slot, c.id, wanted[slot].job) for slot, c in back)
        sick = [failure.what for failure in failures.values()]
        probed = Verify(world, rules.policy, desired, wanted, now).smoke()
    except ReconcilerError as error:
        return error.what
    return "; ".join([*sick, *filter(None, [probed])])

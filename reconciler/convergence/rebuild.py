"""A ledger that was lost begins again with what survives it: the stamp, and the blocks."""

from __future__ import annotations

from reconciler.convergence.told import Told
from reconciler.convergence.world import World
from reconciler.core.counting import count
from reconciler.model.report import Run


def rebuild(world: World, host: str, run: str) -> None:
    """Write into an empty ledger what was verified last, and that it is new; `run`: the one that found it so."""
    ledger, stamp = world.ledger, world.signals.stamp()
    if loss := ledger.loss:
        world.progress.say(f"the ledger was unusable ({loss.why}); a new one begins, the old is {loss.aside}")
    if not ledger.fresh or not stamp:
        return
    why = f"it was unusable: {ledger.loss.why}" if ledger.loss else "there was none"
    blocks = count(len(world.signals.blocks()), "block stands", "blocks stand")
    reason = f"the ledger begins again ({why}); {stamp[:7]} is verified by its stamp, {blocks}"
    begun = world.clock.now()
    ledger.begin(Run(f"{run}-rebuild", "rebuild", "reconciler", stamp, "", begun, host=host))
    ledger.step(Told.verified(f"{run}-rebuild", stamp, begun))
    ledger.finish(f"{run}-rebuild", ended=begun, outcome="unchanged", exit_code=0, reason=reason)

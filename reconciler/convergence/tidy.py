"""What only waited for a verdict goes: kept containers, and networks that nothing uses any more. Volumes stay."""

from __future__ import annotations

from reconciler.convergence.exchange import REFRESH
from reconciler.errors import ReconcilerError
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan
from reconciler.ports import ContainerEngine, Ledger


def tidy(engine: ContainerEngine, ledger: Ledger, observed: Observed, plan: Plan, owner: str) -> None:
    """Runs after verify. First every promise about a container that goes is settled, so that no undo asks for half of
    what was kept."""
    stacks = {s.slot.stack for s in plan.steps} | {s.slot.stack for s in plan.satisfied}
    stacks |= {c.stack for c in plan.leftovers}
    gone = {c.id for c in observed.containers if c.owner == owner and c.role != "current" and c.stack in stacks}
    left = {c.id for c in observed.containers} - gone
    refreshed = {s.current.id for s in plan.steps if s.current}
    for intent in ledger.open_intents():
        if intent.container not in left or (intent.kind == REFRESH and intent.container in refreshed):
            ledger.settle(intent.run, intent.container)
    for container in sorted(gone):
        engine.remove(container)
    for step in plan.networks:
        if step.network is None and step.current:
            remove_unless_used(engine, step.current.id)


def remove_unless_used(engine: ContainerEngine, network: str) -> None:
    """Somebody else's container may still be attached; then it stays, and the next pass tries again."""
    try:
        engine.remove_network(network)
    except ReconcilerError:
        return

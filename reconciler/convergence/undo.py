"""New services of a revision that is given up go again; services that were replaced are put back elsewhere."""

from __future__ import annotations

from reconciler.convergence.exchange import grace
from reconciler.model.observed import Observed
from reconciler.model.plan import Action, Plan
from reconciler.ports import ContainerEngine


def discard_new(engine: ContainerEngine, plan: Plan, observed: Observed) -> None:
    """Containers that this plan created from nothing."""
    created = {step.spec.name: step.spec for step in plan.steps if step.action is Action.CREATE and step.spec}
    for container in observed.containers:
        spec = created.get(container.name)
        if spec and container.fingerprint == spec.fingerprint:
            if container.running:
                engine.stop(container.id, grace(container))
            engine.remove(container.id)

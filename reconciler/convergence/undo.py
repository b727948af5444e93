"""What a revision that is given up has made goes again; services that were replaced are put back elsewhere."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.convergence.exchange import grace
from reconciler.model.observed import Observed
from reconciler.model.plan import Action, Plan
from reconciler.ports import ContainerEngine


def discard_made(
    engine: ContainerEngine, plan: Plan, before: Observed, now: Observed, stacks: Collection[str], *, created: bool
) -> None:
    """Containers of `plan` that were not there `before`, of some stacks or of all when none is named.

    A replacement may have another name than the old one, so names alone do not find them. With `created` False new
    services that came into service stay: there is nothing that they took the place of.
    """
    known = {container.id for container in before.containers}
    actions = {step.slot: step.action for step in plan.steps if step.starts_new and step.spec}
    for container in now.containers:
        if container.id in known or container.slot not in actions or (stacks and container.stack not in stacks):
            continue
        if created or container.role == "new" or actions[container.slot] is not Action.CREATE:
            if container.running:
                engine.stop(container.id, grace(container))
            engine.remove(container.id)

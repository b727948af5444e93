"""New services of a revision that is given up go again; services that were replaced are put back elsewhere."""

from __future__ import annotations

from reconciler.convergence.exchange import grace
from reconciler.model.observed import Observed
from reconciler.model.plan import Action, Plan
from reconciler.ports import ContainerEngine


def discard_new(engine: ContainerEngine, plan: Plan, observed: Observed) -> None:
    """Containers and networks that this plan made from nothing; volumes stay, there may be data in them by now."""
    created = {step.spec.name: step.spec for step in plan.steps if step.action is Action.CREATE and step.spec}
    for container in observed.containers:
        spec = created.get(container.name)
        if spec and container.fingerprint == spec.fingerprint:
            if container.running:
                engine.stop(container.id, grace(container))
            engine.remove(container.id)
    made = {step.network.name for step in plan.networks if step.network and not step.current}
    for network in observed.networks:
        if network.name in made and network.owner:
            engine.remove_network(network.id)

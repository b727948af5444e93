"""Networks are made with labels that show whose they are, and made again as they were when a change is taken back."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.fingerprint import network_fingerprint
from reconciler.model import labels
from reconciler.model.desired import Network, Stack
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan
from reconciler.ports import ContainerEngine


def make_network(engine: ContainerEngine, network: Network, stack: str, owner: str) -> None:
    ours = {labels.OWNER: owner, labels.FINGERPRINT: network_fingerprint(network)}
    engine.create_network(network, {**ours, labels.PROJECT: stack, labels.NETWORK: network.key})


def restore_networks(
    engine: ContainerEngine, plan: Plan, stacks: Iterable[Stack], observed: Observed, owner: str
) -> None:
    """Networks that this plan, or a dead pass before it, removed are made as `stacks` define them.

    Nothing runs on them at this moment. What a dead pass removed this plan has made from nothing, and given up again.
    """
    removed = {step.current.name: step.current.id for step in plan.networks if step.current and step.goes_first}
    made = {step.network.name for step in plan.networks if step.network and not step.current}
    live = {network.name: network.id for network in observed.networks}
    for stack in stacks:
        for network in stack.networks:
            other = network.name in removed and live.get(network.name) != removed[network.name]
            if other and network.name in live:
                engine.remove_network(live[network.name])
            if other or (network.name in made and network.name not in live):
                make_network(engine, network, stack.name, owner)

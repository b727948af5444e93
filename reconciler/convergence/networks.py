"""Networks are made with the labels that show whose they are, and made again as before when a change is taken back."""

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
    """Networks that this plan made anew get the definition of `stacks` again; nothing runs on them at this moment."""
    remade = {step.network.name: step.current.id for step in plan.networks if step.network and step.current}
    live = {network.name: network.id for network in observed.networks}
    for stack in stacks:
        for network in stack.networks:
            if network.name in remade and live.get(network.name) != remade[network.name]:
                if network.name in live:
                    engine.remove_network(live[network.name])
                make_network(engine, network, stack.name, owner)

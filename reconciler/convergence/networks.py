"""Networks are made with labels that show whose they are, and made again as they were when a change is taken back."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.convergence.tidy import remove_unless_used
from reconciler.core.adoption import unlike_network
from reconciler.core.fingerprint import network_fingerprint
from reconciler.model import labels
from reconciler.model.desired import Network, Stack
from reconciler.model.observed import Observed, ObservedNetwork
from reconciler.ports import ContainerEngine


def make_network(engine: ContainerEngine, network: Network, stack: str, owner: str) -> None:
    ours = {labels.OWNER: owner, labels.FINGERPRINT: network_fingerprint(network)}
    engine.create_network(network, {**ours, labels.PROJECT: stack, labels.NETWORK: network.key})


def restore_networks(engine: ContainerEngine, stacks: Iterable[Stack], observed: Observed, owner: str) -> None:
    """Networks of our containers are as `stacks` define them again, and ours that they do not know go.

    What is there decides, not a plan: a pass that died may have removed and made some before the one that is taken
    back. Nothing runs on them at this moment.
    """
    stacks = tuple(stacks)
    known = {network.name for stack in stacks for network in stack.networks}
    for stray in observed.networks:
        if stray.owner == owner and stray.name not in known:
            remove_unless_used(engine, stray.id)
    attached = {name for container in observed.containers if container.owner == owner for name in container.networks}
    live = {network.name: network for network in observed.networks}
    for stack in stacks:
        for network in stack.networks:
            if not network.external and network.name in attached:
                _restore(engine, network, stack.name, live.get(network.name), owner)


def _restore(engine: ContainerEngine, network: Network, stack: str, live: ObservedNetwork | None, owner: str) -> None:
    if live is None:
        make_network(engine, network, stack, owner)
    elif live.owner == owner and unlike_network(network, live):
        engine.remove_network(live.id)
        make_network(engine, network, stack, owner)

"""The least that a host's own file has to allow, so that what runs today may go on as it does.

The guard itself is asked, so that nothing is proposed that a pass would not ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.core.guard import Ask, Policy, asks, paths
from reconciler.model.desired import Desired

Allows = Callable[[str, tuple[Ask, ...]], bool]
"""Takes the name of a stack or a folder, and all who ask for it; whether the host grants it."""


@dataclass(frozen=True, slots=True)
class Granted:
    """`refused`: what a pass will ask for, and not be given."""

    policy: Policy
    refused: tuple[Ask, ...]


def grant(desired: Desired, policy: Policy, real: Callable[[str], str], stack: Allows, mount: Allows) -> Granted:
    """`policy` with what `stack` and `mount` allow of what is asked for; each is decided once.

    A privileged stack may mount what it likes, so stacks come first.
    """
    decided: set[str] = set()
    while True:
        known = {path: real(path) for path in paths(desired, policy)}
        asked = tuple(asks(desired, policy, known))
        powers = [ask for ask in asked if not ask.mount and ask.service.stack not in decided]
        folders = [ask for ask in asked if ask.mount and f"mount {ask.mount}" not in decided]
        if powers:
            name = powers[0].service.stack
            decided.add(name)
            if stack(name, tuple(ask for ask in powers if ask.service.stack == name)):
                policy = replace(policy, allow_privileged=(*policy.allow_privileged, name))
        elif folders:
            folder = folders[0].mount
            decided.add(f"mount {folder}")
            if mount(folder, tuple(ask for ask in folders if ask.mount == folder)):
                policy = replace(policy, allow_host_mounts=(*policy.allow_host_mounts, folder))
        else:
            return Granted(policy, asked)

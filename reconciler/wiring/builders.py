"""The build swarm that a pass hands package sets to."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from reconciler.model.settings import Settings
from reconciler.ports import BuildSwarm

if TYPE_CHECKING:
    from reconciler.model.queue import Answer, RequestView, Stored
    from reconciler.model.sets import Submission
    from reconciler.model.swarm import Request

PATIENCE = 5.0
"""Seconds that a pass waits for one answer at most; commands of people wait for `swarm.deadline`."""


def make_build_swarm(settings: Settings) -> BuildSwarm | None:
    """None on a host that knows no orchestrator; nothing is loaded, read or asked before the first question."""
    swarm = settings.swarm
    if not swarm.url:
        return None

    def made() -> BuildSwarm:
        from reconciler.adapters.swarm.build_swarm import HttpBuildSwarm

        return HttpBuildSwarm(swarm.url, token_of(settings), min(swarm.deadline, PATIENCE))

    return _LateSwarm(swarm.url, made)


def token_of(settings: Settings) -> str:
    """What stands in the environment, else the secret that `swarm.token` names; Terminal when it cannot be read."""
    if (given := os.environ.get("SWARM_ADMIN_KEY", "").strip()) or not settings.swarm.token:
        return given
    from reconciler.adapters.secrets import SecretStore

    return SecretStore(settings.config_directory).read_words(settings.swarm.token)


class _LateSwarm(BuildSwarm):
    """Made when somebody asks: most passes have no set."""

    def __init__(self, address: str, make: Callable[[], BuildSwarm]) -> None:
        self._address, self._made = address, cache(make)

    @property
    def address(self) -> str:
        return self._address

    def stored(self, binhost: str, profile: str) -> Sequence[Stored]:
        return self._made().stored(binhost, profile)

    def requests(self, origin: str) -> Sequence[Request]:
        return self._made().requests(origin)

    def request(self, id: str) -> RequestView:
        return self._made().request(id)

    def synced(self, profile: str) -> float:
        return self._made().synced(profile)

    def submit(self, wanted: Submission) -> Answer:
        return self._made().submit(wanted)

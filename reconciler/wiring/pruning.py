"""What the binhost forgets, now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.errors import ReconcilerError
from reconciler.model.settings import Serve
from reconciler.model.swarm import Request
from reconciler.swarm.binhost.retention import Retention, wanted_by_sets

EVERY = 3600.0
"""Seconds."""
GRACE = 86400.0
"""Seconds for which a package that left the index stays on the disk: clients that read it before still ask for it."""

NOTICE, WARNING = 5, 4


class Pruning:
    """One look at every profile; nothing that goes wrong in it ends the caller."""

    def __init__(
        self,
        binhost: BinhostFolder,
        requests: Callable[[], Sequence[Request]],
        serve: Serve,
        say: Callable[[str, int], None],
    ) -> None:
        self._binhost, self._requests, self._serve, self._say = binhost, requests, serve, say

    def __call__(self) -> None:
        self.tell_losses()
        try:
            requests = self._requests()
            for profile in self._binhost.profiles():
                wanted = wanted_by_sets(requests, profile)
                retention = Retention(self._serve.keep_builds, self._serve.keep_versions, wanted)
                for path, why in self._binhost.prune(profile, retention, GRACE):
                    self._say(f"{profile}/{path} leaves the binhost: {why}", NOTICE)
        except ReconcilerError as error:
            self._say(f"{error}: {error.why}", WARNING)

    def tell_losses(self) -> None:
        """What the binhost could not mend: each once."""
        while self._binhost.losses:
            self._say(self._binhost.losses.pop(0), WARNING)

"""Keys that say something to a swarm, or to whoever sits before `docker compose up`, and nothing to a Docker host.

Compose passes over them as well. They are checked for their shape, and a warning says that nothing comes of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.compose import keys, read
from reconciler.core.compose.problems import check_keys, want_map
from reconciler.core.document import Map
from reconciler.core.mistakes import Mistakes, Reader

_HERE = "has no effect on a plain Docker host"
_WHY = {
    "attach": "has no effect here: nobody sits before the output",
    "develop": "has no effect here: it is for docker compose watch",
    "labels": f"{_HERE}: those of containers are written under the service's own labels:",
    "max_failure_ratio": "has no effect here: one container that does not come up is a failure",
    "rollback_config": "has no effect here: a rollback goes the way of update_config",
}


def _rollback(holder: Map, key: str) -> None:
    given = want_map(holder[key], holder.at(key), key)
    check_keys(given, keys.UPDATE, key)


SERVICE: Mapping[str, Reader] = {
    "attach": read.boolean,
    "develop": lambda holder, key: want_map(holder[key], holder.at(key), key),
}
DEPLOY: Mapping[str, Reader] = {
    "endpoint_mode": lambda holder, key: read.choice(holder, key, ("vip", "dnsrr")),
    "labels": read.pairs,
    "rollback_config": _rollback,
}
RESTART_POLICY: Mapping[str, Reader] = {"delay": read.duration, "window": read.duration}
UPDATE: Mapping[str, Reader] = {"max_failure_ratio": read.real}


def warn(holder: Map, readers: Mapping[str, Reader], warnings: dict[str, None]) -> None:
    """Check those of the keys that are given, and warn of each."""
    with Mistakes() as mistakes:
        for key in mistakes.given(readers, holder):
            warnings[f"{holder.key_at(key)}: {key} {_WHY.get(key, _HERE)}"] = None

"""A container for one command: made, run to its end, and removed again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.ports import Clock, ContainerEngine

_KEPT_LINES = 1000
_FIRST_LOOK, _LAST_LOOK = 0.05, 1.0
_GRACE = 10.0


def run_once(
    engine: ContainerEngine,
    clock: Clock,
    name: str,
    body: Mapping[str, Any],
    networks: Iterable[str],
    platform: str,
    timeout: float,
) -> tuple[int | None, str]:
    """Exit code and the end of its output; None when it had to be ended after `timeout` seconds.

    `networks`: all that it joins, the one of its create request among them.
    """
    container = engine.create(name, body, platform)
    try:
        for network in networks:
            if network != body["HostConfig"].get("NetworkMode"):
                engine.connect(network, container, {})
        engine.start(container)
        code = _wait(engine, clock, container, timeout)
        if code is None:
            engine.stop(container, _GRACE)
        return code, "\n".join(engine.logs(container, _KEPT_LINES))
    finally:
        engine.remove(container)


def _wait(engine: ContainerEngine, clock: Clock, container: str, timeout: float) -> int | None:
    """One that was removed meanwhile counts as failed."""
    until, pause = clock.now() + timeout, _FIRST_LOOK
    while True:
        seen = engine.look([container])
        if not seen or seen[0].state in ("exited", "dead"):
            return seen[0].exit_code if seen else 137
        if clock.now() > until:
            return None
        clock.sleep(pause)
        pause = min(_LAST_LOOK, pause * 1.5)

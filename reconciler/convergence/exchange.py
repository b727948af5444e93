"""One container takes another's place.

Forward: the promise is written, the old one's restart policy set to `no`, the old one stopped and renamed
to `<name>.kept-<run>`; the new one gets the name and is started. Backward is the reverse (put_back.py). A reboot
between any two of these starts neither twice, and `recover` finds from the names alone which way to go on.
"""

from __future__ import annotations

from reconciler.model.desired import RestartPolicy
from reconciler.model.observed import Container, kept_name
from reconciler.model.report import Intent
from reconciler.ports import Clock, ContainerEngine, Ledger

NO_RESTART = {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}

REPLACE, REMOVE, STOPPED = "replace", "remove", "-stopped"
REFRESH = "refresh"
"""The kind of a promise to restart a container: a file that it mounts is put back, or what it shares is restarted."""


def grace(container: Container) -> float | None:
    """Seconds that the container asked for; None leaves it to the engine."""
    timeout = container.definition.get("StopTimeout")
    return None if timeout is None else float(timeout)


def policy(container: Container) -> RestartPolicy:
    given = container.definition.get("HostConfig", {}).get("RestartPolicy") or {}
    return RestartPolicy(given.get("Name") or "no", given.get("MaximumRetryCount") or 0)


def is_alive(container: Container) -> bool:
    return container.state in ("running", "restarting", "paused")


def shall_run(container: Container) -> bool:
    """It runs, or its policy says so: then a person or a reboot stopped it, and that is drift."""
    return is_alive(container) or policy(container).name in ("always", "unless-stopped")


def policy_settings(wanted: RestartPolicy) -> dict[str, dict[str, str | int]]:
    return {"RestartPolicy": {"Name": wanted.name, "MaximumRetryCount": wanted.maximum_retries}}


class Exchange:
    """The effects of replacing containers within one run."""

    def __init__(self, engine: ContainerEngine, ledger: Ledger, clock: Clock, run: str) -> None:
        self._engine, self._ledger, self._clock, self._run = engine, ledger, clock, run

    def retire(self, old: Container, kind: str) -> None:
        """Take a container out of service, ready to be put back as it was."""
        alive = is_alive(old)
        promised = kind if shall_run(old) else kind + STOPPED
        self._ledger.intend(Intent(self._run, promised, old.id, old.name, policy(old), self._clock.now()))
        if policy(old).name != "no":
            self._engine.update(old.id, NO_RESTART)
        if old.state == "paused":
            self._engine.unpause(old.id)
        if alive:
            self._engine.stop(old.id, grace(old))
        self._engine.rename(old.id, kept_name(old.name, self._run))

    def promise_refresh(self, container: Container) -> None:
        self._ledger.intend(
            Intent(self._run, REFRESH, container.id, container.name, policy(container), self._clock.now())
        )

    def install(self, new: str, name: str) -> None:
        """Put a made container into service under its name."""
        self._engine.rename(new, name)
        self._engine.start(new)

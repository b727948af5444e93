"""One container takes another's place, and the way back.

Forward: the promise is written, the old one's restart policy set to `no`, the old one stopped and renamed
to `<name>.kept-<run>`; the new one gets the name and is started. Backward is the reverse. A reboot between
any two of these starts neither twice, and `recover` finds from the names alone which way to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.errors import Terminal, Transient
from reconciler.model.desired import RestartPolicy
from reconciler.model.observed import Container, Observed, is_made, kept_name, service_name
from reconciler.model.report import Intent
from reconciler.ports import Clock, ContainerEngine, Ledger

NO_RESTART = {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}

REPLACE, REMOVE, STOPPED = "replace", "remove", "-stopped"
REFRESH = "refresh"
"""The kind of a promise to restart a container because a file that it mounts is put back."""


def grace(container: Container) -> float | None:
    """Seconds that the container asked for; None leaves it to the engine."""
    timeout = container.definition.get("StopTimeout")
    return None if timeout is None else float(timeout)


def policy(container: Container) -> RestartPolicy:
    given = container.definition.get("HostConfig", {}).get("RestartPolicy") or {}
    return RestartPolicy(given.get("Name") or "no", given.get("MaximumRetryCount") or 0)


def policy_settings(wanted: RestartPolicy) -> dict[str, dict[str, str | int]]:
    return {"RestartPolicy": {"Name": wanted.name, "MaximumRetryCount": wanted.maximum_retries}}


class Exchange:
    """The effects of replacing containers within one run."""

    def __init__(self, engine: ContainerEngine, ledger: Ledger, clock: Clock, run: str) -> None:
        self._engine, self._ledger, self._clock, self._run = engine, ledger, clock, run

    def retire(self, old: Container, kind: str) -> None:
        """Take a container out of service, ready to be put back as it was."""
        alive = old.state in ("running", "restarting", "paused")
        promised = kind if alive else kind + STOPPED
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


def put_back(engine: ContainerEngine, ledger: Ledger, intents: Sequence[Intent], observed: Observed) -> None:
    """Keep the promises: whatever took a container's place goes, and the container serves again as before.

    Raises Terminal (E-UNDO) when an old container does not start; it is kept, stopped, for a person.
    """
    containers = {c.id: c for c in observed.containers}
    kept = {intent.container for intent in intents}
    names = {intent.name for intent in intents}
    for container in observed.containers:
        if container.id not in kept and container.owner and service_name(container.name) in names:
            _discard(engine, container)
    alive = [intent for intent in intents if intent.container in containers]
    for intent in alive:
        if containers[intent.container].name != intent.name:
            engine.rename(intent.container, intent.name)
    networks = {network.name: network.id for network in observed.networks}
    for intent in intents:
        if old := containers.get(intent.container):
            _serve_again(engine, old, intent, networks)
        ledger.settle(intent.run, intent.container)


def _discard(engine: ContainerEngine, container: Container) -> None:
    if container.running:
        engine.stop(container.id, grace(container))
    engine.remove(container.id)


def _serve_again(engine: ContainerEngine, old: Container, intent: Intent, networks: dict[str, str]) -> None:
    gone = any(name not in networks for name in old.networks)
    if (
        not intent.kind.endswith(STOPPED) and not old.running and not gone
    ):  # without its network the planner replaces it
        try:
            _reconnect(engine, old, networks)
            engine.start(old.id)
        except (Terminal, Transient) as error:
            raise Terminal(
                "E-UNDO",
                f"the old container {intent.name} could not be started again: {error.what}",
                why=error.why,
                next=f"mend that and start it: docker start {intent.name}",
            ) from error
    if intent.policy != RestartPolicy():
        engine.update(old.id, policy_settings(intent.policy))


def _reconnect(engine: ContainerEngine, old: Container, networks: dict[str, str]) -> None:
    """To networks that were made anew under their old names, at the addresses that were asked for."""
    asked = (old.definition.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    for name, (network_id, aliases) in old.networks.items():
        if networks[name] != network_id:
            engine.disconnect(name, old.id)
            engine.connect(name, old.id, asked.get(name) or {"Aliases": list(aliases)})


def orphaned(observed: Observed, owner: str, known: Iterable[Intent], at: float) -> tuple[Intent, ...]:
    """Promises that a lost ledger forgot, read from the names: kept containers whose place nobody has taken,
    and containers that stand still while a half-made successor waits."""
    ours = [c for c in observed.containers if c.owner == owner]
    promised = {intent.container for intent in known}
    serving = {c.name for c in ours if c.role == "current"}
    awaiting = {service_name(c.name) for c in ours if is_made(c.name)}
    found: list[Intent] = []
    for container in ours:
        name = service_name(container.name)
        vacant = container.role == "kept" and name not in serving
        halted = container.role == "current" and name in awaiting and container.state == "exited"
        if (vacant or halted) and container.id not in promised:
            found.append(Intent("", REPLACE, container.id, name, policy(container), at))
    return tuple(found)

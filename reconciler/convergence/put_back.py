"""The way back: containers that were taken out of service, or were about to be, serve again as before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from reconciler.convergence.exchange import REPLACE, STOPPED, grace, policy, policy_settings, shall_run
from reconciler.errors import ReconcilerError, Terminal, Unreachable
from reconciler.model.desired import RestartPolicy
from reconciler.model.observed import Container, Observed, run_of, service_name
from reconciler.model.report import Intent
from reconciler.ports import ContainerEngine, Ledger

_SHARED = ("NetworkMode", "PidMode", "IpcMode")


def put_back(
    engine: ContainerEngine,
    ledger: Ledger,
    intents: Sequence[Intent],
    observed: Observed,
    spared: Collection[str] = (),
) -> None:
    """Keep the promises: whatever took a container's place goes, and the container serves again.

    Of several containers that had one name, the first was verified: it serves, the others go. `spared`: ids of
    containers that stay out of this. Raises Terminal (E-UNDO) when one does not start, after all others serve;
    it is kept, stopped, and so is its promise.
    """
    containers = {c.id: c for c in observed.containers}
    first = _first(intents, containers)
    serving = {intent.container for intent in first.values()}
    clear_places(engine, intents, observed, spared)
    for intent in first.values():
        if containers[intent.container].name != intent.name:
            engine.rename(intent.container, intent.name)
    failures: dict[str, Terminal] = {}
    for intent in sorted(first.values(), key=lambda i: bool(joined(containers[i.container]))):
        try:
            _serve_again(engine, intent, observed, serving)
        except Terminal as error:
            failures[intent.container] = error
    for intent in intents:
        if intent.container not in failures:
            ledger.settle(intent.run, intent.container)
    for failure in failures.values():
        raise failure


def clear_places(
    engine: ContainerEngine, intents: Sequence[Intent], observed: Observed, spared: Collection[str] = ()
) -> None:
    """Whatever took the place of a promised container goes; `put_back` does so, too."""
    containers = {c.id: c for c in observed.containers}
    first = _first(intents, containers)
    serving = {intent.container for intent in first.values()}
    owners = {containers[id].owner for id in serving}
    for container in observed.containers:
        named = container.owner in owners and service_name(container.name) in first
        if named and container.id not in serving and container.id not in spared:
            _discard(engine, container)


def _first(intents: Sequence[Intent], containers: Mapping[str, Container]) -> dict[str, Intent]:
    """Of several promises about one name the one that was made first."""
    return {i.name: i for i in reversed(intents) if i.container in containers}


def _discard(engine: ContainerEngine, container: Container) -> None:
    if container.running:
        engine.stop(container.id, grace(container))
    engine.remove(container.id)


def _serve_again(engine: ContainerEngine, intent: Intent, observed: Observed, serving: Collection[str]) -> None:
    old = next(c for c in observed.containers if c.id == intent.container)
    if not intent.kind.endswith(STOPPED):
        if not old.running:
            _reattach(engine, old, observed)
            _start(engine, old)
        if not _untouched(old, intent):
            _restart_followers(engine, old, observed, serving)
    if intent.policy != RestartPolicy():
        engine.update(old.id, policy_settings(intent.policy))


def _reattach(engine: ContainerEngine, old: Container, observed: Observed) -> None:
    """A network that was made anew meanwhile has another id; the addresses are those that were asked for."""
    networks = {network.name: network.id for network in observed.networks}
    asked = (old.definition.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    for name, (network_id, aliases) in old.networks.items():
        if name in networks and networks[name] != network_id:
            engine.disconnect(name, old.id)
            engine.connect(name, old.id, asked.get(name) or {"Aliases": list(aliases)})


def _start(engine: ContainerEngine, container: Container) -> None:
    try:
        engine.start(container.id)
    except Unreachable:
        raise
    except ReconcilerError as error:
        name = service_name(container.name)
        raise Terminal(
            "E-UNDO",
            f"the old container {name} could not be started again: {error.what}",
            why=error.why,
            next=f"mend that and start it: docker start {name}",
        ) from error


def _untouched(old: Container, intent: Intent) -> bool:
    """Whether the pass died right after its promise: taking the policy away comes next, stopping only then."""
    return old.running and intent.policy.name != "no" and policy(old) == intent.policy


def _restart_followers(engine: ContainerEngine, host: Container, observed: Observed, serving: Collection[str]) -> None:
    """Whoever shares a namespace of a container that was stopped lives in the one that is gone, or could not start."""
    for follower in observed.containers:
        if follower.id not in serving and host.id in joined(follower) and shall_run(follower):
            engine.stop(follower.id, grace(follower))
            _start(engine, follower)


def joined(container: Container) -> tuple[str, ...]:
    """Ids of the containers whose namespaces it shares."""
    modes = (str(container.definition.get("HostConfig", {}).get(key, "")) for key in _SHARED)
    return tuple(mode.partition(":")[2] for mode in modes if mode.startswith("container:"))


def orphaned(
    observed: Observed, owner: str, known: Iterable[Intent], remembered: Collection[str], at: float
) -> tuple[Intent, ...]:
    """Promises that a lost ledger forgot, read from the names: kept containers whose place nobody has taken,
    and containers that stand still while a half-made successor waits. Of runs that are `remembered` nothing was
    forgotten: what is kept is only to be removed, and what stands still had stopped before, as a job does."""
    ours = [c for c in observed.containers if c.owner == owner]
    promised = {intent.container for intent in known}
    serving = {c.name for c in ours if c.role == "current"}
    forgotten = [c for c in ours if c.role != "current" and run_of(c.name) not in remembered]
    awaiting = {service_name(c.name) for c in forgotten if c.role == "new"}
    found: list[Intent] = []
    for container in ours:
        name = service_name(container.name)
        vacant = container.role == "kept" and container in forgotten and name not in serving
        halted = container.role == "current" and name in awaiting and container.state == "exited"
        if (vacant or halted) and container.id not in promised:
            found.append(Intent("", REPLACE, container.id, name, policy(container), at))
    return tuple(found)

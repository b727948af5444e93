"""What people and other tools do to a container behind git's back, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.differences import tampering
from reconciler.core.wanted import Want
from reconciler.model import labels
from reconciler.model.observed import Container, Observed
from reconciler.model.plan import ContainerSpec

# What `docker update` can set, and the name that people know it by.
_RESOURCES = {
    "Memory": "memory limit",
    "MemoryReservation": "memory reservation",
    "NanoCpus": "cpus",
    "PidsLimit": "pids limit",
}
_NEVER_SET = {
    "CpuShares": "cpu shares",
    "CpuQuota": "cpu quota",
    "CpusetCpus": "cpuset",
    "BlkioWeight": "blkio weight",
}


@dataclass(frozen=True, slots=True)
class Mend:
    """What an update of the running container puts right; false when there is nothing."""

    reasons: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    connect: tuple[str, ...] = ()
    disconnect: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.reasons)


def stopped(want: Want, current: Container) -> str:
    """Why it must be started; empty when it runs, or when it is a job that is done."""
    if want.job and current.state == "exited" and current.exit_code == 0 and current.started_at:
        return ""
    match current.state:
        case "exited":
            return f"stopped (exit code {current.exit_code})"
        case "created":
            return "made, but never started"
        case "paused":
            return "frozen by docker pause"
        case _:
            return ""


def sick(current: Container) -> str:
    return "unhealthy" if current.health == "unhealthy" else ""


def tampered(spec: ContainerSpec, current: Container) -> Iterator[str]:
    """Our labels on something that is not what we made, and resources that cannot be taken back in place."""
    for difference in tampering(spec, current):
        yield f"replaced by hand: {difference}"
    host, live = spec.body.get("HostConfig", {}), current.definition.get("HostConfig", {})
    for key, name in (_RESOURCES | _NEVER_SET).items():
        if not host.get(key) and (live.get(key) or 0) not in (0, "", -1):
            yield f"{name} set by hand"


def image_moved(want: Want, current: Container, observed: Observed) -> Iterator[str]:
    """The local tag names another image than the one that runs. A built image counts by its build, not by its tag."""
    if want.build_id:
        own = next((i for i in observed.images if i.id == current.image_id), None)
        if own and own.labels.get(labels.BUILD, want.build_id) != want.build_id:
            yield f"image {want.spec.image} was built from something else"
        return
    tagged = observed.image(want.spec.image)
    if tagged and current.image_id and tagged.id != current.image_id:
        yield f"image {want.spec.image} is now {tagged.id.removeprefix('sha256:')[:12]}"


def network_gone(spec: ContainerSpec, current: Container, observed: Observed) -> Iterator[str]:
    """A network of the same name that is not the one the container was attached to."""
    live = {network.name: network.id for network in observed.networks}
    for name, (network_id, _) in current.networks.items():
        if name in spec.endpoints and network_id and live.get(name) != network_id:
            yield f"network {name} was removed or made anew"


def joins(container: Container, key: str, host: Container) -> bool:
    """Whether the container's namespace (`NetworkMode`, `PidMode`, `IpcMode`) is that of `host`."""
    return bool(container.definition.get("HostConfig", {}).get(key) == f"container:{host.id}")


def left_behind(container: Container, host: Container) -> bool:
    """Whether `host` was started after the container that joined its namespaces: it still has the old ones."""
    both = container.running and host.running
    # RFC 3339 without trailing zeros: as text in the order of time but for the closing Z.
    return both and container.started_at.rstrip("Z") < host.started_at.rstrip("Z")


def mend(spec: ContainerSpec, current: Container) -> Mend:
    """Drift that needs no new container."""
    host, live = spec.body.get("HostConfig", {}), current.definition.get("HostConfig", {})
    settings: dict[str, Any] = {}
    reasons: list[str] = []
    wanted_policy = host.get("RestartPolicy", {"Name": "no", "MaximumRetryCount": 0})
    if (is_now := _policy(live.get("RestartPolicy"))) != _policy(wanted_policy):
        settings["RestartPolicy"] = wanted_policy
        reasons.append(f"restart policy {is_now[0]} -> {wanted_policy['Name']}")
    for key, name in _RESOURCES.items():
        if host.get(key) and live.get(key) != host[key]:
            settings[key] = host[key]
            reasons.append(f"{name} {live.get(key) or 'unset'} -> {host[key]}")
    if "Memory" in settings and (live.get("MemorySwap") or 0) > 0:
        # The engine's own rule at creation: swap included, twice the memory.
        settings["MemorySwap"] = 2 * settings["Memory"]
    connect, disconnect = _networks(spec, current)
    reasons += [f"not connected to {name}" for name in connect]
    reasons += [f"connected to {name} by hand" for name in disconnect]
    return Mend(tuple(reasons), settings, connect, disconnect)


def _policy(policy: Mapping[str, Any] | None) -> tuple[str, int]:
    return ((policy or {}).get("Name") or "no", (policy or {}).get("MaximumRetryCount") or 0)


def _networks(spec: ContainerSpec, current: Container) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not spec.endpoints:
        return (), ()
    connect = tuple(name for name in spec.endpoints if name not in current.networks)
    disconnect = tuple(name for name in current.networks if name not in spec.endpoints)
    return connect, disconnect

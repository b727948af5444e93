"""What people and other tools do to a container behind git's back, and what mends it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.adoption import is_new
from reconciler.core.counting import count
from reconciler.core.differences import tampering
from reconciler.core.limits import CONTROLLERS, LIMITS, SWAP, swap_beside
from reconciler.core.linked import alike
from reconciler.core.renewal import Renewal
from reconciler.core.wanted import Want
from reconciler.model import labels
from reconciler.model.observed import Container, Observed, Slot
from reconciler.model.plan import ContainerSpec, Plan

_NEVER_SET = {"BlkioWeight": "blkio weight"}


@dataclass(frozen=True, slots=True)
class Seen:
    """The host, and the names of what may not be deployed on it. `renewals`: by container, how it may stay.

    `moved`: reference -> digest of what its registry has by now, and the host does not.
    """

    observed: Observed
    blocked: frozenset[str]
    renewals: Mapping[str, Renewal] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mend:
    """What an update of the running container puts right; false when there is nothing.

    A network in both `disconnect` and `connect` is left and joined again, in this order.
    """

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


def unenforced(wants: Iterable[Want], lacks: Collection[str]) -> Iterator[str]:
    """Limits that are asked for and that the kernel has no controller for: the engine drops them."""
    found: dict[tuple[str, str], set[Slot]] = {}
    for want in wants:
        for key in lacks:
            if key in CONTROLLERS and want.spec.body.get("HostConfig", {}).get(key):
                found.setdefault(CONTROLLERS[key], set()).add(replace(want.slot, number=1))
    for (controller, limits), slots in sorted(found.items()):
        yield f"{limits} of {count(len(slots), 'service')} are not enforced: this kernel has no {controller} controller"


def tampered(spec: ContainerSpec, current: Container, lacks: Collection[str] = ()) -> Iterator[str]:
    """Our labels on something that is not what we made, and limits that nobody asked for."""
    for difference in tampering(spec, current):
        yield f"replaced by hand: {difference}"
    yield from limited(spec, current, lacks)


def limited(spec: ContainerSpec, current: Container, lacks: Collection[str] = ()) -> Iterator[str]:
    """Resources that git leaves open and that cannot be taken back in place."""
    host, live = spec.body.get("HostConfig", {}), current.definition.get("HostConfig", {})
    for key, name in (LIMITS | _NEVER_SET).items():
        if key not in lacks and not host.get(key) and (live.get(key) or 0) not in (0, "", -1):
            yield f"{name} set by hand"


def image_moved(want: Want, current: Container, observed: Observed, blocked: Collection[str] = ()) -> Iterator[str]:
    """The local tag names another image than the one that runs. A built image counts by its build, not by its tag.

    One that failed and is `blocked` is not followed; the tag may move on.
    """
    if want.build_id:
        own = next((i for i in observed.images if i.id == current.image_id), None)
        if own and own.labels.get(labels.BUILD, want.build_id) != want.build_id:
            yield f"image {want.spec.image} was built from something else"
        return
    moved = _moved_to(want, current, observed)
    if moved and f"image-{moved}" not in blocked:
        yield f"image {want.spec.image} is now {moved[:12]}"


def tag_moved(want: Want, seen: Seen) -> str:
    """Digest of what the registry has under the tag by now; "" when it is what is here, or is blocked."""
    return "" if want.build_id or registry_blocked(want, seen) else seen.moved.get(want.spec.image, "")


def registry_blocked(want: Want, seen: Seen) -> bool:
    """Whether what the registry has under the tag by now failed here."""
    return f"image-{seen.moved.get(want.spec.image, '')}" in seen.blocked


def outdated(want: Want, current: Container, seen: Seen) -> Iterator[str]:
    """Why the image of the container is not what its tag names by now, here or in the registry."""
    yield from image_moved(want, current, seen.observed, seen.blocked)
    if not is_new(current) and (digest := tag_moved(want, seen)):
        yield f"image {want.spec.image} moved in its registry to {digest[:12]}"


def held_image(want: Want, current: Container, observed: Observed, blocked: Collection[str]) -> str:
    """Digest of the blocked image that the tag names by now; "" when there is none."""
    moved = "" if want.build_id else _moved_to(want, current, observed)
    return moved if f"image-{moved}" in blocked else ""


def _moved_to(want: Want, current: Container, observed: Observed) -> str:
    tagged = observed.image(want.spec.image)
    moved = tagged and current.image_id and tagged.id != current.image_id
    return tagged.id.removeprefix("sha256:") if tagged and moved else ""


def images_at_fault(
    plan: Plan, wants: Mapping[Slot, Want], before: Observed, now: Observed, failed: Collection[Slot]
) -> dict[Slot, tuple[str, ...]]:
    """Slots that failed though nothing changed but the image behind their tag: its digests, without `sha256:`."""
    known = {container.id for container in before.containers}
    made = {c.slot: c.image_id for c in now.containers if c.id not in known}
    found = {}
    for step in plan.steps:
        image, want = made.get(step.slot, ""), wants.get(step.slot)
        if image and want and not want.build_id and step.current and step.slot in failed:
            same = step.current.fingerprint == want.spec.fingerprint
            if same and image != step.current.image_id:
                # Under its registry's name as well: without the image nobody would know it again.
                tags = next((i.tags for i in now.images if i.id == image), ())
                digests = (image, *(tag.partition("@")[2] for tag in tags if "@sha256:" in tag))
                found[step.slot] = tuple(digest.removeprefix("sha256:") for digest in digests)
    return found


def network_gone(spec: ContainerSpec, current: Container, observed: Observed) -> Iterator[str]:
    """A network of the same name that is not the one the container was attached to."""
    live = {network.name: network.id for network in observed.networks}
    for name, (network_id, _) in current.networks.items():
        if name in spec.endpoints and network_id and live.get(name) != network_id:
            yield f"network {name} was removed or made anew"


def joins(container: Container, key: str, host: Container) -> bool:
    """Whether the container's namespace (`NetworkMode`, `PidMode`, `IpcMode`) is that of `host`.

    Compose may name it; whom that means is looked up at every start.
    """
    return container.definition.get("HostConfig", {}).get(key) in (f"container:{host.id}", f"container:{host.name}")


def left_behind(container: Container, host: Container) -> bool:
    """Whether `host` was started after the container that joined its namespaces: it still has the old ones."""
    both = container.running and host.running
    # RFC 3339 without trailing zeros: as text in the order of time but for the closing Z.
    return both and container.started_at.rstrip("Z") < host.started_at.rstrip("Z")


def mend(spec: ContainerSpec, current: Container, lacks: Collection[str] = ()) -> Mend:
    """Drift that needs no new container. `lacks`: keys that this host's engine drops."""
    host, live = spec.body.get("HostConfig", {}), current.definition.get("HostConfig", {})
    settings: dict[str, Any] = {}
    reasons: list[str] = []
    wanted_policy = host.get("RestartPolicy", {"Name": "no", "MaximumRetryCount": 0})
    if (is_now := _policy(live.get("RestartPolicy"))) != _policy(wanted_policy):
        settings["RestartPolicy"] = wanted_policy
        reasons.append(f"restart policy {is_now[0]} -> {wanted_policy['Name']}")
    for key, name in LIMITS.items():
        if key not in lacks and host.get(key) and live.get(key) != host[key]:
            settings[key] = host[key]
            reasons.append(f"{name} {live.get(key) or 'unset'} -> {host[key]}")
    swap, has = swap_beside(host), live.get(SWAP) or 0
    if SWAP not in lacks and swap != has and (has or SWAP in host) and host.get("Memory"):
        settings[SWAP] = swap
        if "Memory" not in settings or SWAP in host:
            reasons.append(f"swap limit {has or 'unset'} -> {swap}")
    connect, disconnect = _networks(spec, current)
    reasons += [f"not connected to {name}" for name in connect]
    reasons += [f"connected to {name} by hand" for name in disconnect]
    again = {name: why for name in spec.endpoints if (why := _connected_otherwise(name, spec, current))}
    reasons += again.values()
    return Mend(tuple(reasons), settings, (*connect, *again), (*disconnect, *again))


def _policy(policy: Mapping[str, Any] | None) -> tuple[str, int]:
    return ((policy or {}).get("Name") or "no", (policy or {}).get("MaximumRetryCount") or 0)


def _connected_otherwise(name: str, spec: ContainerSpec, current: Container) -> str:
    """Why the container must leave a network and join it again; the engine adds names of its own, which are fine."""
    if name not in current.networks:
        return ""
    wanted = spec.endpoints[name]
    if not set(wanted.get("Aliases", ())) <= set(current.networks[name][1]):
        return f"known by other names on {name}"
    if not alike(spec, current, name):
        return f"linked otherwise on {name}"
    live = (current.definition.get("NetworkingConfig") or {}).get("EndpointsConfig", {}).get(name, {})
    has = live.get("IPAMConfig") or {}
    asked = {"IPv4Address": None, "IPv6Address": None} | wanted.get("IPAMConfig", {})
    if any((has.get(key) or None) != address for key, address in asked.items()):
        return f"another address on {name}"
    return ""


def _networks(spec: ContainerSpec, current: Container) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not spec.endpoints:
        return (), ()
    connect = tuple(name for name in spec.endpoints if name not in current.networks)
    disconnect = tuple(name for name in current.networks if name not in spec.endpoints)
    return connect, disconnect

"""A Docker engine in memory, shipped for tests and trials: it keeps the rules of the real one that a pass can run into.

One contract suite runs over this and over the real engine (tests/contracts/test_engine.py).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.overlap import claims
from reconciler.errors import Terminal, Transient
from reconciler.model import labels as label
from reconciler.model.desired import Build, Network, Volume
from reconciler.model.observed import Container, Health, Image, Observed, ObservedNetwork, ObservedVolume, familiar
from reconciler.model.plan import SHARED
from reconciler.ports import ContainerEngine


@dataclass(slots=True)
class Behaviour:
    """How containers of an image act once started: `exits` with a code at once, `health` from then on."""

    exits: int | None = None
    health: Health = "none"


@dataclass(slots=True)
class _Held:
    id: str
    name: str
    body: dict[str, Any]
    image_id: str
    state: str = "created"
    exit_code: int = 0
    starts: int = 0
    started_at: str = ""
    health: Health = "none"
    networks: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)


class MemoryEngine(ContainerEngine):
    """`images`: references that exist locally; anything in `registry` can be pulled. One lock guards it all."""

    def __init__(self, images: Sequence[str] = (), registry: Sequence[str] = ()) -> None:
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._containers: dict[str, _Held] = {}
        self._networks: dict[str, ObservedNetwork] = {}
        self._volumes: dict[str, ObservedVolume] = {}
        self._images: dict[str, Image] = {}
        self.registry = set(map(familiar, registry))
        self.behaviour: dict[str, Behaviour] = {}
        self.digests: dict[str, str] = {}
        """What the registry has under a tag; it cannot be asked about any other."""
        self.commands: dict[tuple[str, ...], tuple[int, str]] = {}
        """How commands in containers end and what they say; any other ends well and says nothing."""
        self.calls: list[str] = []
        self.lacks: frozenset[str] = frozenset()
        """Keys of HostConfig that are dropped, as without the kernel's controllers."""
        for reference in images:
            self._tag(self._new_id("sha256:"), familiar(reference))

    # Reading

    def observe(self, host: str, owner: str) -> Observed:
        with self._lock:
            return Observed(
                host,
                tuple(map(self._shown, self._containers.values())),
                tuple(self._networks.values()),
                tuple(self._volumes.values()),
                tuple(self._images.values()),
                self.lacks,
            )

    def listed(self) -> tuple[Container, ...]:
        with self._lock:
            shown = map(self._shown, self._containers.values())
            return tuple(replace(c, definition={}, health="none", exit_code=0, started_at="") for c in shown)

    def look(self, ids: Sequence[str]) -> tuple[Container, ...]:
        with self._lock:
            return tuple(self._shown(self._containers[i]) for i in ids if i in self._containers)

    def image(self, reference: str) -> Image | None:
        return self._images_by_tag().get(familiar(reference))

    def image_configs(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        return {image: {} for image in ids if image in self._images}

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        return ()

    # Images

    def digest(self, reference: str) -> str:
        if familiar(reference) not in self.digests:
            raise Transient("E-REGISTRY", f"cannot ask the registry about {reference}", why="it is down", next="wait")
        return self.digests[familiar(reference)]

    def pull(self, reference: str, platform: str, say: Callable[[str], None]) -> None:
        with self._did("pull", reference):
            name = familiar(reference)
            if name not in self.registry:
                raise Transient("E-PULL", f"cannot pull {reference}", why="manifest unknown", next="push it")
            image = self._new_id("sha256:")
            self._tag(image, name)
            if name in self.digests:
                self._tag(image, f"{name.rpartition(':')[0]}@{self.digests[name]}")

    def build(
        self,
        reference: str,
        build: Build,
        context: bytes,
        labels: Mapping[str, str],
        platform: str,
        say: Callable[[str], None],
    ) -> str:
        with self._did("build", reference):
            image = self._new_id("sha256:")
            self._tag(image, familiar(reference), labels)
            return image

    def tag(self, image: str, reference: str) -> None:
        with self._did("tag", reference):
            self._tag(image, familiar(reference), self._images[image].labels)

    # Networks and volumes

    def create_volume(self, volume: Volume, labels: Mapping[str, str]) -> None:
        with self._did("create_volume", volume.name):
            self._volumes[volume.name] = ObservedVolume(volume.name, **label.made_by(labels))

    def create_network(self, network: Network, labels: Mapping[str, str]) -> str:
        with self._did("create_network", network.name):
            if any(n.name == network.name for n in self._networks.values()):
                raise Terminal("E-DOCKER-REFUSED", f"network {network.name} exists")
            subnets = tuple(pool.subnet for pool in network.ipam if pool.subnet)
            if any(set(subnets) & set(n.subnets) for n in self._networks.values()):
                raise Transient("E-DOCKER-ERROR", "Pool overlaps with other one on this address space")
            definition = {"Driver": network.driver or "bridge", "Internal": network.internal}
            definition |= {"EnableIPv6": network.enable_ipv6, "Options": dict(network.driver_opts)}
            made = ObservedNetwork(
                self._new_id(), network.name, subnets=subnets, definition=definition, **label.made_by(labels)
            )
            self._networks[made.id] = made
            return made.id

    def remove_network(self, network: str) -> None:
        with self._did("remove_network", network):
            name = self._networks[network].name if network in self._networks else ""
            if any(name in c.networks and c.state == "running" for c in self._containers.values()):
                raise Terminal("E-DOCKER-REFUSED", f"network {name} has active endpoints")
            self._networks.pop(network, None)

    def connect(self, network: str, container: str, endpoint: Mapping[str, Any]) -> None:
        with self._did("connect", network):
            self._attach(self._container(container), network, endpoint)

    def disconnect(self, network: str, container: str) -> None:
        with self._did("disconnect", network):
            if held := self._containers.get(container):
                held.networks.pop(network, None)

    # Containers

    def create(self, name: str, body: Mapping[str, Any], platform: str) -> str:
        with self._did("create", name):
            self._check_free(name)
            image = self._images_by_tag().get(familiar(body["Image"]))
            if image is None:
                raise Transient("E-DOCKER-GONE", f"no such image: {body['Image']}")
            held = _Held(self._new_id(), name, {**body, "HostConfig": self._kept(body.get("HostConfig", {}))}, image.id)
            for network, endpoint in (body.get("NetworkingConfig") or {}).get("EndpointsConfig", {}).items():
                self._attach(held, network, endpoint)
            self._containers[held.id] = held
            return held.id

    def start(self, container: str) -> None:
        with self._did("start", container):
            self._run(self._container(container))

    def unpause(self, container: str) -> None:
        with self._did("unpause", container):
            self._container(container).state = "running"

    def stop(self, container: str, grace: float | None) -> None:
        with self._did("stop", container):
            if (held := self._containers.get(container)) and held.state == "running":
                held.state, held.exit_code, held.health = "exited", 137, "none"

    def rename(self, container: str, name: str) -> None:
        with self._did("rename", name):
            self._check_free(name)
            self._container(container).name = name

    def update(self, container: str, settings: Mapping[str, Any]) -> None:
        with self._did("update", container):
            held = self._container(container)
            held.body = {**held.body, "HostConfig": {**held.body.get("HostConfig", {}), **self._kept(settings)}}

    def remove(self, container: str) -> None:
        with self._did("remove", container):
            self._containers.pop(container, None)

    def signal(self, container: str, name: str) -> None:
        with self._did("signal", f"{name} {self._running(container).name}"):
            pass

    def exec(self, container: str, command: Sequence[str], timeout: float) -> tuple[int, str]:
        with self._did("exec", f"{self._running(container).name} {' '.join(command)}"):
            return self.commands.get(tuple(command), (0, ""))

    # What happens from outside

    def reboot(self) -> None:
        """The daemon goes and comes back: everything stops, and what has a policy for it starts again, if it can."""
        with self._lock:
            stopped = [held for held in self._containers.values() if held.state == "running"]
            for held in stopped:
                held.state, held.exit_code = "exited", 137
            for held in stopped:
                policy = (held.body.get("HostConfig", {}).get("RestartPolicy") or {}).get("Name", "no")
                if policy in ("always", "unless-stopped"):
                    with suppress(Terminal, Transient):
                        self._run(held)

    def set_state(self, name: str, state: str, *, exit_code: int = 0, health: Health = "none") -> None:
        with self._lock:
            held = next(c for c in self._containers.values() if c.name == name)
            held.state, held.exit_code, held.health = state, exit_code, health

    # Inside

    def _did(self, effect: str, what: str) -> threading.RLock:
        self.calls.append(f"{effect} {what}")
        return self._lock

    def _new_id(self, prefix: str = "") -> str:
        return f"{prefix}{next(self._numbers):064x}"

    def _tag(self, image: str, reference: str, labels: Mapping[str, str] | None = None) -> None:
        for known in list(self._images.values()):
            self._images[known.id] = Image(known.id, tuple(t for t in known.tags if t != reference), known.labels)
        before = self._images.get(image, Image(image, (), labels or {}))
        self._images[image] = Image(image, (*before.tags, reference), before.labels)

    def _images_by_tag(self) -> dict[str, Image]:
        return {tag: image for image in self._images.values() for tag in image.tags}

    def _kept(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What the kernel cannot enforce is dropped, and the name of a joined container becomes its id."""
        kept = {key: value for key, value in settings.items() if key not in self.lacks}
        ids = {f"container:{held.name}": f"container:{held.id}" for held in self._containers.values()}
        return kept | {key: ids[kept[key]] for key in SHARED if kept.get(key) in ids}

    def _container(self, container: str) -> _Held:
        if container not in self._containers:
            raise Transient("E-DOCKER-GONE", f"no such container: {container[:12]}")
        return self._containers[container]

    def _running(self, container: str) -> _Held:
        held = self._container(container)
        if held.state != "running":
            raise Terminal("E-DOCKER-REFUSED", f"container {held.name} is not running")
        return held

    def _check_free(self, name: str) -> None:
        if any(c.name == name for c in self._containers.values()):
            raise Terminal("E-DOCKER-REFUSED", f"the container name {name} is already in use")

    def _attach(self, held: _Held, network: str, endpoint: Mapping[str, Any]) -> None:
        found = next((n for n in self._networks.values() if network in (n.name, n.id)), None)
        if found is None:
            raise Transient("E-DOCKER-GONE", f"network {network} not found")
        held.networks[found.name] = (found.id, dict(endpoint))

    def _run(self, held: _Held) -> None:
        self._check_joined(held)
        if held.state == "running":
            return
        self._check_claims(held)
        behaviour = self.behaviour.get(held.body["Image"], Behaviour())
        held.starts += 1
        held.started_at = f"start {next(self._numbers):09d}"
        held.state, held.health = ("running", behaviour.health) if behaviour.exits is None else ("exited", "none")
        held.exit_code = behaviour.exits or 0

    def _check_claims(self, held: _Held) -> None:
        """Published ports and static addresses are looked at when a container starts, not when it is made."""
        wanted = _claimed(held)
        for other in self._containers.values():
            taken = wanted & _claimed(other) if other.state == "running" else set()
            if taken:
                raise Terminal("E-DOCKER-PORT", f"cannot start a container: {', '.join(sorted(taken))} is taken")

    def _check_joined(self, held: _Held) -> None:
        """What the real engine looks up at a start: its networks by id, and the container whose namespace it joins."""
        for name, (network, _) in held.networks.items():
            if network not in self._networks:
                raise Transient("E-DOCKER-GONE", f"network {name} not found")
        mode = held.body.get("HostConfig", {}).get("NetworkMode", "")
        if mode.startswith("container:"):
            host = self._containers.get(mode.partition(":")[2])
            if host is None or host.state != "running":
                raise Terminal("E-DOCKER-REFUSED", "cannot join network of a non running container")

    def _shown(self, held: _Held) -> Container:
        labels = held.body.get("Labels") or {}
        return Container(
            id=held.id,
            name=held.name,
            state=held.state,
            image=held.body["Image"],
            image_id=held.image_id,
            service=labels.get(label.SERVICE, ""),
            number=int(labels.get(label.NUMBER, "1")),
            revision=labels.get(label.REVISION, ""),
            health=held.health,
            exit_code=held.exit_code,
            started_at=held.started_at,
            definition={
                **held.body,
                "NetworkingConfig": {"EndpointsConfig": {name: asked for name, (_, asked) in held.networks.items()}},
            },
            networks={name: (i, tuple(asked.get("Aliases") or ())) for name, (i, asked) in held.networks.items()},
            labels=labels,
            **label.made_by(labels),
        )


def _claimed(held: _Held) -> set[str]:
    return set(claims("", held.body, {name: asked for name, (_, asked) in held.networks.items()})) - {"name "}

"""What runs: one host's containers, networks, volumes and images as its engine reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Health = Literal["none", "starting", "healthy", "unhealthy"]
Role = Literal["current", "new", "kept"]


@dataclass(frozen=True, slots=True)
class Container:
    """One container.

    `definition` is what the engine reports, in the shape of a create request; of other owners' containers only
    those have it (and `started_at`) that ours share a namespace with. `owner` is empty when no fleet owns it;
    `adopted`: Compose made it, without our labels, and it is ours all the same. `started_at` is the engine's own
    text, compared, never parsed. `networks`: real network name -> (network id, aliases) of each endpoint.
    """

    id: str
    name: str
    state: str
    image: str = ""
    image_id: str = ""
    owner: str = ""
    stack: str = ""
    service: str = ""
    number: int = 1
    fingerprint: str = ""
    revision: str = ""
    health: Health = "none"
    exit_code: int = 0
    started_at: str = ""
    restart_count: int = 0
    definition: Mapping[str, Any] = field(default_factory=dict, repr=False)
    networks: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict, repr=False)
    anonymous_volumes: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    adopted: bool = False
    health_said: str = field(default="", compare=False, repr=False)

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def role(self) -> Role:
        """What its name says: in service, made but not yet in service, or kept for an undo."""
        if is_made(self.name):
            return "new"
        return "kept" if is_kept(self.name) else "current"

    @property
    def slot(self) -> Slot:
        return Slot(self.stack, self.service, self.number)


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """The place that one container fills: replica `number` (from 1) of a service of a stack; "": the stack itself."""

    stack: str
    service: str
    number: int = 1

    def __str__(self) -> str:
        replica = f"#{self.number}" if self.number > 1 else ""
        return f"{self.stack}/{self.service}{replica}" if self.service else self.stack


@dataclass(frozen=True, slots=True)
class Image:
    """`config`: what its containers have when nothing else is asked for; read only where it is needed."""

    id: str
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ObservedNetwork:
    """`fingerprint` is our label; `owner` is empty when no fleet owns it. `subnets` in CIDR notation.

    `definition`: driver, options and switches, as the engine reports them. `adopted` as with containers.
    """

    id: str
    name: str
    owner: str = ""
    stack: str = ""
    fingerprint: str = ""
    subnets: tuple[str, ...] = ()
    definition: Mapping[str, Any] = field(default_factory=dict, repr=False)
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class ObservedVolume:
    name: str
    owner: str = ""
    stack: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """`lacks`: keys of HostConfig that this host's kernel cannot enforce, so the engine drops them.

    `defaults`: what the engine writes into HostConfig where nobody chose, of what differs from host to host.
    """

    host: str
    containers: tuple[Container, ...] = ()
    networks: tuple[ObservedNetwork, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    images: tuple[Image, ...] = ()
    lacks: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)

    def container(self, name: str) -> Container | None:
        """The container that a name, an id or the beginning of an id (12 digits at least) names."""
        for container in self.containers:
            if name in (container.name, container.id):
                return container
        found = [c for c in self.containers if len(name) >= 12 and c.id.startswith(name)]
        return found[0] if len(found) == 1 else None

    def image(self, reference: str) -> Image | None:
        """The local image that a reference names; a missing tag means `latest`."""
        wanted = familiar(reference)
        for image in self.images:
            if wanted in image.tags or reference == image.id:
                return image
        return None


def familiar(reference: str) -> str:
    """The short form that engines list (distribution's familiar name): `docker.io/library/caddy` -> `caddy:latest`."""
    for prefix in ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/", "library/"):
        if reference.startswith(prefix):
            reference = reference.removeprefix(prefix)
            break
    if "@" in reference:
        return without_tag(reference)
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def without_tag(reference: str) -> str:
    """`name:tag@digest` is `name@digest`: the digest alone decides (distribution's reference grammar)."""
    name, _, digest = reference.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"


_NEW, _KEPT = ".new-", ".kept-"


def made_name(name: str, run: str) -> str:
    """The temporary name of a container that was made for `name` but is not in service yet."""
    return f"{name}{_NEW}{run}"


def kept_name(name: str, run: str) -> str:
    """The name under which a replaced container waits, stopped, until its successor is verified."""
    return f"{name}{_KEPT}{run}"


def is_made(name: str) -> bool:
    return _NEW in name


def is_kept(name: str) -> bool:
    return _KEPT in name


def service_name(name: str) -> str:
    """The name in service behind a temporary or kept one."""
    return name.partition(_NEW)[0].partition(_KEPT)[0]


def run_of(name: str) -> str:
    """The run that gave something its temporary or kept name."""
    return name.partition(_NEW)[2] or name.partition(_KEPT)[2]

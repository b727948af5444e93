"""What git wants: a fleet's stacks for one host at one revision, after every rule of Compose was applied.

All values are normalised: sizes are bytes, durations seconds, paths absolute on the host or relative
to the root of the repository (`repo_path`). Nothing here still needs interpolation or a default.
Names follow the Compose specification.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reconciler.errors import Position
from reconciler.model.images import ImageDrift
from reconciler.model.on_change import OnChange
from reconciler.model.probe import Probe
from reconciler.model.resources import BuildOptions, Resources, Tuning

if TYPE_CHECKING:  # a host without package sets does not pay for their nouns
    from reconciler.model.sets import Packages

Pairs = tuple[tuple[str, str], ...]
"""A mapping as sorted pairs, so that values stay frozen, hashable and in a stable order."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """`name` is one of no, always, unless-stopped, on-failure."""

    name: str = "no"
    maximum_retries: int = 0


@dataclass(frozen=True, slots=True)
class Port:
    """One published port; ranges are expanded before. `host_port` empty: the engine chooses one."""

    target: int
    protocol: str = "tcp"
    host_ip: str = ""
    host_port: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """`source`: absolute host path (bind), key of the stack's volume (volume; empty: anonymous), empty (tmpfs).

    `repo_path` is set for a bind whose source lies inside the repository. `size` is in bytes, `mode` octal as a number.
    """

    kind: Literal["bind", "volume", "tmpfs"]
    target: str
    source: str = ""
    repo_path: str | None = None
    read_only: bool = False
    create_host_path: bool = True
    propagation: str = ""
    selinux: str = ""
    nocopy: bool = False
    size: int = 0
    mode: int = 0
    options: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One service on one network of its stack (`network` is the key in the stack)."""

    network: str
    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    priority: int = 0


Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]


@dataclass(frozen=True, slots=True)
class Dependency:
    service: str
    condition: Condition = "service_started"
    restart: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """`test` empty: the image's own; ("NONE",): switched off. Seconds; 0 means the engine's default."""

    test: tuple[str, ...] = ()
    interval: float = 0
    timeout: float = 0
    retries: int = 0
    start_period: float = 0


@dataclass(frozen=True, slots=True)
class Build:
    """`context` is a folder of the repository ("" is its root).

    `dockerfile` is relative to the context, or empty when `dockerfile_inline` is set.
    """

    context: str
    dockerfile: str = "Dockerfile"
    dockerfile_inline: str = ""
    args: Pairs = ()
    target: str = ""
    labels: Pairs = ()
    options: BuildOptions = BuildOptions()


@dataclass(frozen=True, slots=True)
class Device:
    source: str
    target: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class Ulimit:
    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Logging:
    driver: str = ""
    options: Pairs = ()


@dataclass(frozen=True, slots=True)
class UpdateConfig:
    """`order`: stop-first or start-first; `failure_action`: rollback, pause or continue; `monitor` in seconds."""

    order: str = "stop-first"
    failure_action: str = "rollback"
    monitor: float = 0
    parallelism: int = 0
    delay: float = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """A config or secret that a service may read, at `target` inside the container."""

    kind: Literal["config", "secret"]
    key: str
    target: str


@dataclass(frozen=True, slots=True)
class FileObject:
    """A config or secret of a stack. Exactly one of `repo_path`, `host_path`, `content` is set.

    `external` names a host-side secret file. `content` (inline text, or the value of an environment variable) is
    written below the state directory.
    """

    kind: Literal["config", "secret"]
    key: str
    name: str
    repo_path: str | None = None
    host_path: str | None = None
    content: bytes | None = None
    external: bool = False


@dataclass(frozen=True, slots=True)
class IpamPool:
    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: Pairs = ()


@dataclass(frozen=True, slots=True)
class Network:
    """`name` is the real one (`<project>_<key>` unless given). An external network is used, never made or removed."""

    key: str
    name: str
    external: bool = False
    driver: str = ""
    driver_opts: Pairs = ()
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    ipam_driver: str = ""
    ipam_options: Pairs = ()
    ipam: tuple[IpamPool, ...] = ()
    labels: Pairs = ()


@dataclass(frozen=True, slots=True)
class Volume:
    key: str
    name: str
    external: bool = False
    driver: str = ""
    driver_opts: Pairs = ()
    labels: Pairs = ()


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a stack, ready to be turned into containers.

    `command` and `entrypoint`: None keeps the image's, () clears it. In `environment` the value None
    takes the variable out of the image's own. `links`: services, and what this one alone calls them.
    `sealed` is True when a value from outside git (a host-side env file, a secret) entered the definition:
    its fingerprint is then a keyed hash. `reads` are the paths of the repository whose content entered it
    (env files, extended files).
    """

    name: str
    stack: str
    position: Position
    image: str = ""
    build: Build | None = None
    pull_policy: str = ""
    platform: str = ""
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[tuple[str, str | None], ...] = ()
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[Attachment, ...] = ()
    network_mode: str = ""
    links: tuple[tuple[str, str], ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    healthcheck: Healthcheck | None = None
    restart: RestartPolicy = RestartPolicy()
    container_name: str = ""
    hostname: str = ""
    domainname: str = ""
    mac_address: str = ""
    labels: Pairs = ()
    user: str = ""
    working_dir: str = ""
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    security_opt: tuple[str, ...] = ()
    read_only: bool = False
    privileged: bool = False
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    sysctls: Pairs = ()
    init: bool | None = None
    logging: Logging | None = None
    shm_size: int = 0
    stdin_open: bool = False
    tty: bool = False
    ulimits: tuple[Ulimit, ...] = ()
    extra_hosts: Pairs = ()
    group_add: tuple[str, ...] = ()
    stop_signal: str = ""
    stop_grace_period: float | None = None
    pid: str = ""
    ipc: str = ""
    grants: tuple[Grant, ...] = ()
    resources: Resources = Resources()
    tuning: Tuning = Tuning()
    update: UpdateConfig = UpdateConfig()
    replicas: int = 1
    job: bool = False
    sealed: bool = False
    reads: tuple[str, ...] = ()
    on_change: tuple[OnChange, ...] = ()
    image_drift: ImageDrift = "recreate"

    @property
    def namespace_hosts(self) -> tuple[str, ...]:
        """The services whose network, process or IPC namespace this one shares."""
        modes = (self.network_mode, self.pid, self.ipc)
        return tuple(dict.fromkeys(m.partition(":")[2] for m in modes if m.startswith("service:")))


@dataclass(frozen=True, slots=True)
class Migration:
    """A change of data that goes with the code: idempotent by contract. `timeout` in seconds.

    Either `command` in a container like those of `service`, or `run` on the host, in the check-out. `needs`: services
    that must be up and healthy before it.
    """

    name: str
    service: str = ""
    command: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    timeout: float = 600.0
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """One Compose project. `directory` and `file` are paths of the repository; services are in the file's order."""

    name: str
    directory: str
    file: str
    services: tuple[Service, ...]
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    files: tuple[FileObject, ...] = ()
    migrations: tuple[Migration, ...] = ()
    verify: tuple[Probe, ...] = ()

    def service(self, name: str) -> Service:
        """The service of that name; KeyError when there is none."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Desired:
    """All that one host shall run at one revision.

    `objects`: repo path -> git object id of what services mount, build from or read. `reads`: the files that all this
    was read from. `ignore` and `quiet`: patterns of the fleet (core/globs) for paths that deploy nothing, or silently.
    `packages`: what is wanted of the build swarm; None without a package set.
    """

    revision: str
    host: str
    owner: str
    checkout: str
    stacks: tuple[Stack, ...]
    objects: Pairs = field(default=(), repr=False)
    reads: tuple[str, ...] = field(default=(), repr=False)
    ignore: tuple[str, ...] = field(default=(), repr=False)
    quiet: tuple[str, ...] = field(default=(), repr=False)
    packages: Packages | None = field(default=None, repr=False)

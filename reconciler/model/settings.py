"""The host's own file as values. Every setting has a line in docs/settings.md."""

from __future__ import annotations

from dataclasses import dataclass, field


class Seconds(float):
    """A duration: a number of seconds, or text such as `500ms`, `90s`, `5m`, `4h`."""


@dataclass(frozen=True, slots=True)
class Repository:
    """`token` names a secret; `ssh_key` and `known_hosts` are files. `deadline`: a fetch is killed after it."""

    url: str
    branch: str = "main"
    path: str = "manifests"
    token: str = ""
    ssh_key: str = ""
    known_hosts: str = ""
    deadline: Seconds = Seconds(60)


@dataclass(frozen=True, slots=True)
class Trust:
    """What manifests may ask of this host, and whose commits it follows: `signatures` is off, head or all.

    `allowed_signers` and `revoked_signers` are files as ssh-keygen has them, `gpg_home` a keyring.
    """

    signatures: str = "off"
    allowed_signers: str = "/etc/reconciler/allowed_signers"
    revoked_signers: str = ""
    gpg_home: str = ""
    allow_privileged: tuple[str, ...] = ()
    allow_host_mounts: tuple[str, ...] = ("/opt", "/srv")
    max_removed_stacks: int = 1


@dataclass(frozen=True, slots=True)
class State:
    directory: str = "/var/lib/reconciler"


@dataclass(frozen=True, slots=True)
class Inbox:
    """Where the unprivileged side leaves what it asks for; the file `trigger` asks for a pass."""

    directory: str = "/run/reconciler/inbox"

    @property
    def trigger(self) -> str:
        return f"{self.directory}/trigger"


@dataclass(frozen=True, slots=True)
class Docker:
    """`host`: unix:///path or tcp://address; empty: DOCKER_HOST, else the default socket. `deadline`: for one call."""

    host: str = ""
    deadline: Seconds = Seconds(60)


@dataclass(frozen=True, slots=True)
class Verify:
    """`window`: how long what was started is watched.

    `timeout`: for a start without a health check; `job_timeout`: for jobs.
    """

    window: Seconds = Seconds(5)
    timeout: Seconds = Seconds(30)
    job_timeout: Seconds = Seconds(600)


@dataclass(frozen=True, slots=True)
class Apply:
    """`parallel`: how many images and containers are worked on at once."""

    parallel: int = 4


@dataclass(frozen=True, slots=True)
class Images:
    """`every`: how often a registry is asked whether a tag that runs here has moved; 0: never."""

    every: Seconds = Seconds(6 * 3600)


@dataclass(frozen=True, slots=True)
class Look:
    """`every`: how long a pass that nobody looks at may be content with a quick look; 0: never."""

    every: Seconds = Seconds(3600)


@dataclass(frozen=True, slots=True)
class Watch:
    """`every`: how long `reconciler watch` waits for something that asks for a pass before it looks by itself."""

    every: Seconds = Seconds(900)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """`textfile`: a file of node_exporter's textfile collector, "" for none; `stale_after`: 0 for never."""

    textfile: str = ""
    stale_after: Seconds = Seconds(3600)


@dataclass(frozen=True, slots=True)
class Serve:
    """`reconciler serve`. `listen`: HOST:PORT. `directory`: the queue and its history; `binhost`: the packages, "" for
    the folder binhost/ beside them. `token`: name of the secret that whoever changes something has to show.
    `heartbeat`: how often drones give a sign of life; one that is silent for two of them is offline. `keep_versions`:
    of each slot of a package, `keep_builds`: of a version with the same flags; 0: all.
    """

    listen: str = "127.0.0.1:8080"
    directory: str = "/var/lib/reconciler-swarm"
    binhost: str = ""
    token: str = ""
    heartbeat: Seconds = Seconds(30)
    keep_versions: int = 3
    keep_builds: int = 2

    @property
    def packages(self) -> str:
        return self.binhost or f"{self.directory}/binhost"


@dataclass(frozen=True, slots=True)
class Swarm:
    """The orchestrator as this machine reaches it. `token`: name of its secret. `deadline`: for one question.

    `url` "": no pass hands package sets over, and commands ask this machine. `every`: how often a pass looks at sets
    that wait for builds when nothing says that those have ended.
    """

    url: str = ""
    token: str = ""
    deadline: Seconds = Seconds(30)
    every: Seconds = Seconds(600)

    @property
    def address(self) -> str:
        """Whom commands ask."""
        return self.url or "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Drone:
    """`reconciler drone`. `name`: "" is this machine's own; `credential`: name of the secret that has its credential.

    `profile`: whose packages it builds. `engine`: the engine's file, "" for that of `serve` on this machine; `binhost`:
    where Portage gets packages from, "" for the orchestrator. `directory`: what it keeps; `builds`: where it unpacks
    and compiles, "" for Portage's own. `cores` 0: all. `nice`: of builds. `timeout`: of one build, `drain`: how long it
    may go on when the drone is to stop.
    """

    name: str = ""
    credential: str = "drone"
    profile: str = "default"
    engine: str = ""
    binhost: str = ""
    directory: str = "/var/lib/reconciler-drone"
    builds: str = ""
    emerge: str = "emerge"
    cores: int = 0
    nice: int = 10
    sweeper: bool = False
    verify: bool = False
    timeout: Seconds = Seconds(24 * 3600)
    drain: Seconds = Seconds(600)


@dataclass(frozen=True, slots=True)
class Settings:
    """`host`: which host of fleet.yaml this is. `config_directory`: the folder of the file, with secrets/ and env/.

    `config_file` is the file as it was named, its links not followed.
    """

    host: str
    repository: Repository
    trust: Trust = Trust()
    state: State = State()
    inbox: Inbox = Inbox()
    docker: Docker = Docker()
    verify: Verify = Verify()
    apply: Apply = Apply()
    images: Images = Images()
    look: Look = Look()
    watch: Watch = Watch()
    heartbeat: Heartbeat = Heartbeat()
    serve: Serve = Serve()
    swarm: Swarm = Swarm()
    drone: Drone = Drone()
    config_file: str = field(default="", metadata={"derived": True})
    config_directory: str = field(default="", metadata={"derived": True})

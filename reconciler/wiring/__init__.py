"""The only place where adapters are made and put together. No decisions here."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from reconciler.adapters.adoptions import AdoptionFile
from reconciler.adapters.deploys import WaitingDeploys
from reconciler.adapters.docker.engine import DockerEngine
from reconciler.adapters.git import GitRepository
from reconciler.adapters.heartbeat import Heartbeat
from reconciler.adapters.host_files import LocalHostFiles, RepositoryIdentity
from reconciler.adapters.host_local import LocalShell
from reconciler.adapters.image_tags import TagFile
from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.adapters.ledger.view import LedgerView
from reconciler.adapters.notices.outbox import FileOutbox
from reconciler.adapters.probing import HostProbing
from reconciler.adapters.secrets import SecretStore
from reconciler.adapters.signals import SentinelSignals
from reconciler.convergence.gather import Site
from reconciler.convergence.observe import observe
from reconciler.convergence.tell import Teller
from reconciler.convergence.trust import SignedCommits
from reconciler.convergence.world import Rules, World
from reconciler.core.fleet_file import fleet_of
from reconciler.core.guard import Policy
from reconciler.core.ours import ours
from reconciler.core.redact import Redactor, redactor
from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.notice import Notifications, Secret
from reconciler.model.observed import Container
from reconciler.model.settings import Settings, Trust
from reconciler.ports import Clock, HostShell, Notifier, Progress, Repository, Signatures
from reconciler.remote import remote_of
from reconciler.wiring.builders import make_build_swarm

if TYPE_CHECKING:
    from reconciler.adapters.docker.console import DockerConsole
    from reconciler.convergence.gate import Gate
    from reconciler.model.gate import CiRules, GateAnswer
    from reconciler.ports import ContinuousIntegration

Port = TypeVar("Port")
Wrap = Callable[[str, Port], Port]
"""Called with the name and the port of everything that has effects; tests put their seam there."""


def same(_name: str, port: Port) -> Port:
    """Wraps nothing."""
    return port


def make_world(
    settings: Settings,
    clock: Clock,
    progress: Progress,
    wrap: Wrap = same,  # type: ignore[type-arg]
    closing: ExitStack | None = None,
    view: LedgerView | None = None,
) -> World:
    """Every port of a pass on this host. Opens the ledger; talks to nothing else yet.

    `closing` gives back what was opened; who makes one world and ends needs none. `view`: the ledger of who only looks.
    """
    state, repository = Path(settings.state.directory), settings.repository
    if view is None:
        _make(state)
    secrets = SecretStore(settings.config_directory)
    git = GitRepository(
        state / "repository.git",
        remote_of(settings),
        repository.branch,
        deadline=repository.deadline,
        displaced=state / "displaced",
    )
    engine = make_engine(settings)
    ledger = view or SqliteLedger(str(state / "ledger.db"))
    if closing is not None:
        closing.callback(engine.close)
        closing.callback(ledger.close)
    world = World(
        repository=wrap("repository", git),
        engine=wrap("engine", engine),
        ledger=wrap("ledger", ledger),
        signals=wrap("signals", SentinelSignals(state / "sentinels")),
        files=wrap("files", LocalHostFiles(Path(settings.config_directory), state, secrets.read)),
        adoptions=wrap("adoptions", AdoptionFile(state)),
        identity=wrap("identity", RepositoryIdentity(state, settings.host, repository.path, git.root)),
        images=wrap("images", TagFile(state)),
        clock=clock,
        progress=progress,
        shell=wrap("shell", make_shell()),
        gate=_LateGate(lambda: make_gate(settings, git, clock, wrap)),
        deploys=WaitingDeploys(state),
        probing=HostProbing(),
        swarm=wrap("swarm", swarm) if (swarm := make_build_swarm(settings)) else None,
    )
    if settings.trust.signatures == "off":
        return world
    return replace(world, trust=SignedCommits(make_signatures(settings)))


def view_ledger(settings: Settings) -> LedgerView:
    """The ledger, only to look at: also on a disk that is full or read-only. Terminal when its folder is none."""
    state = Path(settings.state.directory)
    if state.exists() and not state.is_dir():
        _make(state)
    return LedgerView(state / "ledger.db")


def make_signatures(settings: Settings) -> Signatures:
    """What says who signed a commit; for a host that asks for signatures."""
    from reconciler.git.signatures import GitSignatures, Keys

    trust, clone = settings.trust, Path(settings.state.directory) / "repository.git"
    which: Literal["head", "all"] = "all" if trust.signatures == "all" else "head"
    keys = Keys(_unless_missing(trust), trust.revoked_signers, trust.gpg_home)
    return GitSignatures(clone, which, keys, settings.repository.deadline)


def _unless_missing(trust: Trust) -> str:
    """Who only has a keyring needs no file of SSH keys."""
    return "" if trust.gpg_home and not Path(trust.allowed_signers).exists() else trust.allowed_signers


def make_engine(settings: Settings) -> DockerEngine:
    """The host's engine alone; it is not talked to yet."""
    return DockerEngine(settings.docker.host, max(1.0, settings.docker.deadline))


def make_console(settings: Settings) -> DockerConsole:
    """What a person works in containers with."""
    from reconciler.adapters.docker.console import DockerConsole

    return DockerConsole(settings.docker.host, max(1.0, settings.docker.deadline))


def make_gate(settings: Settings, repository: Repository, clock: Clock, wrap: Wrap = same) -> Gate:  # type: ignore[type-arg]
    """What continuous integration says of commits; asks nobody yet."""
    from reconciler.adapters.ci.file import CiFile
    from reconciler.convergence.gate import Gate

    memory = wrap("ci", CiFile(Path(settings.state.directory)))
    secrets = SecretStore(settings.config_directory)

    def connect(rules: CiRules) -> ContinuousIntegration:
        from reconciler.ci import provider_of

        return provider_of(rules, secrets, clock)

    return Gate(repository, settings.repository.path, settings.repository.branch, memory, clock, connect)


class _LateGate:
    """The gate, made when the first commit is judged: most passes have none that is new."""

    def __init__(self, make: Callable[[], Gate]) -> None:
        self._made = cache(make)

    def judge(self, sha: str, base: str) -> GateAnswer:
        return self._made().judge(sha, base)


def make_shell() -> HostShell:
    """Commands on this host."""
    return LocalShell()


def make_outbox(settings: Settings) -> FileOutbox:
    """Where notices wait on this host."""
    return FileOutbox(Path(settings.state.directory))


def make_heartbeat(settings: Settings) -> Heartbeat:
    """This host's sign of life."""
    return Heartbeat(Path(settings.state.directory), settings.heartbeat.textfile)


def make_teller(settings: Settings, clock: Clock, say: Callable[[str], None]) -> Teller:
    """Who tells people of passes. Reads nothing yet."""
    return Teller(
        make_outbox(settings),
        lambda wanted: make_notifiers(settings, wanted),
        lambda: make_redactor(settings),
        clock,
        say,
        settings.host,
        settings.repository.url,
    )


def make_notifiers(settings: Settings, wanted: Notifications) -> tuple[Notifier, ...]:
    """One for each channel; one whose secret is missing says so of every notice."""
    from reconciler.adapters.notices.discord import DiscordNotifier
    from reconciler.adapters.notices.webhook import WebhookNotifier

    secrets = SecretStore(settings.config_directory)

    def value(asked: str | Secret) -> str:
        try:
            return secrets.read(asked.name).decode().strip() if isinstance(asked, Secret) else asked
        except (ReconcilerError, UnicodeDecodeError):
            return ""

    made: list[Notifier] = []
    if discord := wanted.discord:
        made.append(DiscordNotifier(value(discord.webhook), discord.mention))
    if webhook := wanted.webhook:
        sign = value(webhook.sign) if webhook.sign else ""
        unsigned = bool(webhook.sign) and not sign
        made.append(WebhookNotifier("" if unsigned else value(webhook.url), sign.encode()))
    return tuple(made)


def make_redactor(settings: Settings) -> Redactor:
    """Knows every secret that this host holds."""
    state, config = Path(settings.state.directory), Path(settings.config_directory)
    return redactor(LocalHostFiles(config, state, lambda _: b"").confidential())


def notifications_of(world: World, settings: Settings, revision: str) -> Notifications:
    """Where the fleet of a revision wants its notices. BadConfiguration."""
    return fleet_of(world.repository.tree(revision), settings.repository.path).notifications


def latest_notifications(settings: Settings) -> Notifications:
    """As the fleet that was fetched last has it; none when nothing was. BadConfiguration."""
    from reconciler.git.objects import Objects, newest_fetched

    clone = Path(settings.state.directory) / "repository.git"
    revision = newest_fetched(clone)
    if not revision:
        return Notifications()
    return fleet_of(Objects(clone).tree(revision), settings.repository.path).notifications


def our_containers(settings: Settings, target: str) -> tuple[Container, ...]:
    """Those of a target that this fleet made here. UnknownTarget; Unreachable."""
    state = Path(settings.state.directory)
    identity = RepositoryIdentity(state, settings.host, settings.repository.path, lambda _: "")
    owner = identity.owner()
    return ours(observe(make_engine(settings), AdoptionFile(state), settings.host, owner), owner, target)


def _make(state: Path) -> None:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Terminal(
            "E-STATE",
            f"cannot make the state directory {state}",
            why=error.strerror or str(error),
            next="run as root, or set state.directory to a folder that this user may write",
        ) from error


def make_rules(settings: Settings, target: str = "") -> Rules:
    """The host's own file as the rules of a pass; `target` narrows it."""
    state = settings.state.directory
    return Rules(
        site=Site(
            host=settings.host,
            manifests=settings.repository.path,
            rendered=f"{state}/rendered",
            secrets=f"{settings.config_directory}/secrets",
            home=str(Path.home()),
            target=target,
            ask_registries=settings.images.every,
        ),
        policy=Policy(
            allow_privileged=settings.trust.allow_privileged,
            allow_host_mounts=settings.trust.allow_host_mounts,
            max_removed_stacks=settings.trust.max_removed_stacks,
            own=(state, settings.config_directory, *_program(), *_keys(settings.trust)),
            engine=_engine_socket(settings.docker.host or os.environ.get("DOCKER_HOST", "")),
        ),
        window=settings.verify.window,
        timeout=settings.verify.timeout,
        job_timeout=settings.verify.job_timeout,
        parallel=settings.apply.parallel,
    )


def _keys(trust: Trust) -> tuple[str, ...]:
    """They say whose commits are followed: no commit may write them, and no container see them."""
    named = (trust.allowed_signers, trust.revoked_signers, trust.gpg_home)
    return tuple(path for path in named if path) if trust.signatures != "off" else ()


def _program() -> tuple[str, ...]:
    """Where the code of this process lies; who writes there is root at the next pass."""
    environment = (sys.prefix,) if sys.prefix != sys.base_prefix else ()
    return (str(Path(__file__).resolve().parent.parent), *environment)


def _engine_socket(address: str) -> str:
    path = address.removeprefix("unix://")
    return path if path.startswith("/") else ""


def new_run() -> str:
    """An id that sorts by time and that Docker takes in a container's name."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(2).hex()}"

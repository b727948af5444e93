"""What `reconciler drone` is made of: link to the engine, way to the orchestrator, builder and memory."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from reconciler.adapters.portage.builder import PortageBuilder, PortageRules
from reconciler.adapters.portage.tree import EbuildTree
from reconciler.adapters.secrets import SecretStore
from reconciler.adapters.swarm.drone_memory import TakenFile
from reconciler.adapters.swarm.engine_embedded import EmbeddedLink
from reconciler.adapters.swarm.uplink_http import UplinkHttp
from reconciler.errors import Busy, ReconcilerError, Terminal
from reconciler.model.settings import Settings
from reconciler.settings import name_of_drone
from reconciler.swarm.drone.at_work import DroneRules, Surroundings
from reconciler.swarm.drone.loop import Drone
from reconciler.wiring.clock import SystemClock


def make_drone(settings: Settings, say: Callable[[str], None], closing: ExitStack) -> Drone:
    """Talks to nobody yet. Terminal without a credential, Busy when another process has its folder."""
    wanted = settings.drone
    name = name_of_drone(settings)
    credential = _credential(settings, name)
    folder = Path(wanted.directory)
    closing.callback(os.close, _held(folder))
    binhost = wanted.binhost or f"{settings.swarm.address.rstrip('/')}/binhost/{wanted.profile}"
    link = EmbeddedLink(wanted.engine or f"{settings.serve.directory}/engine.db", credential)
    closing.callback(link.close)
    builder = PortageBuilder(
        PortageRules(
            folder=folder,
            binhost=binhost,
            emerge=wanted.emerge,
            builds=wanted.builds,
            verify=wanted.verify,
            cores=wanted.cores,
            nice=wanted.nice,
            timeout=wanted.timeout,
        )
    )
    world = Surroundings(
        link=link,
        uplink=UplinkHttp(settings.swarm.address, wanted.profile, binhost, credential),
        builder=builder,
        memory=TakenFile(folder),
        clock=SystemClock(),
        load=lambda: os.getloadavg()[0],
        say=say,
        synced=EbuildTree(wanted.emerge).synced,
    )
    heartbeat = settings.serve.heartbeat
    rules = DroneRules(
        name=name,
        profile=wanted.profile,
        cores=wanted.cores or len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        sweeper=wanted.sweeper,
        heartbeat=heartbeat,
        drain=wanted.drain,
        patience=min(15.0, heartbeat / 2),
    )
    return Drone(rules, uuid.uuid4().hex, world)


def _credential(settings: Settings, name: str) -> str:
    try:
        return SecretStore(settings.config_directory).read_words(settings.drone.credential)
    except ReconcilerError as error:
        if error.code not in ("E-SECRET-MISSING", "E-SECRET-EMPTY"):
            raise
        empty = error.code == "E-SECRET-EMPTY"
        raise Terminal(
            "E-DRONE-CREDENTIAL",
            f"the credential of the drone {name} is empty" if empty else f"the drone {name} has no credential",
            why=error.why if empty else error.what,
            next=f"reconciler drones enroll {name} on the orchestrator; {error.next} here",
        ) from error


def _held(folder: Path) -> int:
    """A lock on the folder: two drones in one would end each other's builds."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Terminal(
            "E-DRONE-DIRECTORY",
            f"the drone cannot use {folder}",
            why=error.strerror or str(error),
            next="set drone.directory to a folder that this user may write",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Busy(
            "E-DRONE-BUSY",
            f"another drone works in {folder}",
            why="two in one folder would end each other's builds",
            next="stop it, or give this one a drone.directory of its own",
        ) from None
    return descriptor

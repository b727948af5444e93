"""The fleet file as a value: the hosts that there are and what is ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.model.desired import Migration, Pairs
from reconciler.model.gate import CiRules
from reconciler.model.images import ImageDrift
from reconciler.model.notice import Notifications
from reconciler.model.on_change import OnChange
from reconciler.model.probe import Probe


@dataclass(frozen=True, slots=True)
class Host:
    """`connect` is `local` or an ssh:// address; `checkout` the absolute folder of its stable working tree.

    `directories`: stack -> absolute folder in which its relative paths lie that git does not have.
    """

    name: str
    connect: str
    checkout: str
    labels: Pairs = ()
    directories: Pairs = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """`warnings` name what the file asks for and this version does not act on; `ci` None: commits need no gate.

    `orchestrators`: site -> address of its orchestrator; "" -> the only one of the fleet, where no site names any.
    `binhost`: address of the folder of profiles, "" where the orchestrator has it. `profiles`: those of the drones.
    """

    hosts: tuple[Host, ...]
    sites: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    ci: CiRules | None = None
    notifications: Notifications = Notifications()
    orchestrators: Pairs = ()
    binhost: str = ""
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackExtension:
    """`x-reconciler` of a stack: which hosts run it, by name or by label; neither: the only host there is."""

    hosts: tuple[str, ...] = ()
    labels: Pairs = ()
    migrations: tuple[Migration, ...] = ()
    image_drift: ImageDrift = "recreate"
    verify: tuple[Probe, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceExtension:
    """`x-reconciler` of one service. `job`: it runs to its end once for every change. `image_drift` "": its stack's."""

    job: bool = False
    on_change: tuple[OnChange, ...] = ()
    image_drift: ImageDrift | Literal[""] = ""

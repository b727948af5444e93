"""What a pass would do, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reconciler.model.desired import Build, Network, Service, Volume
from reconciler.model.observed import Container, ObservedNetwork, Slot
from reconciler.model.on_change import OnChange


class Action(StrEnum):
    """From the gentlest to the hardest."""

    ADOPT = "adopt"
    KEEP = "keep"
    UPDATE = "update"
    SIGNAL = "signal"
    EXEC = "exec"
    START = "start"
    RESTART = "restart"
    CREATE = "create"
    REPLACE = "replace"
    REMOVE = "remove"


SIGNS = {
    Action.ADOPT: "=",
    Action.KEEP: "=",
    Action.UPDATE: "~",
    Action.SIGNAL: "^",
    Action.EXEC: "^",
    Action.START: "^",
    Action.RESTART: "^",
    Action.CREATE: "+",
    Action.REPLACE: "±",
    Action.REMOVE: "-",
}


SHARED = ("NetworkMode", "PidMode", "IpcMode")
"""Keys of HostConfig that may name a container whose namespace is shared."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to be made. `body` is the create request of the Engine API, but for what only the engine knows.

    `endpoints`: real network name -> endpoint settings, the first one is given at creation.
    `namespaces`: HostConfig key (NetworkMode, PidMode, IpcMode) -> the slot whose container it joins.
    """

    slot: Slot
    name: str
    image: str
    fingerprint: str
    body: Mapping[str, Any] = field(repr=False)
    endpoints: Mapping[str, Mapping[str, Any]] = field(repr=False, default_factory=dict)
    namespaces: Mapping[str, Slot] = field(default_factory=dict)
    platform: str = ""

    @property
    def joined(self) -> Mapping[str, str]:
        """HostConfig key -> name or id of the container that it joins, of those that no slot stands behind."""
        host = self.body.get("HostConfig", {})
        modes = {key: str(host.get(key, "")) for key in SHARED if key not in self.namespaces}
        return {key: mode.partition(":")[2] for key, mode in modes.items() if mode.startswith("container:")}


@dataclass(frozen=True, slots=True)
class Step:
    """One container's way from what is to what shall be.

    `current` is None for CREATE; `spec` and `service` are None for REMOVE. `connect`/`disconnect` are the
    networks that an UPDATE mends, `settings` the body of its engine update request. `rules`: signals and commands of
    a SIGNAL or EXEC, in their order; `validate`: those whose check must succeed before anything is touched.
    """

    slot: Slot
    action: Action
    reasons: tuple[str, ...]
    current: Container | None = None
    spec: ContainerSpec | None = None
    service: Service | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    connect: tuple[str, ...] = ()
    disconnect: tuple[str, ...] = ()
    rules: tuple[OnChange, ...] = ()
    validate: tuple[OnChange, ...] = ()

    @property
    def renews(self) -> bool:
        """Whether the container stays, and is brought up to date with what changed under it."""
        if self.current is None or self.spec is None or self.starts_new:
            return False
        return self.current.fingerprint not in ("", self.spec.fingerprint)

    @property
    def starts_new(self) -> bool:
        return self.action in (Action.CREATE, Action.REPLACE)

    @property
    def heals(self) -> bool:
        """Whether it mends what people, time or an engine did, and nothing that a commit asked for."""
        if self.renews:
            return False
        sick = self.current is not None and self.current.health == "unhealthy"
        return self.action in (Action.ADOPT, Action.START, Action.UPDATE) or (self.action is Action.RESTART and sick)


@dataclass(frozen=True, slots=True)
class NetworkStep:
    """`network` None: `current` goes; `current` None: `network` is made; both: it is made anew.

    `first`: it goes before anything is made, because another network needs its addresses.
    """

    reason: str
    network: Network | None = None
    current: ObservedNetwork | None = None
    stack: str = ""
    first: bool = False

    @property
    def goes_first(self) -> bool:
        """Whether the network that is there has to go before anything is made."""
        return self.current is not None and (self.first or self.network is not None)

    @property
    def sign(self) -> str:
        return "-" if self.network is None else "+" if self.current is None else "±"

    @property
    def name(self) -> str:
        return self.network.name if self.network else self.current.name if self.current else ""


@dataclass(frozen=True, slots=True)
class VolumeStep:
    volume: Volume
    stack: str
    reason: str = "new"


@dataclass(frozen=True, slots=True)
class ImageNeed:
    """An image that must be there before anything runs from it: built when `build` is set, else pulled.

    `present`: the id of one that is here and only has to be tagged. `moved`: an older one under the same tag is there,
    and what runs could go on without this one. `blocked`: the block of the image that the tag names, when nothing else
    is known that could be taken.
    """

    reference: str
    reason: str
    services: tuple[str, ...]
    platform: str = ""
    build: Build | None = None
    build_id: str = ""
    present: str = ""
    moved: bool = False
    blocked: str = ""

    @property
    def how(self) -> str:
        return "tag" if self.present else "build" if self.build else "pull"


@dataclass(frozen=True, slots=True)
class Satisfied:
    """A container that already is as it shall be; jobs that are done are here, too."""

    slot: Slot
    container: Container
    job: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one host needs to get from Observed to Desired. Empty steps: nothing to do.

    `findings` are troubles that a pass cannot mend by itself, one sentence each.
    """

    host: str
    revision: str
    base: str = ""
    steps: tuple[Step, ...] = ()
    networks: tuple[NetworkStep, ...] = ()
    volumes: tuple[VolumeStep, ...] = ()
    images: tuple[ImageNeed, ...] = ()
    satisfied: tuple[Satisfied, ...] = ()
    leftovers: tuple[Container, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.steps or self.networks or self.volumes or self.leftovers)

    @property
    def unverified(self) -> tuple[Slot, ...]:
        """Satisfied, but never watched: a pass that died made them for this revision, or has kept their predecessor."""
        kept = {c.slot for c in self.leftovers if c.role == "kept"}
        made = {d.slot for d in self.satisfied if d.container.revision == self.revision != self.base}
        return tuple(done.slot for done in self.satisfied if done.slot in kept | made)

    def count(self, action: Action) -> int:
        return sum(step.action is action for step in self.steps)

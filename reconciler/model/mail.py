"""Notices on their way, and what people know already; all of it outlives a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.notice import Notice, Notifications


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice for one channel. `after`: not to be sent before (epoch seconds); `attempts` failed so far.

    `begun`: it was about to be sent, and nobody knows what came of it.
    """

    channel: str
    notice: Notice
    since: float
    after: float = 0.0
    attempts: int = 0
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """A channel that answered that it is no more. `address` tells (as a digest) whether it is still the same one."""

    address: str
    why: str
    at: float


@dataclass(frozen=True, slots=True)
class Failing:
    """A row of failures. `same` counts those like the last, `total` all of them; `told`: whether people know.

    `key` is the message that tells of it, `since` its beginning, `pinged` when people were called last (epoch seconds).
    """

    signature: str
    key: str
    since: float
    pinged: float
    same: int = 1
    total: int = 1
    told: bool = True


@dataclass(frozen=True, slots=True)
class Storm:
    """Routine deploys in a short time share one message, and so do healings: `base` is where the first began."""

    key: str
    base: str
    since: float
    count: int = 1
    healing: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """What people know. `told`: the latest runs that were dealt with; those up to `since` are nobody's news.

    `deploying`: the run whose message still says that it runs. `remark`: what was said last about work held back.
    """

    failing: Failing | None = None
    storm: Storm | None = None
    deploying: str = ""
    remark: str = ""
    told: tuple[str, ...] = ()
    since: str = ""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`sent`: "channel key" -> id of the message there, the oldest first. `stopped`: by channel.

    `wanted` is what the fleet file of `revision` says about notices.
    """

    waiting: tuple[Letter, ...] = ()
    sent: Mapping[str, str] = field(default_factory=dict)
    stopped: Mapping[str, Stopped] = field(default_factory=dict)
    memory: Memory = Memory()
    wanted: Notifications = Notifications()
    revision: str = ""

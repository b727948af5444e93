"""What people are told about passes: a notice, and where notices go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["failure", "full", "condensed", "deploying", "digest", "test"]
"""`deploying` is told while a pass still runs; `digest` sums up what nobody could be told in time."""

ROUTINE: tuple[Kind, ...] = ("condensed", "deploying", "digest")


@dataclass(frozen=True, slots=True)
class Secret:
    """The name of a secret of the host; its value is read where it is used, and never kept."""

    name: str


@dataclass(frozen=True, slots=True)
class DiscordChannel:
    """`mention`: who is called when something fails, as Discord writes it (`<@&123>`); "" calls nobody."""

    webhook: Secret
    mention: str = ""


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """`sign`: the secret that each body is signed with."""

    url: str | Secret
    sign: Secret | None = None


@dataclass(frozen=True, slots=True)
class Notifications:
    """Where this fleet wants its notices. `links`: what kind of forge the repository lies on, "" to guess."""

    discord: DiscordChannel | None = None
    webhook: WebhookChannel | None = None
    links: str = ""

    @property
    def channels(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(name for name in ("discord", "webhook") if getattr(self, name))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets that they need."""
        named = [self.discord.webhook] if self.discord else []
        if self.webhook:
            named += [each for each in (self.webhook.url, self.webhook.sign) if isinstance(each, Secret)]
        return tuple(secret.name for secret in named)


@dataclass(frozen=True, slots=True)
class Detail:
    """One line or block below a name. `code`: shown as it stands, in letters of one width."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told, in plain text; a notifier gives it the form that its readers know.

    `key` is the message: what comes later under the same one takes its place. `instead`: the key of a message that
    this one makes needless as long as nobody has read it. `ping`: people are called. `silent`: nobody's device rings.
    `facts` are for programs; `at` is in seconds since the epoch.
    """

    key: str
    run: str
    kind: Kind
    title: str
    url: str = ""
    text: str = ""
    details: tuple[Detail, ...] = ()
    links: tuple[Link, ...] = ()
    footer: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    at: float = 0.0
    ping: bool = False
    silent: bool = False
    instead: str = ""


Fate = Literal["delivered", "later", "refused", "missing", "stopped"]
"""`refused`: this notice is no good; `missing`: the message to be edited is gone; `stopped`: the address is no good."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the other side answered. `message`: its id there. `wait`: seconds until another try is welcome.

    After a delivery `wait` is how long the next notice has to wait.
    """

    fate: Fate
    message: str = ""
    wait: float = 0.0
    why: str = ""

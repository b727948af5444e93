"""fleet.yaml as a value.

What later versions act on is checked for its shape all the same, so that a mistake is found today, and named
in a warning, so that nobody believes in a gate that is not there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reconciler.core.manifest.checked import BY_KIND, MAPPING, TEXT, Glob, Label, Name, Strict, checked, pairs
from reconciler.core.manifest.ci import CiModel, load_ci
from reconciler.core.manifest.kinds import Says
from reconciler.core.mistakes import Mistakes
from reconciler.core.positioned import Map
from reconciler.model.fleet import Fleet, Host
from reconciler.model.notice import DiscordChannel, Notifications, Secret, WebhookChannel

Absolute = Annotated[str, Field(pattern=r"^/.+"), Says("an absolute path below /", "/opt/fleet")]


class SiteModel(Strict):
    orchestrator: str = ""


class HostModel(Strict):
    connect: Annotated[
        str,
        Field(pattern=r"^(local|ssh://.+)$", description="`local`, or ssh://user@host"),
        Says("`local`, or ssh://user@host", "local"),
    ]
    checkout: Annotated[Absolute, Field(description="Absolute folder of the stable working tree on the host")]
    labels: dict[str, Label] = {}
    directories: Annotated[
        dict[str, Absolute],
        Field(description="Stack -> absolute folder in which relative paths of the stack lie that git does not have"),
    ] = {}


class UnitModel(Strict):
    manager: Literal["systemd", "openrc"]
    name: str


class DroneModel(Strict):
    connect: str = ""
    site: str = ""
    cores: Annotated[int, Field(gt=0)] = 1
    memory: str = ""
    checkout: str = ""
    unit: UnitModel | None = None
    profile: str = ""
    role: Literal["drone", "sweeper"] = "drone"


class OrchestratorModel(Strict):
    url: str
    primary: bool = False


class GatewayModel(Strict):
    url: str
    binhost: str = ""


class RolloutModel(Strict):
    waves: list[list[str]] = []
    on_failure: Literal["rollback", "pause", "continue"] = "rollback"


class SecretModel(Strict):
    secret: str


class DiscordModel(Strict):
    webhook: Annotated[SecretModel, Field(description="The secret that holds the address of the webhook")]
    mention_on_failure: Annotated[
        str,
        Field(pattern=r"^(<@[&!]?[0-9]+>|@here|@everyone)?$", description="Who is called: <@&ROLE>, <@USER>, @here"),
        Says("<@&ROLE>, <@USER>, @here or @everyone", '"<@&123456789>"'),
    ] = ""


class WebhookModel(Strict):
    url: Annotated[
        Annotated[
            Annotated[str, Field(pattern=r"^https?://[^/\s]+\S*$"), TEXT] | Annotated[SecretModel, MAPPING], BY_KIND
        ],
        Field(description="Where notices are posted as JSON; as a secret when the address holds one"),
        Says("an http:// or https:// address, or {secret: NAME}", "{secret: webhook-url}"),
    ]
    sign: Annotated[SecretModel | None, Field(description="The secret that each body is signed with")] = None


class NotificationsModel(Strict):
    """Who is told of passes."""

    discord: DiscordModel | None = None
    webhook: WebhookModel | None = None
    links: Annotated[
        Literal["", "github", "gitea", "forgejo", "gitlab", "none"],
        Field(description="The kind of forge, where the name of the repository's host does not tell"),
    ] = ""


class FleetModel(Strict):
    """The whole fleet file."""

    apiVersion: Literal["reconciler/v1"]  # noqa: N815  the name that manifests use everywhere
    kind: Literal["Fleet"]
    hosts: Annotated[dict[Name, HostModel], Field(min_length=1)]
    sites: dict[Name, SiteModel] = {}
    drones: dict[Name, DroneModel] = {}
    orchestrators: dict[Name, OrchestratorModel] = {}
    gateway: GatewayModel | None = None
    ci: CiModel | None = None
    rollout: RolloutModel | None = None
    notifications: NotificationsModel | None = None
    ignore: Annotated[list[Glob], Field(description="Paths of the repository that deploy nothing")] = []
    quiet: Annotated[list[Glob], Field(description="Paths of the repository that deploy without a notice")] = []
    identities: dict[str, str] = {}


_NOT_ACTED_ON = {
    "drones": "no packages are built",
    "orchestrators": "no packages are built",
    "gateway": "nothing is announced to it",
    "rollout": "every host converges by itself, there are no waves",
    "identities": "addresses are shown as they are",
}


def load_fleet(document: Map, file: str) -> Fleet:
    """Raises BadConfiguration with the lines of all that is wrong."""
    with Mistakes() as mistakes:
        model = mistakes.of(checked, FleetModel, document, file)
        ci = mistakes.of(load_ci, document, file)
    assert model  # else something was wrong
    hosts = tuple(
        Host(name, host.connect, host.checkout.rstrip("/"), pairs(host.labels), tuple(host.directories.items()))
        for name, host in model.hosts.items()
    )
    warnings = tuple(
        f"{document.key_at(key)}: `{key}:` is not acted on by this version: {effect}"
        for key, effect in _NOT_ACTED_ON.items()
        if document.get(key)
    )
    sites, ignore, quiet = tuple(model.sites), tuple(model.ignore), tuple(model.quiet)
    told = _notifications(model.notifications)
    return Fleet(hosts, sites, ignore, quiet, warnings, ci=ci, notifications=told)


def _notifications(model: NotificationsModel | None) -> Notifications:
    if model is None:
        return Notifications()
    discord, webhook = model.discord, model.webhook
    return Notifications(
        discord=DiscordChannel(Secret(discord.webhook.secret), discord.mention_on_failure) if discord else None,
        webhook=WebhookChannel(
            webhook.url if isinstance(webhook.url, str) else Secret(webhook.url.secret),
            Secret(webhook.sign.secret) if webhook.sign else None,
        )
        if webhook
        else None,
        links=model.links,
    )

"""fleet.yaml as a value.

What later versions act on is checked for its shape all the same, so that a mistake is found today, and named
in a warning, so that nobody believes in a gate that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from reconciler.core.manifest.checked import BY_KIND, MAPPING, TEXT, Glob, Label, Name, Strict, checked, pairs
from reconciler.core.manifest.ci import CiModel, load_ci
from reconciler.core.manifest.kinds import Says
from reconciler.core.manifest.nearest import near
from reconciler.core.mistakes import Mistakes
from reconciler.core.positioned import Map
from reconciler.errors import BadConfiguration
from reconciler.model.desired import Pairs
from reconciler.model.fleet import Fleet, Host
from reconciler.model.notice import DiscordChannel, Notifications, Secret, WebhookChannel

Absolute = Annotated[str, Field(pattern=r"^/.+"), Says("an absolute path below /", "/opt/fleet")]
Address = Annotated[
    str,
    Field(pattern=r"^https?://[^/\s?#@]+(/[^\s?#]*)?$"),
    Says("an http:// or https:// address without a name or a password in it", "http://10.42.0.201:8080"),
]


Profile = Annotated[
    str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$"), Says("the name of a folder of the binhost", "znver3")
]


class SiteModel(Strict):
    orchestrator: Annotated[str, Field(description="Whom hosts with the label `site` hand package sets to")] = ""


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
    profile: Annotated[Profile, Field(description="What it builds for")] = ""
    role: Literal["drone", "sweeper"] = "drone"


class OrchestratorModel(Strict):
    url: Address
    primary: bool = False


class GatewayModel(Strict):
    url: str
    binhost: Annotated[
        Address | Literal[""], Field(description="Where the folders of the profiles lie, when not at the orchestrator")
    ] = ""


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
    "drones": "none is started from here; each runs `reconciler drone` by itself",
    "gateway": "nothing is announced to it; only its `binhost` is read",
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
    with Mistakes() as mistakes:
        orchestrators = mistakes.of(_orchestrators, model, document)
        mistakes.of(_check_sites, model, document)
    assert orchestrators is not None  # else something was wrong
    sites, ignore, quiet = tuple(model.sites), tuple(model.ignore), tuple(model.quiet)
    return Fleet(
        hosts,
        sites,
        ignore,
        quiet,
        (*warnings, *_no_failover(document)),
        ci=ci,
        notifications=_notifications(model.notifications),
        orchestrators=orchestrators,
        binhost=model.gateway.binhost.rstrip("/") if model.gateway else "",
        profiles=tuple(dict.fromkeys(drone.profile or "default" for drone in model.drones.values())),
    )


def _no_failover(document: Map) -> Iterator[str]:
    for name in document.child("orchestrators"):
        orchestrator = document.child("orchestrators").child(name)
        if orchestrator.get("primary"):
            at = orchestrator.key_at("primary")
            yield f"{at}: `primary:` is not acted on by this version: no orchestrator stands in for another"


def _orchestrators(model: FleetModel, document: Map) -> Pairs:
    """Site -> address; "" -> the only one, where no site names any."""
    known = {name: orchestrator.url.rstrip("/") for name, orchestrator in model.orchestrators.items()}
    sites = document.child("sites")
    for name, site in model.sites.items():
        if site.orchestrator and site.orchestrator not in known:
            raise _unknown("orchestrator", f"sites.{name}", site.orchestrator, list(known), sites.child(name))
    named = {name: known[site.orchestrator] for name, site in model.sites.items() if site.orchestrator}
    return tuple(sorted(named.items())) or tuple(("", url) for url in known.values() if len(known) == 1)


def _check_sites(model: FleetModel, document: Map) -> None:
    for name, drone in model.drones.items():
        if drone.site and drone.site not in model.sites:
            raw = document.child("drones").child(name)
            raise _unknown("site", f"drones.{name}", drone.site, list(model.sites), raw)


def _unknown(key: str, where: str, name: str, known: list[str], raw: Map) -> BadConfiguration:
    return BadConfiguration(
        "E-MANIFEST-VALUE",
        f"{where}.{key} is {name!r}, which the fleet does not have",
        why=f"its {key}s are: {', '.join(known) or 'none'}{near(name, known)}",
        next=f"mend the name, or add it to {key}s:",
        at=raw.key_at(key),
    )


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

"""fleet.yaml and `x-reconciler`: pydantic stands at this door, and every complaint knows its line.

What later versions act on is checked for its shape all the same, so that a mistake is found today, and named
in a warning, so that nobody believes in a gate that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reconciler.core.compose.values import DURATION, parse_duration
from reconciler.core.positioned import Map, Seq
from reconciler.errors import BadConfiguration, Position
from reconciler.model.desired import Migration, Pairs
from reconciler.model.fleet import Fleet, Host, StackExtension

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Absolute = Annotated[str, Field(pattern=r"^/.+")]
Model = TypeVar("Model", bound=BaseModel)
Label = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # a pass pays for the models that it uses


class SiteModel(_Strict):
    orchestrator: str = ""


class HostModel(_Strict):
    connect: Annotated[str, Field(pattern=r"^(local|ssh://.+)$", description="`local`, or ssh://user@host")]
    checkout: Annotated[Absolute, Field(description="Absolute folder of the stable working tree on the host")]
    labels: dict[str, Label] = {}
    directories: Annotated[
        dict[str, Absolute],
        Field(description="Stack -> absolute folder in which relative paths of the stack lie that git does not have"),
    ] = {}


class UnitModel(_Strict):
    manager: Literal["systemd", "openrc"]
    name: str


class DroneModel(_Strict):
    connect: str = ""
    site: str = ""
    cores: Annotated[int, Field(gt=0)] = 1
    memory: str = ""
    checkout: str = ""
    unit: UnitModel | None = None
    profile: str = ""
    role: Literal["drone", "sweeper"] = "drone"


class OrchestratorModel(_Strict):
    url: str
    primary: bool = False


class GatewayModel(_Strict):
    url: str
    binhost: str = ""


class CiModel(_Strict):
    provider: Literal["github", "gitea", "forgejo", "generic", "none"]
    repository: str = ""
    url: str = ""
    require: list[str] = []
    fork_pull_requests: Literal["never"] = "never"


class RolloutModel(_Strict):
    waves: list[list[str]] = []
    on_failure: Literal["rollback", "pause", "continue"] = "rollback"


class SecretModel(_Strict):
    secret: str


class DiscordModel(_Strict):
    webhook: SecretModel
    mention_on_failure: str = ""


class NotificationsModel(_Strict):
    discord: DiscordModel | None = None


class FleetModel(_Strict):
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
    ignore: list[str] = []
    quiet: list[str] = []
    identities: dict[str, str] = {}


class MigrationModel(_Strict):
    """A `command` in a container like those of `service`, or something to `run` on the host."""

    name: Name
    service: str = ""
    command: list[str] = []
    run: list[str] = []
    timeout: Annotated[str, Field(pattern=DURATION, description="Such as 90s or 5m")] = "10m"


class StackModel(_Strict):
    """`x-reconciler` at the top of a Compose file."""

    hosts: Annotated[
        Annotated[list[Name], Field(min_length=1)] | Annotated[dict[str, Label], Field(min_length=1)],
        Field(description="Names of hosts, or labels that they must have; left out: the only host of the fleet"),
    ] = []
    migrations: list[MigrationModel] = []


class ServiceModel(_Strict):
    """`x-reconciler` of one service."""

    job: Annotated[bool, Field(description="It runs to its end once for every change, and is not kept running")] = False


_LATER_STACK = ("verify", "image_drift", "needs")
_LATER_SERVICE = ("on_change", "image_drift")
_NOT_ACTED_ON = {
    "drones": "no packages are built",
    "orchestrators": "no packages are built",
    "gateway": "nothing is announced to it",
    "ci": "commits are deployed without waiting for their checks, `require` included",
    "rollout": "every host converges by itself, there are no waves",
    "notifications": "nobody is notified",
    "identities": "addresses are shown as they are",
}


def load_fleet(document: Map, file: str) -> Fleet:
    """Raises BadConfiguration with the line of the first thing that is wrong."""
    model = _checked(FleetModel, document, file)
    hosts = tuple(
        Host(name, host.connect, host.checkout.rstrip("/"), _pairs(host.labels), tuple(host.directories.items()))
        for name, host in model.hosts.items()
    )
    warnings = tuple(
        f"{document.key_at(key)}: `{key}:` is not acted on by this version: {effect}"
        for key, effect in _NOT_ACTED_ON.items()
        if document.get(key)
    )
    return Fleet(hosts, tuple(model.sites), tuple(model.ignore), tuple(model.quiet), warnings)


def load_stack_extension(raw: Map, file: str) -> StackExtension:
    """`x-reconciler` of a Compose file; an empty mapping when it has none."""
    _refuse_later(raw, _LATER_STACK)
    model = _checked(StackModel, raw, file)
    migrations = tuple(
        Migration(m.name, m.service, tuple(m.command), tuple(m.run), parse_duration(m.timeout) or 0.0)
        for m in model.migrations
    )
    if isinstance(model.hosts, dict):
        return StackExtension(labels=_pairs(model.hosts), migrations=migrations)
    return StackExtension(hosts=tuple(model.hosts), migrations=migrations)


def is_job(raw: Map | None, file: str) -> bool:
    """Whether a service's `x-reconciler` declares it a job."""
    if raw is None:
        return False
    _refuse_later(raw, _LATER_SERVICE)
    return _checked(ServiceModel, raw, file).job


def selects(extension: StackExtension, host: Host, fleet: Fleet, at: Position) -> bool:
    """Whether the host runs the stack. BadConfiguration for an unknown host, or when nothing says which of several."""
    known = [h.name for h in fleet.hosts]
    for name in extension.hosts:
        if name not in known:
            raise BadConfiguration(
                "E-MANIFEST-HOST",
                f"the stack names the host {name!r}, which the fleet does not have",
                why=f"its hosts are: {', '.join(known)}{_near(name, known)}",
                next="mend x-reconciler.hosts, or add the host to fleet.yaml",
                at=at,
            )
    if extension.hosts:
        return host.name in extension.hosts
    if extension.labels:
        if not any(_carries(h, extension.labels) for h in fleet.hosts):
            wanted = ", ".join(f"{key}: {value}" for key, value in extension.labels)
            carried = sorted({f"{key}: {value}" for h in fleet.hosts for key, value in h.labels})
            raise BadConfiguration(
                "E-MANIFEST-HOST",
                f"no host of the fleet has the labels {wanted}",
                why=f"labels of the fleet: {', '.join(carried) or 'none'}; a mistyped one would take the stack away",
                next="mend x-reconciler.hosts, or the labels in fleet.yaml",
                at=at,
            )
        return _carries(host, extension.labels)
    if len(known) > 1:
        raise BadConfiguration(
            "E-MANIFEST-HOST",
            "the stack does not say which hosts run it",
            why=f"the fleet has several: {', '.join(known)}",
            next=f"write x-reconciler: {{hosts: [{known[0]}]}} at the top of the file",
            at=at,
        )
    return True


def _carries(host: Host, labels: Pairs) -> bool:
    return set(labels) <= {*host.labels, ("name", host.name)}


def json_schema(which: Literal["fleet", "stack"]) -> dict[str, Any]:
    """JSON Schema (2020-12) for editors. `stack` covers what we add to a Compose file; the rest is Compose's own."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    if which == "fleet":
        return {"$schema": draft, "$id": "urn:reconciler:v1:fleet", **FleetModel.model_json_schema()}
    service = {"type": "object", "properties": {"x-reconciler": ServiceModel.model_json_schema()}}
    properties = {
        "x-reconciler": StackModel.model_json_schema(),
        "services": {"type": "object", "additionalProperties": service},
    }
    return {"$schema": draft, "$id": "urn:reconciler:v1:stack", "type": "object", "properties": properties}


def _pairs(labels: Mapping[str, Label]) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted((key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in labels.items())
    )


def _refuse_later(raw: Map, keys: tuple[str, ...]) -> None:
    for key in raw:
        if key in keys:
            raise BadConfiguration(
                "E-MANIFEST-UNSUPPORTED",
                f"x-reconciler.{key} is not supported by this version",
                why="it would be dropped in silence, and you would count on it",
                next="take it out for now",
                at=raw.key_at(key),
            )


def _checked(model: type[Model], raw: Map, file: str) -> Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # A misspelt key is a missing one as well; its own spelling tells more.
        first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
        raise _complaint(first, raw, file, model) from None


def _complaint(error: Any, raw: Map, file: str, model: type[BaseModel]) -> BadConfiguration:
    path = [
        part for part in error["loc"] if not (isinstance(part, str) and part.startswith(("list[", "dict[", "[key]")))
    ]
    at, name = _place(raw, path, file), ".".join(map(str, path))
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        return BadConfiguration(
            "E-MANIFEST-KEY",
            f"unknown key {path[-1]!r}",
            why=f"known here: {', '.join(known)}{_near(str(path[-1]), known)}",
            next="mend or remove it; `reconciler schema` prints what there is",
            at=at,
        )
    if error["type"] == "missing":
        return BadConfiguration(
            "E-MANIFEST-VALUE", f"{name} is missing", why="it has no default", next=f"add {path[-1]}:", at=at
        )
    return BadConfiguration(
        "E-MANIFEST-VALUE",
        f"{name or 'the document'}: {error['msg'][:1].lower()}{error['msg'][1:]}",
        why=f"got {_short(error.get('input'))}",
        next="`reconciler schema` prints what is allowed",
        at=at,
    )


def _place(raw: Map, path: list[Any], file: str) -> Position:
    """The key itself where the document has it, else the nearest thing around it."""
    here: Any = raw
    at = raw.position if raw else Position(file)
    for part in path:
        if isinstance(here, Map) and part in here:
            at, here = here.key_at(part), here[part]
        elif isinstance(here, Seq) and isinstance(part, int) and part < len(here):
            at, here = here.at(part), here[part]
        else:
            break
    return at


def _known_keys(model: type[BaseModel], path: list[Any]) -> list[str]:
    """The fields of the model that lies at `path`: names of a mapping (a host, a drone) are passed over."""
    fields = model.model_fields
    for part in path:
        if part in fields:
            found = _inner(fields[part].annotation)
            fields = found.model_fields if found else {}
    return list(fields)


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if found := _inner(argument):
            return found
    return None


def _near(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, (Map, Seq)) else "a mapping" if isinstance(value, Map) else "a list"
    return text if len(text) <= 60 else f"{text[:57]}..."

"""`x-reconciler` of a Compose file: of the stack, and of one service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reconciler.core.compose.values import parse_duration
from reconciler.core.manifest.checked import (
    BY_KIND,
    LIST,
    MAPPING,
    Duration,
    Glob,
    Label,
    Name,
    Strict,
    checked,
    pairs,
)
from reconciler.core.manifest.kinds import Says
from reconciler.core.manifest.verify import ProbeModel, probes
from reconciler.core.mistakes import every
from reconciler.core.positioned import Map
from reconciler.errors import BadConfiguration, Position
from reconciler.model.desired import Migration
from reconciler.model.fleet import ServiceExtension, StackExtension
from reconciler.model.images import ImageDrift
from reconciler.model.on_change import OnChange, Renewing


class MigrationModel(Strict):
    """A `command` in a container like those of `service`, or something to `run` on the host."""

    name: Name
    service: str = ""
    command: list[str] = []
    run: list[str] = []
    timeout: Duration = "10m"
    needs: Annotated[
        list[Name],
        Field(
            description="Services that are up and healthy before it; left out: what its service depends on, or itself"
        ),
    ] = []


class StackModel(Strict):
    """`x-reconciler` at the top of a Compose file."""

    hosts: Annotated[
        Annotated[
            Annotated[list[Name], Field(min_length=1), LIST]
            | Annotated[dict[str, Label], Field(min_length=1), MAPPING],
            BY_KIND,
        ],
        Field(description="Names of hosts, or labels that they must have; left out: the only host of the fleet"),
        Says("a list of hosts, or a mapping of labels that they have", "[caroline]"),
    ] = []
    migrations: list[MigrationModel] = []
    image_drift: Annotated[
        ImageDrift, Field(description="When the tag of an image names another one by now; a service may differ")
    ] = "recreate"
    verify: Annotated[list[ProbeModel], Field(description="What must hold before a revision is called good")] = []


class OnChangeModel(Strict):
    """What a change of mounted files asks for; of several rules the first that fits a path counts."""

    paths: Annotated[list[Glob], Field(min_length=1, description="Patterns, from the folder of the Compose file")]
    action: Annotated[
        Renewing, Field(description="What is done when nothing but such files changed; else it is recreated")
    ] = "recreate"
    signal: Annotated[
        str,
        Field(pattern=r"^(SIG[A-Z0-9+-]+)?$", description="With `action: signal`"),
        Says("the name of a signal", "SIGHUP"),
    ] = ""
    command: Annotated[list[str], Field(description="With `action: exec`: a command in the running container")] = []
    validate_: Annotated[
        list[str],
        Field(
            alias="validate", description="A command that must succeed with the new files, before anything is touched"
        ),
    ] = []
    timeout: Annotated[Duration, Field(description="Of each command, such as 90s or 5m")] = "60s"


class ServiceModel(Strict):
    """`x-reconciler` of one service."""

    job: Annotated[bool, Field(description="It runs to its end once for every change, and is not kept running")] = False
    on_change: list[OnChangeModel] = []
    image_drift: ImageDrift | None = None


def load_stack_extension(raw: Map, file: str) -> StackExtension:
    """`x-reconciler` of a Compose file, which has one."""
    model = checked(StackModel, raw, file)
    migrations = tuple(
        Migration(m.name, m.service, tuple(m.command), tuple(m.run), parse_duration(m.timeout) or 0.0, tuple(m.needs))
        for m in model.migrations
    )
    verify = probes(model.verify, raw)
    if isinstance(model.hosts, dict):
        return StackExtension((), pairs(model.hosts), migrations, model.image_drift, verify)
    return StackExtension(tuple(model.hosts), (), migrations, model.image_drift, verify)


def load_service_extension(raw: Map, file: str) -> ServiceExtension:
    """`x-reconciler` of a service, which has one."""
    model = checked(ServiceModel, raw, file)

    def one(rules: list[OnChangeModel], index: int) -> OnChange:
        return _on_change(rules[index], raw.item_at("on_change", index))

    rules = every(one, model.on_change, range(len(model.on_change)))
    return ServiceExtension(model.job, tuple(rules), model.image_drift or "")


def _on_change(rule: OnChangeModel, at: Position) -> OnChange:
    for key, action, given in (("signal", "signal", rule.signal), ("command", "exec", rule.command)):
        if (rule.action == action) != bool(given):
            raise BadConfiguration(
                "E-MANIFEST-VALUE",
                f"on_change: `{key}:` goes with `action: {action}`, and only with it",
                why=f"this rule has `action: {rule.action}`",
                next=f"write action: {action}, or remove {key}:" if given else f"add {key}:, or write another action",
                at=at,
            )
    return OnChange(
        tuple(rule.paths),
        rule.action,
        rule.signal,
        tuple(rule.command),
        tuple(rule.validate_),
        parse_duration(rule.timeout) or 0.0,
    )

"""`x-reconciler` of a Compose file: of the stack, and of one service."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from reconciler.core.compose.values import DURATION, parse_duration
from reconciler.core.manifest.checked import Glob, Label, Name, Strict, checked, pairs
from reconciler.core.manifest.verify import ProbeModel, probes
from reconciler.core.positioned import Map
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
    timeout: Annotated[str, Field(pattern=DURATION, description="Such as 90s or 5m")] = "10m"
    needs: Annotated[
        list[Name],
        Field(
            description="Services that are up and healthy before it; left out: what its service depends on, or itself"
        ),
    ] = []


class StackModel(Strict):
    """`x-reconciler` at the top of a Compose file."""

    hosts: Annotated[
        Annotated[list[Name], Field(min_length=1)] | Annotated[dict[str, Label], Field(min_length=1)],
        Field(description="Names of hosts, or labels that they must have; left out: the only host of the fleet"),
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
    signal: Annotated[str, Field(pattern=r"^(SIG[A-Z0-9+-]+)?$", description="With `action: signal`")] = ""
    command: Annotated[list[str], Field(description="With `action: exec`: a command in the running container")] = []
    validate_: Annotated[
        list[str],
        Field(
            alias="validate", description="A command that must succeed with the new files, before anything is touched"
        ),
    ] = []
    timeout: Annotated[str, Field(pattern=DURATION, description="Of each command, such as 90s or 5m")] = "60s"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for key, action, given in (("signal", "signal", self.signal), ("command", "exec", self.command)):
            if (self.action == action) != bool(given):
                raise ValueError(f"`{key}:` goes with `action: {action}`, and only with it")
        return self


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
    return ServiceExtension(model.job, tuple(map(_on_change, model.on_change)), model.image_drift or "")


def _on_change(rule: OnChangeModel) -> OnChange:
    return OnChange(
        tuple(rule.paths),
        rule.action,
        rule.signal,
        tuple(rule.command),
        tuple(rule.validate_),
        parse_duration(rule.timeout) or 0.0,
    )

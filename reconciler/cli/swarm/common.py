"""What the commands of the build swarm share: who is asked, and how packages, builds and times are written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.frame import Frame
from reconciler.cli.times import span

if TYPE_CHECKING:
    from reconciler.adapters.swarm.orchestrator_http import OrchestratorHttp
    from reconciler.model.settings import Settings

Data = Mapping[str, Any]

TOKEN = "SWARM_ADMIN_KEY"  # noqa: S105  the name of a variable
_PATIENCE = 2.0
"""Seconds that whoever presses Tab waits at most."""


def swarm_settings_of(frame: Frame, **instead: str) -> Settings:
    """The host's own file, as far as there is one; `--timeout` stands for the deadline of the orchestrator.

    `instead`: settings by their names that the command line has.
    """
    from reconciler.model.settings import Seconds
    from reconciler.settings import load_swarm_settings, variable_of

    given = {variable_of(name): value for name, value in instead.items()}
    settings = load_swarm_settings(frame.config or None, {**os.environ, **given})
    if frame.timeout is None:
        return settings
    return replace(settings, swarm=replace(settings.swarm, deadline=Seconds(frame.timeout)))


def token_of(settings: Settings, name: str) -> str:
    """What stands in the environment, else the secret of that name; "" for none.

    Terminal when it cannot be read, or is empty.
    """
    if given := os.environ.get(TOKEN, "").strip():
        return given
    if not name:
        return ""
    from reconciler.adapters.secrets import SecretStore

    return SecretStore(settings.config_directory).read_words(name)


def orchestrator_of(frame: Frame) -> OrchestratorHttp:
    """The orchestrator that this machine asks; it is not asked yet."""
    from reconciler.adapters.swarm.orchestrator_http import OrchestratorHttp
    from reconciler.cli.actor import actor

    settings = swarm_settings_of(frame)
    swarm = settings.swarm
    return OrchestratorHttp(swarm.address, token_of(settings, swarm.token), swarm.deadline, actor())


def a_name(_ctx: click.Context, _param: click.Parameter, given: str | None) -> str | None:
    """What becomes a name in the swarm, as the orchestrator would have it."""
    from reconciler.core.swarm_names import MAY_BE, is_name

    if given is not None and not is_name(given):
        raise click.BadParameter(f"{given[:80]!r} is no name: {MAY_BE}.")
    return given


def complete_drone(ctx: click.Context, _param: click.Parameter | None, incomplete: str) -> list[str]:
    """Names of drones, as far as the orchestrator answers at once."""
    return _completed(ctx, incomplete, lambda asked: [drone["name"] for drone in asked.get("drones")])


def complete_pending(ctx: click.Context, _param: click.Parameter | None, incomplete: str) -> list[str]:
    """Ids of builds and requests that have not ended."""

    def ids(asked: OrchestratorHttp) -> list[str]:
        queue = asked.get("queue")
        return [request["id"] for request in queue["requests"]] + [e["build"]["id"] for e in queue["entries"]]

    return _completed(ctx, incomplete, ids)


def complete_request(ctx: click.Context, _param: click.Parameter | None, incomplete: str) -> list[str]:
    """Ids of requests that have not ended."""
    return _completed(ctx, incomplete, lambda asked: [request["id"] for request in asked.get("queue")["requests"]])


def complete_build(ctx: click.Context, _param: click.Parameter | None, incomplete: str) -> list[str]:
    """Ids of the latest builds."""
    return _completed(ctx, incomplete, lambda asked: [build["id"] for build in asked.get("builds")["builds"]])


def _completed(ctx: click.Context, incomplete: str, ask: Any) -> list[str]:
    from reconciler.cli.target import config_of

    try:
        known = ask(orchestrator_of(Frame(config=config_of(ctx) or "", timeout=_PATIENCE)))
        return [name for name in known if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001  whoever presses Tab must not be shown an error
        return []


def about(estimate: Data | None) -> str:
    """`12m (9m-20m)`, "" where nobody can say."""
    if not estimate:
        return ""
    if estimate["high"] < 1:
        return "a moment"
    return f"{span(estimate['expected'])} ({span(estimate['low'])}-{span(estimate['high'])})"


def off_by(error: Data) -> str:
    """How wrong estimates were: two of three builds took no more than this factor longer or shorter."""
    from math import exp

    if not error["count"]:
        return "no estimate was measured yet"
    return f"estimates are off by {exp(error['spread']) - 1:.0%} ({error['count']} builds)"

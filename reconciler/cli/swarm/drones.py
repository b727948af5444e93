"""drones: who builds."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.frame import Answer, Frame, HelpfulGroup, give, global_options, table
from reconciler.cli.streams import tell
from reconciler.cli.swarm.common import Data, a_name, complete_drone, orchestrator_of, swarm_settings_of
from reconciler.cli.times import ago, span

_name = click.argument("name", shell_complete=complete_drone)


@click.group(cls=HelpfulGroup, short_help="Who builds; drain, restart or enroll one.")
@global_options
def drones() -> None:
    """The machines that build."""


@drones.command("list", short_help="All that are enrolled, and what they do.")
@global_options
@click.pass_obj
def list_all(frame: Frame) -> int:
    """All that are enrolled, with what they build."""
    told = orchestrator_of(frame).get("drones")
    head = ["NAME", "STATE", "BUILDS", "PHASE", "QUEUED", "LOAD", "HEARD"]
    head += ["CORES", "MEMORY", "SPEED", "PROFILE"] if frame.wide else []
    rows = [_row(drone, wide=frame.wide) for drone in told]
    nothing = ["no drone is enrolled; next: reconciler drones enroll NAME"]
    return give(frame, Answer({"drones": told}, table([head, *rows]) if rows else nothing, _names(told)))


def _names(told: list[Data]) -> list[str]:
    return [drone["name"] for drone in told]


def _row(drone: Data, *, wide: bool) -> list[str]:
    heard = ago(drone["heard"]) if drone["heard"] else "never"
    built = drone["package"] or "-"
    shown = [
        drone["name"],
        state_of(drone),
        built,
        drone["phase"] or "-",
        str(_waiting(drone)),
        f"{drone['load']:.1f}",
        heard,
    ]
    memory = f"{drone['memory'] / (1 << 30):.0f}GiB"
    return shown + ([str(drone["cores"]), memory, f"{drone['speed']:.2f}", drone["profile"] or "any"] if wide else [])


def _waiting(drone: Data) -> int:
    return sum(build["state"] == "leased" for build in drone["holds"])


def state_of(drone: Data) -> str:
    """`building, drained`; `ended` is one that was stopped and has said so, `offline` one that fell silent.

    `unable` is one that cannot build now, as its disk is full.
    """
    state = "ended" if drone.get("gone") else drone["state"]
    ends = drone["draining"] and drone["state"] != "offline"
    more = (
        ["drained"] * drone["drained"]
        + ["unable" if drone.get("unable") else "ends"] * ends
        + ["sweeper"] * drone["sweeper"]
    )
    return ", ".join([state, *more])


@drones.command(short_help="One of them, and what it holds.")
@_name
@global_options
@click.pass_obj
def show(frame: Frame, name: str) -> int:
    """One drone, and what it holds."""
    return _shown(frame, orchestrator_of(frame).get("drones", name))


@drones.command(short_help="Give it nothing new; what it builds it may end.")
@_name
@global_options
@click.pass_obj
def drain(frame: Frame, name: str) -> int:
    """Give it nothing new. What it builds it may end; what waits for it goes elsewhere."""
    return _shown(frame, orchestrator_of(frame).post("drones", name, "drain"))


@drones.command(short_help="Give it builds again.")
@_name
@global_options
@click.pass_obj
def undrain(frame: Frame, name: str) -> int:
    """Give it builds again."""
    return _shown(frame, orchestrator_of(frame).post("drones", name, "undrain"))


@drones.command(short_help="Let it end what it does, and begin anew.")
@_name
@global_options
@click.pass_obj
def restart(frame: Frame, name: str) -> int:
    """Let it end what it does at once, and begin anew. Its builds are queued again; that is no failed try."""
    return _shown(frame, orchestrator_of(frame).post("drones", name, "restart"))


@drones.command(short_help="Make a credential for a drone.")
@click.argument("name", callback=a_name)
@global_options
@click.pass_obj
def enroll(frame: Frame, name: str) -> int:
    """Make the credential by which a drone is known. It is shown this once; one that it had before is void.

    NAME is what the drone calls itself: its `drone.name`, else its `host`, else its hostname.
    """
    told = orchestrator_of(frame).post("drones", name, "enroll")
    lines = [told["credential"]]
    code = give(frame, Answer(told, lines, lines))
    if not frame.machine and not frame.quiet:  # beside it: what is written into a file is the credential alone
        tell(_next(frame, name))
    return code


def _next(frame: Frame, name: str) -> str:
    """What has to be where, and which setting has to have which value."""
    from reconciler.settings import name_of_drone

    settings = swarm_settings_of(frame)
    own, secret = name_of_drone(settings), f"{settings.config_directory}/secrets/{settings.drone.credential}"
    if own == name:
        return f"next: the drone of this machine, which is called {name}, reads it from {secret} (mode 0600)"
    return (
        f'next: the drone reads it from {secret} (mode 0600), and needs name = "{name}" below [drone] of its '
        f"reconciler.toml; as it is, a drone of this machine is called {own}"
    )


@drones.command(short_help="Void its credential, and forget it.")
@_name
@global_options
@click.pass_obj
def revoke(frame: Frame, name: str) -> int:
    """Void the credential of a drone and forget it; what it builds is queued again."""
    told = orchestrator_of(frame).delete("drones", name)
    return give(frame, Answer({"drone": name, **told}, [f"{name} is a drone no more"], [name]))


def _shown(frame: Frame, drone: Data) -> int:
    cores = f"{drone['cores']} cores, {drone['memory'] / (1 << 30):.1f} GiB"
    lines = [
        f"{drone['name']}: {state_of(drone)} for {_since(drone)}",
        f"  {cores}, load {drone['load']:.1f}, speed {drone['speed']:.2f}, profile {drone['profile'] or 'any'}",
        f"  heard of {ago(drone['heard'])}" if drone["heard"] else "  it has never come",
        *([f"  it can build nothing: {drone['unable']}"] if drone.get("unable") else []),
        *(f"  {build['title']}  {build['state']}  {_phase(drone, build)}".rstrip() for build in drone["holds"]),
    ]
    return give(frame, Answer(dict(drone), lines, [drone["name"]]))


def _since(drone: Data) -> str:
    import time

    return span(max(0.0, time.time() - drone["since"])) if drone["since"] else "ever"


def _phase(drone: Data, build: Any) -> str:
    return str(drone["phase"]) if build["id"] == drone["build"] else ""

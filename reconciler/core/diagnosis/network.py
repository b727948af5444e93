"""Why a host cannot be reached: no network here, no such name, nobody there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.core.diagnosis.commands import shell
from reconciler.model.diagnosis import Finding

Reach = Literal["", "name", "refused", "silent", "no route", "reset"]
"""How far a connection comes: "" all the way; the name is unknown; nobody listens; no answer; no way; cut off."""


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface. `physical`: a card or radio of this machine, no bridge or tunnel."""

    name: str
    up: bool
    loopback: bool = False
    physical: bool = False


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """`reach`: of `host`:`port`; `routed`: whether there is a way beyond the next cable (a default route)."""

    host: str
    port: int
    reach: Reach
    why: str = ""
    near: bool = False
    routed: bool = True
    links: tuple[Link, ...] = ()


def no_way_there(facts: NetworkFacts) -> Finding | None:
    """None when the connection comes about, so that the trouble is elsewhere. `near`: the host is this machine."""
    if not facts.reach:
        return None
    address = f"{facts.host}:{facts.port}"
    if facts.reach in ("name", "no route", "silent") and (down := _down(facts)):
        return Finding(
            "remote",
            "fail",
            f"this machine has no network: {down.name} is down",
            why=f"{address}: {facts.why}",
            next="" if down.loopback else "then it needs its address again (networkctl renew, or ifup)",
            mend=shell("ip", "link", "set", "dev", down.name, "up"),
        )
    if facts.reach in ("name", "no route", "silent") and not facts.routed and not facts.near:
        return Finding(
            "remote",
            "fail",
            "this machine has no network: there is no default route",
            why=f"{address}: {facts.why}",
            next=f"get an address and a route: networkctl renew, nmcli, or ifup {_first(facts.links)}".rstrip(),
        )
    what, then = {
        "name": (
            f"the name {facts.host} is unknown here",
            "is it spelt right? does DNS work: getent hosts example.org",
        ),
        "refused": (f"nobody listens at {address}", "is the server running there, and is the port right?"),
        "silent": (f"{address} does not answer", "a firewall, or a machine that is off: look from that side"),
        "no route": (f"there is no way to {facts.host}", "look at: ip route get, a VPN that is down"),
        "reset": (f"{address} cuts the connection off", "look at that server's log, and at proxies in between"),
    }[facts.reach]
    return Finding("remote", "fail", what, why=facts.why, next=then)


def _down(facts: NetworkFacts) -> Link | None:
    """The interface whose absence explains it: the loopback for this very machine, else the only way out."""
    if facts.near:
        return next((link for link in facts.links if link.loopback and not link.up), None)
    cards = [link for link in facts.links if link.physical]
    return next(iter(cards), None) if cards and not any(link.up for link in cards) else None


def _first(links: Sequence[Link]) -> str:
    return next((link.name for link in links if link.physical), "")

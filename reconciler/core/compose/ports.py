"""Published ports, short and long (Compose specification, 05-services, `ports`)."""

from __future__ import annotations

import re

from reconciler.core.compose import keys, read
from reconciler.core.compose.problems import bad_value, check_keys, demand, fail, want_seq
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes, Reader
from reconciler.errors import Position
from reconciler.model.desired import Port

MOST = 1024
"""Ports that one service may publish; every one is a process on the host."""

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_PROTOCOLS = ("tcp", "udp", "sctp")
_FEWER = "publish fewer, or use network_mode: host"
_FORM = "a port; write CONTAINER, HOST:CONTAINER or IP:HOST:CONTAINER, with /udp at the end for UDP"


def ports(holder: Map, key: str) -> tuple[Port, ...]:
    """The published ports of a service, ranges expanded, doubles dropped. BadConfiguration."""
    items = want_seq(holder[key], holder.at(key), key)
    found: dict[Port, None] = {}
    with Mistakes() as mistakes:
        for index, item in enumerate(items):
            made = mistakes.of(_long, item) if isinstance(item, Map) else mistakes.of(_short, items, index)
            found.update(dict.fromkeys(made or ()))
            if len(found) > MOST:
                fail(
                    "E-COMPOSE-VALUE",
                    f"more than {MOST} ports are published",
                    items.at(index),
                    next="use network_mode: host",
                )
    return tuple(found)


def _short(items: Seq, index: int) -> list[Port]:
    at = items.at(index)
    whole = read.spelled(items, index)
    spec, _, protocol = whole.partition("/")
    protocol = protocol.lower() or "tcp"
    host, colon, target = spec.rpartition(":")
    ip, published = "", ""
    if colon:
        ip, _, published = host.rpartition(":")
    if protocol not in _PROTOCOLS or (whole.count("/") and whole.endswith("/")):
        bad_value(at, index, items[index], f"one of {', '.join(_PROTOCOLS)} after the /")
    targets = _range(target)
    if targets is None or (colon and host != "" and not published and not ip):
        bad_value(at, index, items[index], _FORM)
    return _expand(targets, published, _address(ip, at, items[index]), protocol, at=at, shown=items[index])


def _long(item: Map) -> list[Port]:
    with Mistakes() as mistakes:
        mistakes.of(check_keys, item, keys.PORT, "ports")
        found = mistakes.written(_LONG, item)
        demand(item, keys.PORT, "a port needs a target", "target")
    where = item.at("published") if "published" in item else item.position
    published, protocol = found.get("published", ""), found.get("protocol", "tcp")
    return _expand(found["target"], published, found.get("host_ip", ""), protocol, at=where, shown=published)


def _target(item: Map, key: str) -> tuple[int, int]:
    targets = _range(read.spelled(item, key))
    if targets is None:
        bad_value(item.at(key), key, item[key], "a port")
    return targets


_LONG: dict[str, Reader] = {
    "target": _target,
    "protocol": lambda item, key: read.choice(item, key, _PROTOCOLS),
    "published": read.spelled,
    "host_ip": lambda item, key: _address(read.text(item, key), item.at(key), item[key]),
    "mode": lambda item, key: read.choice(item, key, ("host", "ingress")),
}


def _address(ip: str, at: Position, shown: object) -> str:
    bare = ip[1:-1] if ip.startswith("[") and ip.endswith("]") else ip
    if not re.fullmatch(r"([0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?|", bare):
        bad_value(at, "host address", shown, "an IP address with ports")
    if "." in bare and ":" not in bare and any(int(part) > 255 for part in bare.split(".")):
        bad_value(at, "host address", shown, "an IP address with ports")
    return bare


def _range(text: str) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    first = int(found[1])
    last = int(found[2]) if found[2] else first
    return (first, last) if 1 <= first <= last <= 65535 else None


def _expand(
    targets: tuple[int, int], published: str, ip: str, protocol: str, *, at: Position, shown: object
) -> list[Port]:
    count = targets[1] - targets[0] + 1
    if count > MOST:
        fail("E-COMPOSE-VALUE", f"a range of {count} ports is too long", at, next=_FEWER)
    if published in ("", "0"):
        return [Port(target, protocol, ip) for target in range(targets[0], targets[1] + 1)]
    hosts = _range(published)
    if hosts is None:
        bad_value(at, "published", shown, "a port of the host, or a range of them")
    if hosts[1] - hosts[0] + 1 == count:
        return [Port(targets[0] + i, protocol, ip, str(hosts[0] + i)) for i in range(count)]
    if count > 1:
        bad_value(at, "published", shown, f"a range as long as that of the container ({count} ports)")
    return [Port(targets[0], protocol, ip, f"{hosts[0]}-{hosts[1]}")]

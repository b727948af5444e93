"""What one part of a stack says about another must hold: names exist, nothing waits for itself, nobody collides."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.compose.problems import fail, show
from reconciler.core.document import Map
from reconciler.core.mistakes import Mistakes
from reconciler.core.ports_taken import is_fixed, meet
from reconciler.errors import Position
from reconciler.model.desired import Port, Service


def check(
    services: tuple[Service, ...],
    sections: dict[str, Map],
    disabled: frozenset[str],
    others: frozenset[str],
    mistakes: Mistakes,
) -> None:
    """Refuse dangling names, cycles, and names or ports that two services want.

    `others`: services of the stack that could not be read: nothing is said about those.
    """
    raw = sections["services"]
    names = {*(s.name for s in services), *others}
    for service in services:
        where = raw[service.name]
        mistakes.of(_check_services, service, where, names, disabled)
        mistakes.of(_check_hosts, service, where, {s.name for s in services if not s.replicas})
        mistakes.of(_check_named, service, where, sections)
        mistakes.of(_check_replicas, service, where)
    mistakes.of(_check_cycles, services, raw)
    mistakes.of(_check_container_names, services, raw)
    mistakes.of(_check_ports, services, raw)


def _missing(what: str, name: str, at: Position, next: str) -> None:
    fail("E-COMPOSE-REFERENCE", f"there is no {what} {show(name)} in this stack", at, next=next)


def _check_services(service: Service, where: Map, names: set[str], disabled: frozenset[str]) -> None:
    linked = {name for name, _ in service.links}
    wanted = [("links" if d.service in linked else "depends_on", d.service) for d in service.depends_on if d.required]
    for key in ("network_mode", "pid", "ipc"):
        mode: str = getattr(service, key)
        if mode.startswith("service:"):
            wanted.append((key, mode.removeprefix("service:")))
    optional = {d.service for d in service.depends_on if not d.required}
    with Mistakes() as mistakes:
        for name in sorted(optional - names - disabled):
            mistakes.of(_missing, "service", name, where.at("depends_on"), "correct the name")
        for key, name in wanted:
            if name in disabled:
                mistakes.of(
                    fail,
                    "E-COMPOSE-REFERENCE",
                    f"{service.name} needs {name}, whose profiles are off",
                    where.at(key),
                    next=f"switch the profile on, give {service.name} the same profiles, or say required: false",
                )
            elif name not in names:
                mistakes.of(_missing, "service", name, where.at(key), "correct the name, or define the service")


def _check_hosts(service: Service, where: Map, empty: set[str]) -> None:
    for key in ("network_mode", "pid", "ipc"):
        kind, _, name = getattr(service, key).partition(":")
        if kind == "service" and name in empty and service.replicas:
            fail(
                "E-COMPOSE-REFERENCE",
                f"{service.name} shares a namespace of {name}, which has no container (replicas: 0)",
                where.at(key),
                next=f"give {name} a replica, or {service.name} none",
            )


def _check_named(service: Service, where: Map, sections: dict[str, Map]) -> None:
    wanted = [
        ("network", attachment.network, "define it under the top-level networks:") for attachment in service.networks
    ]
    advice = "define it under the top-level volumes:, or begin it with ./ when it is a path"
    wanted += [("volume", mount.source, advice) for mount in service.mounts if mount.kind == "volume" and mount.source]
    wanted += [(grant.kind, grant.key, f"define it under the top-level {grant.kind}s:") for grant in service.grants]
    with Mistakes() as mistakes:
        for kind, name, advice in wanted:
            if name not in sections[f"{kind}s"] and (kind, name) != ("network", "default"):
                mistakes.of(_missing, kind, name, where.at(f"{kind}s"), advice)


def _check_replicas(service: Service, where: Map) -> None:
    if service.replicas < 2:
        return
    at = where.at("scale") if where.get("scale") is not None else where.child("deploy").at("replicas")
    if service.container_name:
        fail(
            "E-COMPOSE-VALUE",
            f"{service.replicas} containers cannot all have one name",
            at,
            next="remove container_name",
        )
    if any(is_fixed(port) for port in service.ports):
        fail(
            "E-COMPOSE-VALUE",
            f"{service.replicas} containers cannot all publish the same port of the host",
            at,
            next="publish a range of ports, or put a proxy in front",
        )


def _check_cycles(services: tuple[Service, ...], raw: Map) -> None:
    edges = {s.name: [*(d.service for d in s.depends_on), *s.namespace_hosts] for s in services}
    done: set[str] = set()
    for start, first in edges.items():
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(first)}
        while path:
            current, rest = next(reversed(path.items()))
            following = next(rest, None)
            if following is None:
                done.add(current)
                del path[current]
            elif following in path:
                ring = [*list(path)[list(path).index(following) :], following]
                fail(
                    "E-COMPOSE-CYCLE",
                    f"services wait for each other: {' -> '.join(ring)}",
                    raw[following].at("depends_on"),
                    next="remove one of the dependencies",
                )
            elif following in edges and following not in done:
                path[following] = iter(edges[following])


def _check_container_names(services: tuple[Service, ...], raw: Map) -> None:
    seen: dict[str, str] = {}
    for service in services:
        if service.container_name and seen.setdefault(service.container_name, service.name) != service.name:
            other = seen[service.container_name]
            fail(
                "E-COMPOSE-REFERENCE",
                f"{other} and {service.name} both want the name {show(service.container_name)}",
                raw[service.name].at("container_name"),
                next="rename one of them",
            )


def _check_ports(services: tuple[Service, ...], raw: Map) -> None:
    taken: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for service in services:
        for port in service.ports:
            if not is_fixed(port):
                continue
            others = taken.setdefault((port.host_port, port.protocol), [])
            for address, other in others:
                if meet(address, port.host_ip):
                    _collide(port, service.name, other, raw[service.name].at("ports"))
            others.append((port.host_ip, service.name))


def _collide(port: Port, name: str, other: str, at: Position) -> None:
    whose = f"{other} and {name} both publish" if other != name else f"{name} publishes twice"
    fail(
        "E-COMPOSE-REFERENCE",
        f"{whose} the host's port {port.host_port}/{port.protocol}",
        at,
        next="give one of them another port, or bind them to different addresses",
    )

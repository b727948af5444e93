"""`x-reconciler.verify`: the probes of a stack, each of exactly one kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from posixpath import join, normpath
from typing import Annotated, Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import Field

from reconciler.core.compose.values import parse_duration
from reconciler.core.manifest.checked import BY_KIND, LIST, TEXT, Duration, Name, Strict, Text
from reconciler.core.manifest.kinds import Says
from reconciler.core.mistakes import Mistakes
from reconciler.core.positioned import Map, Seq
from reconciler.errors import BadConfiguration, Position
from reconciler.model.desired import Stack
from reconciler.model.probe import Check, ContainersCheck, ExecCheck, FileCheck, HttpCheck, Probe, Scalar, TcpCheck

KINDS: dict[str, tuple[str, ...]] = {
    "http": ("status", "json", "body", "headers", "insecure"),
    "exec": ("service",),
    "tcp": (),
    "file": ("contains", "exists"),
    "containers": (),
}
"""What a probe looks at, and the keys that go with it."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110, 5.6.2


class ProbeModel(Strict):
    """One probe: `http`, `exec`, `tcp`, `file` or `containers`, and how often and how long it is tried."""

    name: str = ""
    http: Annotated[
        str,
        Field(description="URL that is asked from the host; no redirect is followed"),
        Says("an address", "http://127.0.0.1:8080/health"),
    ] = ""
    status: Annotated[int, Field(ge=100, le=599)] = 200
    json_: Annotated[
        dict[str, Annotated[Scalar, Says("text, a number, true, false or null", "ok")]],
        Field(alias="json", description="Path of keys, joined by / -> the value that is there"),
    ] = {}
    body: Annotated[str, Field(description="Text that the answer holds")] = ""
    headers: dict[str, str] = {}
    insecure: Annotated[bool, Field(description="Any certificate will do")] = False
    exec: Annotated[list[Text], Field(description="Command in the containers of `service`")] = []
    service: str = ""
    tcp: Annotated[str, Field(description="HOST:PORT"), Says("HOST:PORT", "127.0.0.1:5432")] = ""
    file: Annotated[str, Field(description="Path, from the stack's folder in the check-out")] = ""
    contains: str = ""
    exists: bool = True
    containers: Annotated[
        Annotated[Annotated[Literal["all"], TEXT] | Annotated[list[Name], LIST], BY_KIND],
        Field(description="`all`, or services: their containers run and are healthy"),
        Says("`all`, or a list of services", "all"),
    ] = []
    timeout: Annotated[Duration, Field(description="For one sample")] = "5s"
    interval: Annotated[Duration, Field(description="Between two samples")] = "1s"
    within: Annotated[Duration, Field(description="Until enough samples in a row are good")] = "30s"
    samples: Annotated[int, Field(ge=1, le=100, description="How many in a row must be good")] = 3


def probes(models: Sequence[ProbeModel], raw: Map) -> tuple[Probe, ...]:
    """The probes of `x-reconciler` as values. BadConfiguration, with the lines of the probes that are wrong."""
    written = raw.get("verify")
    places = written if isinstance(written, Seq) else Seq()
    made: list[Probe] = []
    with Mistakes() as mistakes:
        for index, model in enumerate(models):
            item = places[index]
            at = item.position if isinstance(item, Map) else places.at(index)
            given = item if isinstance(item, Map) else Map()
            if probe := mistakes.of(_probe, model, given, at, {probe.name for probe in made}):
                made.append(probe)
    return tuple(made)


def with_probes(
    stack: Stack, found: Sequence[Probe], checkout: str, raw: Map, others: Collection[str] = frozenset()
) -> Stack:
    """The stack with its probes, the paths of files made absolute. BadConfiguration for a service that is not there.

    `raw`: `x-reconciler` as it stands in the file; `others`: services that are there as well.
    """
    known = sorted({*(service.name for service in stack.services), *others})
    with Mistakes() as mistakes:
        for index, probe in enumerate(found):
            named: Collection[str] = probe.check.services if isinstance(probe.check, ContainersCheck) else ()
            for name in (*named, *((probe.service,) if probe.service else ())):
                if name not in known:
                    at = raw.item_at("verify", index)
                    mistakes.of(
                        _refuse, probe.name, f"the stack has no service {name!r}", f"it has: {', '.join(known)}", at
                    )
    return replace(stack, verify=tuple(_on_host(probe, f"{checkout}/{stack.directory}") for probe in found))


def _on_host(probe: Probe, folder: str) -> Probe:
    if not isinstance(probe.check, FileCheck):
        return probe
    return replace(probe, check=replace(probe.check, path=normpath(join(folder, probe.check.path))))


def _probe(model: ProbeModel, item: Map, at: Position, taken: Collection[str]) -> Probe:
    shown = model.name or "a probe"
    kinds = [kind for kind in KINDS if kind in item]
    if len(kinds) != 1:
        raise _wrong(shown, f"it has {' and '.join(kinds) or 'no kind'}", f"it has one of {', '.join(KINDS)}", at)
    kind = kinds[0]
    with Mistakes() as mistakes:
        for other, keys in KINDS.items():
            for key in keys:
                if other != kind and key in item:
                    why = f"`{key}` goes with `{other}`, and this one is `{kind}`"
                    mistakes.of(_refuse, shown, f"{key} says nothing there", why, item.key_at(key))
        seconds = {key: parse_duration(getattr(model, key)) or 0.0 for key in ("timeout", "interval", "within")}
        for key, value in seconds.items():
            if not value:
                mistakes.of(_refuse, shown, f"{key} is zero", "nothing answers in no time", item.at(key))
        check = _CHECKS[kind](model, shown, item.at(kind))
        name = model.name or _name(check)
        if name in taken:
            raise _wrong(name, "there are two of that name", "a failure names the probe: give one another `name:`", at)
        if all(seconds.values()) and seconds["interval"] * (model.samples - 1) >= seconds["within"]:
            why = f"{model.samples} samples, one every {seconds['interval']:g} s, take longer"
            raise _wrong(name, f"it cannot hold within {seconds['within']:g} s", why, at)
    return Probe(name, check, samples=model.samples, **seconds)


def _http(model: ProbeModel, shown: str, at: Position) -> HttpCheck:
    if not _is_plain_url(model.http):
        raise _wrong(shown, "that is no http:// or https:// address", "no blanks, no user and password in it", at)
    for name, value in model.headers.items():
        if not _HEADER.fullmatch(name) or not re.fullmatch(r"[\t -~]*", value):
            raise _wrong(shown, f"{name!r} is no header", "a name has no blanks, a value is one line of ASCII", at)
    json = tuple((path.strip("/"), value) for path, value in model.json_.items())
    return HttpCheck(
        model.http, model.status, json, model.body, tuple(sorted(model.headers.items())), insecure=model.insecure
    )


def _is_plain_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        there = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return there and "@" not in url.netloc and bool(re.fullmatch(r"[!-~]+", text))


def _exec(model: ProbeModel, shown: str, at: Position) -> ExecCheck:
    if not model.exec or not model.service:
        raise _wrong(shown, "it is not clear what runs where", "exec: is a command, service: whose containers", at)
    return ExecCheck(tuple(model.exec), model.service)


def _tcp(model: ProbeModel, shown: str, at: Position) -> TcpCheck:
    found = _ADDRESS.fullmatch(model.tcp)
    if not found or not 0 < int(found["port"]) < 65536:
        raise _wrong(shown, "that is no address", "tcp: is HOST:PORT, such as 127.0.0.1:5432 or [::1]:5432", at)
    return TcpCheck(found["host"].strip("[]"), int(found["port"]))


def _file(model: ProbeModel, shown: str, at: Position) -> FileCheck:
    if not model.file or "\0" in model.file or (model.contains and not model.exists):
        raise _wrong(
            shown, "it is not clear what is looked for", "file: is a path that holds something, or no file", at
        )
    return FileCheck(model.file, model.contains, exists=model.exists)


def _containers(model: ProbeModel, shown: str, at: Position) -> ContainersCheck:
    if not model.containers:
        raise _wrong(shown, "it names no container", "containers: is `all`, or a list of services", at)
    return ContainersCheck(() if model.containers == "all" else tuple(model.containers))


_CHECKS: dict[str, Callable[[ProbeModel, str, Position], Check]] = {
    "http": _http,
    "exec": _exec,
    "tcp": _tcp,
    "file": _file,
    "containers": _containers,
}


def _name(check: Check) -> str:
    match check:
        case HttpCheck(url=url):
            return f"http {url}"
        case ExecCheck(command=command, service=service):
            return f"exec {command[0]} in {service}"
        case TcpCheck(host=host, port=port):
            return f"tcp {host}:{port}"
        case FileCheck(path=path):
            return f"file {path}"
        case ContainersCheck(services=services):
            return f"containers {', '.join(services) or 'all'}"


def _refuse(name: str, what: str, why: str, at: Position) -> NoReturn:
    raise _wrong(name, what, why, at)


def _wrong(name: str, what: str, why: str, at: Position) -> BadConfiguration:
    return BadConfiguration(
        "E-MANIFEST-VERIFY", f"verify, {name}: {what}", why=why, next="mend it under x-reconciler.verify", at=at
    )

"""How a container that exists differs from the one that is wanted, field by field, in words.

The words name variables and options but never their values where those may be secret.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from reconciler.core.limits import swap_beside
from reconciler.core.mounted import mounted
from reconciler.core.tuned import TUNED, comparable
from reconciler.model.observed import Container
from reconciler.model.plan import ContainerSpec

_CONFIG = {
    "Cmd": "command",
    "Entrypoint": "entrypoint",
    "User": "user",
    "WorkingDir": "working_dir",
    "Hostname": "hostname",
    "Domainname": "domainname",
    "Tty": "tty",
    "OpenStdin": "stdin_open",
    "StopSignal": "stop_signal",
    "StopTimeout": "stop_grace_period",
    "Healthcheck": "healthcheck",
}
_HOST = {
    "CapAdd": "cap_add",
    "CapDrop": "cap_drop",
    "Devices": "devices",
    "SecurityOpt": "security_opt",
    "ReadonlyRootfs": "read_only",
    "Dns": "dns",
    "DnsSearch": "dns_search",
    "DnsOptions": "dns_opt",
    "Sysctls": "sysctls",
    "Init": "init",
    "LogConfig": "logging",
    "ShmSize": "shm_size",
    "Ulimits": "ulimits",
    "ExtraHosts": "extra_hosts",
    "GroupAdd": "group_add",
    "PidMode": "pid",
    "IpcMode": "ipc",
    "Memory": "memory limit",
    "MemoryReservation": "memory reservation",
    "NanoCpus": "cpus",
    "PidsLimit": "pids limit",
    "DeviceRequests": "gpus",
} | TUNED
# What the engine fills in by itself when nobody asked.
_ENGINE_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "ShmSize": (67108864,),
    "IpcMode": ("private", "shareable"),
    "MemorySwappiness": (-1,),
}

_CHOSEN = ("CgroupnsMode", "Runtime")


def differences(
    spec: ContainerSpec,
    container: Container,
    lacks: Collection[str] = (),
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Every difference that explains why a fingerprint changed; may be empty when only file content did.

    `lacks`: keys of HostConfig that are not looked at, because this host's engine drops them, for example; `defaults`:
    what the engine fills in for others.
    """
    body, live = (
        {**of, "HostConfig": {key: value for key, value in of.get("HostConfig", {}).items() if key not in lacks}}
        for of in (spec.body, container.definition)
    )
    ids = {container.networks[name][0] for name in spec.endpoints if name in container.networks}
    return (*_surest(body, live), *_rest(body, live, {*spec.endpoints, *ids}, defaults))


def tampering(spec: ContainerSpec, container: Container) -> tuple[str, ...]:
    """Differences under an equal fingerprint: somebody copied our labels onto another container.

    Only fields that every engine gives back as they were asked for are looked at, so that an engine's
    own way of writing a default is never taken for a hand's work.
    """
    return tuple(_surest(spec.body, container.definition))


def _surest(body: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    host, live_host = body.get("HostConfig", {}), live.get("HostConfig", {})
    if (was := live.get("Image", "")) != body["Image"]:
        yield f"image {was or 'unknown'} -> {body['Image']}"
    yield from _environment(body.get("Env", []), live.get("Env") or [])
    for key in ("Cmd", "Entrypoint"):
        if key in body and _words(body[key]) != _words(live.get(key)) and not _engine_decides(key, body):
            yield f"{_CONFIG[key]} changed"
    yield from _mounted(host, live_host)
    yield from _ports(host.get("PortBindings") or {}, live_host.get("PortBindings") or {})
    if bool(host.get("Privileged")) != bool(live_host.get("Privileged")):
        yield f"privileged {live_host.get('Privileged')} -> {host.get('Privileged', False)}"


def _engine_decides(key: str, body: Mapping[str, Any]) -> bool:
    """An empty command counts only beside an entrypoint that holds something; else the engine takes the image's."""
    return key == "Cmd" and not body[key] and not body.get("Entrypoint")


def _rest(
    body: Mapping[str, Any], live: Mapping[str, Any], networks: Collection[str], defaults: Mapping[str, Any]
) -> Iterator[str]:
    """`networks`: names of those that are wanted, and their ids, which Compose 2 writes for external ones."""
    host, live_host = body.get("HostConfig", {}), live.get("HostConfig", {})
    for key, name in _CONFIG.items():
        if key in body and key not in ("Cmd", "Entrypoint") and _cleaned(key, body[key]) != live.get(key):
            yield changed(name, live.get(key), body[key])
    for key, name in _HOST.items():
        wanted, is_now = _alike(key, host), _alike(key, live_host)
        if key == "LogConfig" and wanted and is_now and not wanted["Type"]:
            wanted = {**wanted, "Type": is_now["Type"]}  # options alone are for the engine's own driver
        if not wanted and (_is_default(key, is_now) or _is_chosen(key, is_now, defaults)):
            continue
        if wanted != is_now and not _both_shared(wanted, is_now):
            yield changed(name, is_now, wanted)
    wanted, is_now = host.get("NetworkMode"), live_host.get("NetworkMode")
    if wanted and wanted != is_now and not _both_shared(wanted, is_now) and is_now not in networks:
        yield f"network {live_host.get('NetworkMode')} -> {wanted}"
    yield from _labels(body.get("Labels", {}), live.get("Labels") or {})


def _cleaned(key: str, wanted: Any) -> Any:
    """As the engine keeps it: a folder without a slash at its end."""
    return posixpath.normpath(wanted) if key == "WorkingDir" else wanted


def _alike(key: str, host: Mapping[str, Any]) -> Any:
    """A value of HostConfig in one way of writing: what has no order is sorted, and prefixes are as we write them."""
    value = host.get(key)
    match key:
        case "CapAdd" | "CapDrop":  # newer engines add the prefix
            return sorted(cap.removeprefix("CAP_") for cap in value or ())
        case "SecurityOpt":
            options = [option.replace(":", "=", 1) if "=" not in option else option for option in value or ()]
            # Engines add it beside a namespace of the host.
            return sorted(set(options) - {"label=disable"} if _in_a_namespace_of_the_host(host) else options)
        case "Ulimits":
            return sorted(value or (), key=lambda limit: str(limit["Name"]))
        case "ExtraHosts" | "GroupAdd" | "DeviceCgroupRules":
            return sorted(value or ())
        case "DeviceRequests":
            return comparable(value)
        case "MemorySwap":
            return None if swap_beside(host) == swap_beside({**host, key: 0}) else value
        case "CgroupnsMode":  # what is privileged has that of the host by itself
            return None if value == "host" and host.get("Privileged") else value
        case _:
            return value


def _in_a_namespace_of_the_host(host: Mapping[str, Any]) -> bool:
    return bool(host.get("Privileged")) or "host" in (host.get("PidMode"), host.get("IpcMode"))


def _is_default(key: str, is_now: Any) -> bool:
    """Whether an engine sets it by itself; a log driver without options is its own choice."""
    return not is_now or is_now in _ENGINE_DEFAULTS.get(key, ()) or (key == "LogConfig" and not is_now.get("Config"))


def _is_chosen(key: str, is_now: Any, defaults: Mapping[str, Any]) -> bool:
    """Whether it is what this engine chooses where nobody does; unless that is known, every choice may be its own."""
    return key in _CHOSEN and is_now == defaults.get(key, is_now)


def _words(given: list[str] | None) -> list[str]:
    """The engine reports [""], which clears an image's entrypoint, as nothing."""
    return [] if given in (None, [""]) else list(given)


def _both_shared(wanted: Any, is_now: Any) -> bool:
    """The engine turns names into ids, so text says nothing about who is joined: drift.joins does."""
    return str(wanted).startswith(("service:", "container:")) and str(is_now).startswith("container:")


def _environment(wanted: list[str], live: list[str]) -> Iterator[str]:
    """The image's own variables come on top, so only what we ask for is compared."""
    have = dict(entry.partition("=")[::2] for entry in live)
    changed = [name for name, is_set, value in (e.partition("=") for e in wanted) if is_set and have.get(name) != value]
    if changed:
        yield f"environment {', '.join(sorted(changed))} changed"


def _mounted(host: Mapping[str, Any], live_host: Mapping[str, Any]) -> Iterator[str]:
    wanted, have = set(mounted(host).values()), set(mounted(live_host).values())
    yield from sorted(f"{mount} added" for mount in wanted - have)
    yield from sorted(f"{mount} removed" for mount in have - wanted)


def _ports(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    for port in sorted({*wanted, *live}):
        if (now := _addresses(live.get(port))) != (then := _addresses(wanted.get(port))):
            yield f"port {port} {now or 'unpublished'} -> {then or 'unpublished'}"


def _addresses(bindings: list[Mapping[str, str]] | None) -> str:
    chosen = ((b.get("HostIp", ""), b.get("HostPort", "")) for b in bindings or [])
    return " ".join(sorted(f"{address}:{'' if port == '0' else port}" for address, port in chosen))


def _labels(wanted: Mapping[str, str], live: Mapping[str, str]) -> Iterator[str]:
    ours = ("reconciler.", "com.docker.compose.")
    changed = sorted(k for k, v in wanted.items() if not k.startswith(ours) and live.get(k) != v)
    if changed:
        yield f"label {', '.join(changed)} changed"


def changed(name: str, live: Any, wanted: Any) -> str:
    """Lists and mappings (a healthcheck's command, logging options) may hold a secret: only single values are shown."""
    if isinstance(live, (list, dict)) or isinstance(wanted, (list, dict)):
        return f"{name} changed"
    return f"{name} {_shown(live)} -> {_shown(wanted)}"


def _shown(value: Any) -> str:
    return "unset" if value in (None, "", 0) else str(value)

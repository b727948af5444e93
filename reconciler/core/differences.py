"""How a container that exists differs from the one that is wanted, field by field, in words.

The words name variables and options but never their values where those may be secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from reconciler.model.observed import Container
from reconciler.model.plan import ContainerSpec

_ANONYMOUS = re.compile(r"^[0-9a-f]{64}:")

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
    "Mounts": "volumes",
    "Tmpfs": "tmpfs",
    "CapAdd": "cap_add",
    "CapDrop": "cap_drop",
    "Devices": "devices",
    "SecurityOpt": "security_opt",
    "ReadonlyRootfs": "read_only",
    "Privileged": "privileged",
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
}
# What the engine fills in by itself when nobody asked.
_ENGINE_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "ShmSize": (67108864,),
    "IpcMode": ("private", "shareable"),
    "LogConfig": ({"Type": "json-file", "Config": {}},),
}


def differences(spec: ContainerSpec, container: Container, lacks: Collection[str] = ()) -> tuple[str, ...]:
    """Every difference that explains why a fingerprint changed; may be empty when only file content did.

    `lacks`: keys of HostConfig that this host's engine drops.
    """
    host = {key: value for key, value in spec.body.get("HostConfig", {}).items() if key not in lacks}
    return tuple(_all({**spec.body, "HostConfig": host}, container.definition, strict=True))


def tampering(spec: ContainerSpec, container: Container) -> tuple[str, ...]:
    """Differences under an equal fingerprint: somebody copied our labels onto another container.

    Only fields that every engine gives back as they were asked for are looked at, so that an engine's
    own way of writing a default is never taken for a hand's work.
    """
    return tuple(_all(spec.body, container.definition, strict=False))


def _all(body: Mapping[str, Any], live: Mapping[str, Any], *, strict: bool) -> Iterator[str]:
    host, live_host = body.get("HostConfig", {}), live.get("HostConfig", {})
    if (was := live.get("Image", "")) != body["Image"]:
        yield f"image {was or 'unknown'} -> {body['Image']}"
    yield from _environment(body.get("Env", []), live.get("Env") or [])
    for key in ("Cmd", "Entrypoint"):
        if key in body and _words(body[key]) != _words(live.get(key)) and not _engine_decides(key, body):
            yield f"{_CONFIG[key]} changed"
    yield from _binds(host.get("Binds") or [], live_host.get("Binds") or [])
    yield from _ports(host.get("PortBindings") or {}, live_host.get("PortBindings") or {})
    if bool(host.get("Privileged")) != bool(live_host.get("Privileged")):
        yield f"privileged {live_host.get('Privileged')} -> {host.get('Privileged', False)}"
    if strict:
        yield from _rest(body, live, host, live_host)


def _engine_decides(key: str, body: Mapping[str, Any]) -> bool:
    """An empty command counts only beside an entrypoint that holds something; else the engine takes the image's."""
    return key == "Cmd" and not body[key] and not body.get("Entrypoint")


def _rest(
    body: Mapping[str, Any], live: Mapping[str, Any], host: Mapping[str, Any], live_host: Mapping[str, Any]
) -> Iterator[str]:
    for key, name in _CONFIG.items():
        if key in body and key not in ("Cmd", "Entrypoint") and body[key] != live.get(key):
            yield _changed(name, live.get(key), body[key])
    for key, name in _HOST.items():
        if key == "Privileged":
            continue
        wanted, is_now = host.get(key), live_host.get(key)
        if key in ("CapAdd", "CapDrop"):  # newer engines add the prefix
            wanted, is_now = (sorted(cap.removeprefix("CAP_") for cap in caps or ()) for caps in (wanted, is_now))
        if not wanted and (not is_now or is_now in _ENGINE_DEFAULTS.get(key, ())):
            continue
        if wanted != is_now and not _both_shared(wanted, is_now):
            yield _changed(name, is_now, wanted)
    wanted, is_now = host.get("NetworkMode"), live_host.get("NetworkMode")
    if wanted and wanted != is_now and not _both_shared(wanted, is_now):
        yield f"network {live_host.get('NetworkMode')} -> {wanted}"
    yield from _labels(body.get("Labels", {}), live.get("Labels") or {})


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


def _binds(wanted: list[str], live: list[str]) -> Iterator[str]:
    """Anonymous volumes that were carried over are not part of the definition."""
    have = {bind for bind in live if not _ANONYMOUS.match(bind)}
    for bind in sorted(set(wanted) - have):
        yield f"volume {bind} added"
    for bind in sorted(have - set(wanted)):
        yield f"volume {bind} removed"


def _ports(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    for port in sorted({*wanted, *live}):
        if (now := _addresses(live.get(port))) != (then := _addresses(wanted.get(port))):
            yield f"port {port} {now or 'unpublished'} -> {then or 'unpublished'}"


def _addresses(bindings: list[Mapping[str, str]] | None) -> str:
    return " ".join(sorted(f"{b.get('HostIp', '')}:{b.get('HostPort', '')}" for b in bindings or []))


def _labels(wanted: Mapping[str, str], live: Mapping[str, str]) -> Iterator[str]:
    ours = ("reconciler.", "com.docker.compose.")
    changed = sorted(k for k, v in wanted.items() if not k.startswith(ours) and live.get(k) != v)
    if changed:
        yield f"label {', '.join(changed)} changed"


def _changed(name: str, live: Any, wanted: Any) -> str:
    """Lists and mappings (a healthcheck's command, logging options) may hold a secret: only single values are shown."""
    if isinstance(live, (list, dict)) or isinstance(wanted, (list, dict)):
        return f"{name} changed"
    return f"{name} {_shown(live)} -> {_shown(wanted)}"


def _shown(value: Any) -> str:
    return "unset" if value in (None, "", 0) else str(value)

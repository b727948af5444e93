"""A service becomes the create request of the Engine API (docs.docker.com/engine/api, POST /containers/create).

Only what the engine alone knows is left open: ids of namespaces that are shared, and volumes that carry over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core.fingerprint import Sealer
from reconciler.core.tuned import device_requests, tuned
from reconciler.model import labels
from reconciler.model.desired import (
    Attachment,
    FileObject,
    Grant,
    Healthcheck,
    Mount,
    RestartPolicy,
    Service,
    Stack,
)
from reconciler.model.observed import Slot
from reconciler.model.plan import ContainerSpec


@dataclass(frozen=True, slots=True)
class HostPaths:
    """Absolute folders of the host: the check-out, files made from inline content, and the host's own secrets."""

    checkout: str
    rendered: str
    secrets: str


def container_name(service: Service, number: int) -> str:
    return service.container_name or f"{service.stack}-{service.name}-{number}"


def image_reference(service: Service) -> str:
    """A built service without `image:` is named as Compose names it."""
    return service.image or f"{service.stack}-{service.name}"


def file_path(item: FileObject, stack: Stack, paths: HostPaths, sealer: Sealer) -> str:
    """Where on the host the content of a config or secret lies."""
    if item.repo_path is not None:
        return f"{paths.checkout}/{item.repo_path}"
    if item.host_path is not None:
        return item.host_path
    if item.content is not None:
        # The name changes with the content, so a bind of it never shows a stale inode.
        return f"{paths.rendered}/{stack.name}/{item.kind}s/{item.name}-{sealer.seal(item.content)[:16]}"
    return f"{paths.secrets}/{item.name}"


def render(
    service: Service,
    stack: Stack,
    number: int,
    paths: HostPaths,
    sealer: Sealer,
    names: Mapping[str, Slot] | None = None,
) -> ContainerSpec:
    """The container of one replica, without our own labels: `fingerprint.stamp` adds them.

    `names`: the container names of the whole fleet on this host, so that `container:NAME` finds the slot behind it.
    """
    endpoints = dict(_endpoint(attachment, service, stack) for attachment in _by_priority(service))
    return ContainerSpec(
        slot=Slot(stack.name, service.name, number),
        name=container_name(service, number),
        image=image_reference(service),
        fingerprint="",
        body=_body(service, stack, paths, sealer, next(iter(endpoints), "")),
        endpoints=endpoints,
        namespaces=dict(_namespaces(service, names or {})),
        platform=service.platform,
    )


def _by_priority(service: Service) -> list[Attachment]:
    return sorted(service.networks, key=lambda a: -a.priority)


def _endpoint(attachment: Attachment, service: Service, stack: Stack) -> tuple[str, dict[str, Any]]:
    name = next(n.name for n in stack.networks if n.key == attachment.network)
    addresses = {
        "IPv4Address": attachment.ipv4_address,
        "IPv6Address": attachment.ipv6_address,
        "LinkLocalIPs": list(attachment.link_local_ips),
    }
    settings: dict[str, Any] = {"Aliases": list(dict.fromkeys((*attachment.aliases, service.name)))}
    if service.links:
        settings["Links"] = [f"{target}:{alias}" for target, alias in service.links]
    if given := {key: value for key, value in addresses.items() if value}:
        settings["IPAMConfig"] = given
    if attachment.mac_address:
        settings["MacAddress"] = attachment.mac_address
    return name, settings


def _namespaces(service: Service, names: Mapping[str, Slot]) -> Iterator[tuple[str, Slot]]:
    """The engine keeps the id of `container:NAME`; one of ours has another id after each replacement."""
    modes = (("NetworkMode", service.network_mode), ("PidMode", service.pid), ("IpcMode", service.ipc))
    for key, mode in modes:
        kind, _, name = mode.partition(":")
        if kind == "service":
            yield key, Slot(service.stack, name)
        elif kind == "container" and name in names:
            yield key, names[name]


def _body(service: Service, stack: Stack, paths: HostPaths, sealer: Sealer, network: str) -> dict[str, Any]:
    shares_network = service.network_mode.startswith(("service:", "container:"))
    exposed: dict[str, dict[str, str]] = {f"{p.target}/{p.protocol}": {} for p in service.ports}
    exposed |= {e if "/" in e else f"{e}/tcp": {} for e in service.expose}
    body: dict[str, Any] = {
        "Image": image_reference(service),
        "Cmd": _listed(service.command),
        "Entrypoint": _listed(service.entrypoint),
        "Env": [key if value is None else f"{key}={value}" for key, value in service.environment],
        "Labels": dict(service.labels) | _compose_labels(service, stack, paths),
        "User": service.user,
        "WorkingDir": service.working_dir,
        "Hostname": service.hostname,
        "Domainname": service.domainname,
        "MacAddress": service.mac_address,
        "ExposedPorts": {} if shares_network else exposed,
        "Volumes": {m.target: {} for m in service.mounts if m.kind == "volume" and not m.source},
        "Tty": service.tty,
        "OpenStdin": service.stdin_open,
        "StopSignal": service.stop_signal,
        "StopTimeout": None if service.stop_grace_period is None else math.ceil(service.stop_grace_period),
        "Healthcheck": _healthcheck(service.healthcheck),
        "HostConfig": _host_config(service, stack, paths, sealer, network),
    }
    return _given(body)


def _host_config(service: Service, stack: Stack, paths: HostPaths, sealer: Sealer, network: str) -> dict[str, Any]:
    binds, mounts = _mounts(service, stack)
    binds += [_grant(grant, stack, paths, sealer) for grant in service.grants]
    config: dict[str, Any] = {
        "Binds": binds,
        "Mounts": mounts,
        "Tmpfs": {m.target: _tmpfs_options(m) for m in service.mounts if m.kind == "tmpfs"},
        "PortBindings": _port_bindings(service),
        "NetworkMode": network or service.network_mode,
        "RestartPolicy": restart_policy(service.restart),
        "CapAdd": list(service.cap_add),
        "CapDrop": list(service.cap_drop),
        "Devices": [
            {"PathOnHost": d.source, "PathInContainer": d.target, "CgroupPermissions": d.permissions}
            for d in service.devices
        ],
        "SecurityOpt": [
            option.replace(":", "=", 1) if "=" not in option else option for option in service.security_opt
        ],
        "ReadonlyRootfs": service.read_only,
        "Privileged": service.privileged,
        "Dns": list(service.dns),
        "DnsSearch": list(service.dns_search),
        "DnsOptions": list(service.dns_opt),
        "Sysctls": dict(service.sysctls),
        "Init": service.init,
        "LogConfig": service.logging and {"Type": service.logging.driver, "Config": dict(service.logging.options)},
        "ShmSize": service.shm_size,
        "Ulimits": [{"Name": u.name, "Soft": u.soft, "Hard": u.hard} for u in service.ulimits],
        "ExtraHosts": [f"{host}:{address}" for host, address in service.extra_hosts],
        "GroupAdd": list(service.group_add),
        "PidMode": service.pid,
        "IpcMode": service.ipc,
        "Memory": service.resources.memory,
        "MemoryReservation": service.resources.memory_reservation,
        "NanoCpus": round(service.resources.cpus * 1_000_000_000),
        "PidsLimit": service.resources.pids,
        "DeviceRequests": device_requests(service.resources),
        **tuned(service.tuning),
    }
    return _given(config)


def restart_policy(policy: RestartPolicy) -> dict[str, Any]:
    return {"Name": policy.name, "MaximumRetryCount": policy.maximum_retries}


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Only what was asked for: the engine's own defaults stay the engine's."""
    return {
        k: v for k, v in settings.items() if v or any(k == key and v == empty for key, empty in _EMPTY_IS_ASKED_FOR)
    }


_EMPTY_IS_ASKED_FOR: tuple[tuple[str, Any], ...] = (
    ("Cmd", []),
    ("Entrypoint", []),
    ("Init", False),
    ("StopTimeout", 0),
    ("MemorySwappiness", 0),
)


def _listed(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def _compose_labels(service: Service, stack: Stack, paths: HostPaths) -> dict[str, str]:
    depends = ",".join(f"{d.service}:{d.condition}:{str(d.restart).lower()}" for d in service.depends_on)
    return {
        labels.PROJECT: stack.name,
        labels.SERVICE: service.name,
        labels.ONEOFF: "False",
        labels.WORKING_DIR: f"{paths.checkout}/{stack.directory}".rstrip("/"),
        labels.CONFIG_FILES: f"{paths.checkout}/{stack.file}",
        labels.DEPENDS_ON: depends,
    }


def _healthcheck(check: Healthcheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    seconds = {"Interval": check.interval, "Timeout": check.timeout, "StartPeriod": check.start_period}
    settings: dict[str, Any] = {key: round(value * 1e9) for key, value in seconds.items() if value}
    if check.test:
        settings["Test"] = list(check.test)
    if check.retries:
        settings["Retries"] = check.retries
    return settings


def _mounts(service: Service, stack: Stack) -> tuple[list[str], list[dict[str, Any]]]:
    """Binds make a missing source folder, mounts refuse it; a source with a colon fits only a mount."""
    volumes = {volume.key: volume.name for volume in stack.volumes}
    binds: list[str] = []
    mounts: list[dict[str, Any]] = []
    for mount in service.mounts:
        if mount.kind == "tmpfs" or not mount.source:
            continue
        source = volumes[mount.source] if mount.kind == "volume" else mount.source
        if mount.kind == "bind" and (not mount.create_host_path or ":" in source):
            settings = {"Type": "bind", "Source": source, "Target": mount.target, "ReadOnly": mount.read_only}
            options = {"BindOptions": {"Propagation": mount.propagation}} if mount.propagation else {}
            mounts.append(settings | options)
        else:
            options_text = ",".join(_bind_options(mount))
            binds.append(f"{source}:{mount.target}:{options_text}")
    return binds, mounts


def _bind_options(mount: Mount) -> Iterator[str]:
    yield "ro" if mount.read_only else "rw"
    if mount.nocopy:
        yield "nocopy"
    if mount.selinux:
        yield mount.selinux
    if mount.propagation:
        yield mount.propagation


def _grant(grant: Grant, stack: Stack, paths: HostPaths, sealer: Sealer) -> str:
    item = next(f for f in stack.files if f.kind == grant.kind and f.key == grant.key)
    return f"{file_path(item, stack, paths, sealer)}:{grant.target}:ro"


def _tmpfs_options(mount: Mount) -> str:
    options = [mount.options] if mount.options else []
    if mount.size:
        options.append(f"size={mount.size}")
    if mount.mode:
        options.append(f"mode={mount.mode:o}")
    return ",".join(options)


def _port_bindings(service: Service) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in service.ports:
        binding = {"HostIp": port.host_ip, "HostPort": port.host_port}
        bindings.setdefault(f"{port.target}/{port.protocol}", []).append(binding)
    return bindings

"""Which paths of the host manifests lead to, and which of them this host lets them have.

A path counts twice: as it is written and as it really is, links followed; neither may lead out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import basename, normpath

from reconciler.core.powers import volume_paths
from reconciler.model.desired import Desired, Service, Stack
from reconciler.model.probe import FileCheck

HARMLESS = ("/etc/localtime", "/etc/timezone")
"""What half of all Compose files mount to tell the time; read-only it gives nothing away."""

SOCKETS = (
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
)
_SOCKET_NAMES = frozenset(basename(socket) for socket in SOCKETS)


@dataclass(frozen=True, slots=True)
class Land:
    """`open` to manifests, `own` to reconciler alone, the engine's `sockets`; `real`: path -> links followed."""

    open: tuple[str, ...]
    own: tuple[str, ...]
    sockets: tuple[str, ...]
    real: Mapping[str, str]

    def outside(self, path: str) -> str:
        """The path, as written or as it really is, when that lies below no open folder; "" when all is well."""
        allowed = self._both(self.open)
        return next((way for way in self._both((path,)) if not _below(way, allowed)), "")

    def own_folder(self, path: str) -> str:
        """The folder of reconciler itself that the path is, contains or lies in; "" when there is none."""
        ways = self._both((path,))
        return next((own for own in self._both(self.own) if _below(own, ways) or _holds(own, ways)), "")

    def socket(self, path: str) -> str:
        """The engine's socket that the path is or contains; "" when there is none."""
        ways = self._both((path,))
        named = next((way for way in ways if basename(way) in _SOCKET_NAMES), "")
        return named or next((socket for socket in self._both(self.sockets) if _below(socket, ways)), "")

    def shown(self, path: str) -> str:
        """The path for a message, with the place it leads to when that is another."""
        real = self.real[path]
        return path if real == normpath(path) else f"{path} (which leads to {real})"

    def _both(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(way for path in paths for way in (_tidy(path), self.real[path])))


def sources(service: Service, stack: Stack) -> Iterator[str]:
    """Every path of the host that a container would see: binds, configs and secrets, and volumes that are binds."""
    for mount in service.mounts:
        if mount.kind == "bind" and not (mount.read_only and mount.source in HARMLESS):
            yield mount.source
    granted = {(grant.kind, grant.key) for grant in service.grants}
    for item in stack.files:
        if (item.kind, item.key) in granted and item.host_path is not None:
            yield item.host_path
    used = {mount.source for mount in service.mounts if mount.kind == "volume"}
    for volume in stack.volumes:
        if volume.key in used:
            yield from volume_paths(volume)


def probed(stack: Stack) -> Iterator[str]:
    """The files that probes of the stack look at."""
    yield from (probe.check.path for probe in stack.verify if isinstance(probe.check, FileCheck))


def every_path(desired: Desired) -> Iterator[str]:
    """The check-out, and all that stacks mount, take as a device or look at."""
    yield desired.checkout
    for stack in desired.stacks:
        yield from probed(stack)
        for service in stack.services:
            yield from sources(service, stack)
            yield from (device.source for device in service.devices)


def _tidy(path: str) -> str:
    return normpath("/" + path.lstrip("/"))


def _holds(folder: str, paths: tuple[str, ...]) -> bool:
    return any(_below(path, (folder,)) for path in paths)


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)

"""What makes a container as strong as root on the host, besides `privileged` and what it mounts.

What remains (NET_ADMIN, a GPU, a serial port, the host's network) is strong, but ends at the network or the device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import normpath

from reconciler.model.desired import Service, Volume

_CAPABILITIES = frozenset(
    ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF")
)  # capabilities(7): each of them alone leads to files, memory or code of the host
_UNCONFINED = ("apparmor=unconfined", "label=disable", "systempaths=unconfined", "label=type:spc_t")
_RUNTIMES = frozenset(
    ("crun", "io.containerd.runc.v2", "kata", "kata-runtime", "nvidia", "runc", "runsc", "sysbox-runc", "youki")
)
"""Those that confine as runc does, or better. What any other does as root is for its host to know."""

_OWN_NODES = "/dev/"
_DISKS_AND_MEMORY = re.compile(
    r"/dev(/((sd|nvme|vd|xvd|mmcblk|dm-|loop|nbd|zd|bcache|drbd|rbd|pmem|mtd)[^/]*|hd[a-z]\d*|sg\d+|md\d+|ram\d+"
    r"|mem|kmem|port|kmsg|(mapper|disk|block|char|bsg|md|shm|mqueue)(/.*)?))?"
)
"""`/dev/shm` and `/dev/mqueue` hold what containers put there, and that may be the node of a disk."""

_OF_HARMLESS_DEVICES = re.compile(
    r"c (1:[35789]|10:(200|229|232)|(4|13|29|81|116|166|180|188|189|195|204|226):(\d+|\*)) [rwm]+"
)
"""By their numbers (devices.txt of Linux): null, zero, random, tun, fuse, kvm; serial ports, input, screens, sound,
cameras, USB, GPUs. A rule for all, or for numbers that a kernel gives as it likes, may lead to a disk."""

_NETWORK_FILE_SYSTEMS = frozenset(("nfs", "nfs4", "cifs", "smb3"))
_PLAIN_FILE_SYSTEMS = _NETWORK_FILE_SYSTEMS | {"", "none", "bind", "tmpfs"}
_BINDS = frozenset(("bind", "rbind"))


def powers(service: Service, real: Mapping[str, str]) -> Iterator[str]:
    """Each in words that follow the service's name. `real`: where the paths of its devices really lead."""
    if service.privileged:
        yield "is privileged"
    for capability in service.cap_add:
        if (name := capability.upper().removeprefix("CAP_")) in _CAPABILITIES:
            yield f"adds the capability {name}"
    if service.pid == "host":
        yield "sees every process of the host (pid: host)"
    for option in service.security_opt:
        if confinement := _switched_off(option):
            yield f"switches its confinement off ({confinement})"
    if (runtime := service.tuning.runtime) and runtime not in _RUNTIMES:
        yield f"is run by another runtime ({runtime})"
    if service.tuning.userns_mode == "host":
        yield "has the users of the host, where others are kept apart (userns_mode: host)"
    for rule in service.tuning.device_cgroup_rules:
        if not _OF_HARMLESS_DEVICES.fullmatch(rule):
            yield f"may make devices that could be a disk or memory of the host (device_cgroup_rules: {rule})"
    for device in service.devices:
        yield from _through(device.source, real[device.source])


def _switched_off(option: str) -> str:
    """A profile of the repository counts as none: what it lets through is for the repository to say."""
    name, _, value = (option if "=" in option else option.replace(":", "=", 1)).strip().partition("=")
    name = name.strip().lower()
    if name == "seccomp":
        known = value if len(value) < 20 else "a profile of its own"
        return "" if value == "builtin" else f"seccomp={known}"
    written = f"{name}={value.strip().lower()}"
    return written if written in _UNCONFINED else ""


def _through(written: str, real: str) -> Iterator[str]:
    shown = f"{written} (which leads to {real})" if normpath(written) != real else written
    if _DISKS_AND_MEMORY.fullmatch(normpath(written)) or _DISKS_AND_MEMORY.fullmatch(real):
        yield f"is given {shown}, a disk or memory of the host"
    elif not real.startswith(_OWN_NODES):
        yield f"is given {shown} as a device, which does not lie in /dev"


def volume_paths(volume: Volume) -> Iterator[str]:
    """Absolute paths of the host that a volume would show: the driver `local` mounts its `device` as mount(8) does."""
    options = {key.lower(): value for key, value in volume.driver_opts}
    if volume.driver not in ("", "local"):
        yield from (_absolute(value) for value in options.values() if value.startswith("/"))
        return
    elsewhere = _NETWORK_FILE_SYSTEMS | {"tmpfs"}
    if (device := options.get("device")) and (_is_bind(options) or options.get("type", "").lower() not in elsewhere):
        yield _absolute(device)


def volume_power(volume: Volume) -> str:
    """The file system of a volume that could show anything of the host (overlay, proc, ...); "" when it is none."""
    options = {key.lower(): value for key, value in volume.driver_opts}
    kind = options.get("type", "").lower()
    if volume.driver not in ("", "local") or _is_bind(options) or kind in _PLAIN_FILE_SYSTEMS:
        return ""
    return f"mounts a file system of type {kind} (volume {volume.key})"


def _is_bind(options: Mapping[str, str]) -> bool:
    return not _BINDS.isdisjoint(flag.strip().lower() for flag in options.get("o", "").split(","))


def _absolute(path: str) -> str:
    """As the engine sees it, which works in the root folder."""
    return normpath("/" + path.lstrip("/"))

"""Limits of a container that a running one can be given (`docker update`), and what a kernel has to have for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMITS = {
    "Memory": "memory limit",
    "MemoryReservation": "memory reservation",
    "NanoCpus": "cpus",
    "PidsLimit": "pids limit",
    "CpuShares": "cpu shares",
    "CpuPeriod": "cpu period",
    "CpuQuota": "cpu quota",
    "CpusetCpus": "cpuset",
}
"""Key of HostConfig -> the name that people know it by."""

SWAP = "MemorySwap"
"""A limit as well, that the engine sets by itself beside that of the memory."""

CONTROLLERS = {
    "Memory": ("memory", "memory limits"),
    "MemoryReservation": ("memory", "memory limits"),
    "PidsLimit": ("pids", "pids limits"),
    "NanoCpus": ("cpu", "cpu limits"),
    "CpuShares": ("cpu", "cpu limits"),
    "CpuPeriod": ("cpu", "cpu limits"),
    "CpuQuota": ("cpu", "cpu limits"),
    "CpusetCpus": ("cpuset", "cpusets"),
    SWAP: ("swap", "swap limits"),
    "MemorySwappiness": ("version 1 memory", "mem_swappiness settings"),
    "OomKillDisable": ("version 1 memory", "oom_kill_disable settings"),
}
"""What a kernel may lack: a controller, and what people know its limits by."""

OF_CGROUPS_1 = frozenset(("MemorySwappiness", "OomKillDisable"))
"""No kernel has them whose cgroups are of version 2."""


def swap_beside(host: Mapping[str, Any]) -> int:
    """The limit of memory and swap together, 0 for none: an engine that is told nothing takes twice the memory."""
    return int(host.get(SWAP) or 2 * (host.get("Memory") or 0))

"""What a container, or the build of its image, may use of its host, and how the engine runs it.

Where nothing is asked for, the engine chooses.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """Devices that the engine's driver gives, GPUs mostly: `count` of them (-1: all), or those of `ids`."""

    driver: str = ""
    count: int = 0
    ids: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits and reservations; 0 means none. `cpus` in cores, memory in bytes."""

    cpus: float = 0
    memory: int = 0
    pids: int = 0
    memory_reservation: int = 0
    devices: tuple[DeviceRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """`shm_size` in bytes; `platform` when the service itself names none; `cache_from`: images of this host."""

    cache_from: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    network: str = ""
    no_cache: bool = False
    platform: str = ""
    pull: bool = False
    shm_size: int = 0


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of the engine, called as Compose calls them. `memswap_limit` in bytes, memory included; -1: no limit."""

    runtime: str = ""
    cpuset: str = ""
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    memswap_limit: int = 0
    mem_swappiness: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int = 0
    device_cgroup_rules: tuple[str, ...] = ()
    uts: str = ""
    userns_mode: str = ""
    cgroup: str = ""
    cgroup_parent: str = ""
    storage_opt: tuple[tuple[str, str], ...] = ()

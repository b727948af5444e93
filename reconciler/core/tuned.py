"""What a service asks of its host, beyond the ordinary, as HostConfig of the Engine API has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.resources import Resources, Tuning

TUNED = {
    "CgroupParent": "cgroup_parent",
    "CgroupnsMode": "cgroup",
    "CpuPeriod": "cpu_period",
    "CpuQuota": "cpu_quota",
    "CpuShares": "cpu_shares",
    "CpusetCpus": "cpuset",
    "DeviceCgroupRules": "device_cgroup_rules",
    "MemorySwap": "memswap_limit",
    "MemorySwappiness": "mem_swappiness",
    "OomKillDisable": "oom_kill_disable",
    "OomScoreAdj": "oom_score_adj",
    "Runtime": "runtime",
    "StorageOpt": "storage_opt",
    "UTSMode": "uts",
    "UsernsMode": "userns_mode",
}
"""Key of HostConfig -> the field of `Tuning`, which is called as Compose calls it."""


def tuned(tuning: Tuning) -> dict[str, Any]:
    found = {key: getattr(tuning, name) for key, name in TUNED.items()}
    lists = {"DeviceCgroupRules": list(tuning.device_cgroup_rules), "StorageOpt": dict(tuning.storage_opt)}
    return found | lists


def device_requests(resources: Resources) -> list[dict[str, Any]]:
    return [
        {
            "Driver": each.driver,
            "Count": each.count,
            "DeviceIDs": list(each.ids),
            "Capabilities": [list(each.capabilities)],
            "Options": dict(each.options),
        }
        for each in resources.devices
    ]


def comparable(requests: list[Mapping[str, Any]] | None) -> list[Any]:
    """Requests for devices in one way of writing: their order counts, that of what one of them names does not."""
    return [
        (
            each.get("Driver") or "",
            each.get("Count") or 0,
            sorted(each.get("DeviceIDs") or ()),
            sorted(sorted(set(needed)) for needed in each.get("Capabilities") or ()),
            sorted((each.get("Options") or {}).items()),
        )
        for each in requests or ()
    ]

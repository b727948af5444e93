"""The engine's JSON becomes our nouns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.model import labels as label
from reconciler.model.observed import Container, Health, Image, ObservedNetwork, ObservedVolume
from reconciler.model.plan import SHARED

_ANONYMOUS = re.compile(r"^[0-9a-f]{64}$")
_NEVER = "0001-01-01T00:00:00Z"


def listed(row: Mapping[str, Any]) -> Container:
    """A row of the list: enough for containers that are not ours."""
    labels = row.get("Labels") or {}
    return Container(
        id=row["Id"],
        name=_own_name(row.get("Names") or [""]),
        state=row["State"],
        image=row["Image"],
        image_id=row.get("ImageID", ""),
        networks=_networks(row),
        **_identity(labels),
    )


def container(raw: Mapping[str, Any]) -> Container:
    """A whole inspection."""
    state, config = raw["State"], raw["Config"]
    labels = config.get("Labels") or {}
    started = state.get("StartedAt", "")
    return Container(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        state=state["Status"],
        image=config["Image"],
        image_id=raw["Image"],
        health=_health(state),
        health_said=_health_said(state),
        exit_code=state.get("ExitCode", 0),
        started_at="" if started == _NEVER else started,
        restart_count=raw.get("RestartCount", 0),
        definition={
            **config,
            "HostConfig": raw.get("HostConfig") or {},
            "NetworkingConfig": {"EndpointsConfig": _asked(raw)},
        },
        networks=_networks(raw),
        anonymous_volumes=_anonymous(raw.get("Mounts") or []),
        labels=labels,
        **_identity(labels),
    )


def image(row: Mapping[str, Any]) -> Image:
    names = [*(row.get("RepoTags") or []), *(row.get("RepoDigests") or [])]
    labels = row.get("Labels") or (row.get("Config") or {}).get("Labels") or {}  # of a list, of one image
    return Image(row["Id"], tuple(n for n in names if not n.startswith("<none>")), labels)


def network(row: Mapping[str, Any]) -> ObservedNetwork:
    labels = row.get("Labels") or {}
    pools = (row.get("IPAM") or {}).get("Config") or []
    subnets = tuple(pool["Subnet"] for pool in pools if pool.get("Subnet"))
    definition = {key: row[key] for key in ("Driver", "Internal", "EnableIPv6", "Options") if key in row}
    return ObservedNetwork(row["Id"], row["Name"], subnets=subnets, definition=definition, **label.made_by(labels))


def volume(row: Mapping[str, Any]) -> ObservedVolume:
    return ObservedVolume(row["Name"], **label.made_by(row.get("Labels") or {}))


def lacks(info: Mapping[str, Any]) -> frozenset[str]:
    """Keys of HostConfig that the engine drops, from what GET /info says of the kernel's controllers."""
    needs = {
        "Memory": ("MemoryLimit",),
        "MemoryReservation": ("MemoryLimit",),
        "PidsLimit": ("PidsLimit",),
        "NanoCpus": ("CpuCfsQuota", "CpuCfsPeriod"),
        "CpuShares": ("CPUShares",),
        "CpuPeriod": ("CpuCfsPeriod",),
        "CpuQuota": ("CpuCfsQuota",),
        "CpusetCpus": ("CPUSet",),
        "MemorySwap": ("MemoryLimit", "SwapLimit"),
        "OomKillDisable": ("OomKillDisable",),
    }
    found = {key for key, features in needs.items() if any(info.get(f) is False for f in features)}
    return frozenset({*found, "MemorySwappiness"} if info.get("CgroupVersion") == "2" else found)


def defaults(info: Mapping[str, Any]) -> dict[str, str]:
    """What the engine writes into HostConfig where nobody chose."""
    found = {"Runtime": info["DefaultRuntime"]} if info.get("DefaultRuntime") else {}
    if "SecurityOptions" in info:
        own = "name=cgroupns" in (info["SecurityOptions"] or ())
        found["CgroupnsMode"] = "private" if own else "host"
    return found


def joined_ids(definition: Mapping[str, Any]) -> frozenset[str]:
    """Ids of the containers whose namespaces it shares."""
    modes = (str(definition.get("HostConfig", {}).get(key, "")) for key in SHARED)
    return frozenset(mode.partition(":")[2] for mode in modes if mode.startswith("container:"))


def _identity(labels: Mapping[str, str]) -> dict[str, Any]:
    number = labels.get(label.NUMBER, "1")
    return {
        **label.made_by(labels),
        "service": labels.get(label.SERVICE, ""),
        "number": int(number) if number.isdecimal() else 1,
        "revision": labels.get(label.REVISION, ""),
    }


def _own_name(names: list[str]) -> str:
    """Links give a container further names, with more slashes."""
    return min(names, key=lambda name: name.count("/")).lstrip("/")


def _health(state: Mapping[str, Any]) -> Health:
    status: Health = (state.get("Health") or {}).get("Status") or "none"
    return status


def _health_said(state: Mapping[str, Any]) -> str:
    """What the latest run of a health check that fails had to say; the engine keeps 4 KiB of it."""
    log = (state.get("Health") or {}).get("Log") or []
    failing = _health(state) == "unhealthy" and log
    return str(log[-1].get("Output") or "").strip() if failing else ""


def _networks(raw: Mapping[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {name: (e.get("NetworkID") or "", tuple(e.get("Aliases") or ())) for name, e in _endpoints(raw).items()}


def _asked(raw: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each endpoint what was asked for, as a create or connect request has it; what the engine chose stays out."""
    return {
        name: {key: endpoint[key] for key in ("Aliases", "IPAMConfig", "Links") if endpoint.get(key)}
        for name, endpoint in _endpoints(raw).items()
    }


def _endpoints(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Shared namespaces and the host's have no endpoints of their own."""
    mode = (raw.get("HostConfig") or {}).get("NetworkMode", "")
    if mode in ("host", "none") or mode.startswith("container:"):
        return {}
    return (raw.get("NetworkSettings") or {}).get("Networks") or {}


def _anonymous(mounts: list[Mapping[str, Any]]) -> dict[str, str]:
    return {
        m["Destination"]: m["Name"]
        for m in mounts
        if m.get("Type") == "volume" and _ANONYMOUS.match(m.get("Name") or "")
    }

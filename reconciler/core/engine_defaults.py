"""What an engine was told to give every container (`log-opts`, `default-ulimits`, `default-shm-size` of daemon.json).

No request tells of these settings, and they look as if somebody had asked for them. What all containers have is taken
for one of them where git says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.observed import Container

Key = tuple[str, str]
"""A key of HostConfig, and the name of an option or a limit in it."""


def given_by_engine(asked: Mapping[str, Any], container: Container, others: Iterable[Container]) -> dict[str, Any]:
    """A HostConfig that is `asked` for, with what the engine seems to have added to it for this container.

    `others`: all containers of the engine, of which those that were looked at count.
    """
    there = [c.definition["HostConfig"] for c in others if "HostConfig" in c.definition]
    own = container.definition.get("HostConfig") or {}
    peers = [host for host in there if _driver(host) == _driver(own)]
    if len(peers) * 2 <= len(there) or _driver(asked) not in ("", _driver(own)):
        return dict(asked)
    everywhere = _everywhere(own, peers)
    wanted = everywhere | _flat(asked)
    logging = {name: value for (key, name), value in wanted.items() if key == "LogConfig"}
    limits = [{"Name": name, **dict(value)} for (key, name), value in wanted.items() if key == "Ulimits"]
    size = wanted.get(("ShmSize", ""))
    filled = {
        "LogConfig": {"Type": _driver(asked), "Config": logging} if logging else None,
        "Ulimits": limits,
        "ShmSize": size,
    }
    return dict(asked) | {key: value for key, value in filled.items() if value}


def _everywhere(own: Mapping[str, Any], peers: list[Mapping[str, Any]]) -> dict[Key, Any]:
    """What every one has in some form, and this one as most have it; one container alone tells nothing."""
    flat = [_flat(peer) for peer in peers]
    found = {}
    for key, value in _flat(own).items():
        counts = Counter(peer[key] for peer in flat if key in peer)
        if counts.total() == len(flat) and 1 < counts[value] == max(counts.values()):
            found[key] = value
    return found


def _flat(host: Mapping[str, Any]) -> dict[Key, Any]:
    found: dict[Key, Any] = {}
    for name, value in ((host.get("LogConfig") or {}).get("Config") or {}).items():
        found["LogConfig", name] = value
    for limit in host.get("Ulimits") or ():
        found["Ulimits", limit["Name"]] = (("Soft", limit["Soft"]), ("Hard", limit["Hard"]))
    if size := host.get("ShmSize"):
        found["ShmSize", ""] = size
    return found


def _driver(host: Mapping[str, Any]) -> str:
    return str((host.get("LogConfig") or {}).get("Type") or "")

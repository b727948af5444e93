"""Keys of a service that the engine takes as they are, or nearly so."""

from __future__ import annotations

import re
from typing import Any

from reconciler.core.compose import read
from reconciler.core.compose.problems import bad_value, fail
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes, Reader, every
from reconciler.model.resources import Resources, Tuning

_CPUS = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*")
_RULE = re.compile(r"[acb] ([0-9]{1,10}|\*):([0-9]{1,10}|\*) [rwm]{1,3}")
_UNLIMITED = -1


def tuning(service: Map) -> Tuning:
    with Mistakes() as mistakes:
        found = mistakes.given(_READERS, service)
    return Tuning(**found)


def check(service: Map, found: dict[str, Any], warnings: dict[str, None]) -> None:
    """What an engine would refuse only when it makes the container."""
    made: Tuning = found.get("tuning") or Tuning()
    limits: Resources = found.get("resources") or Resources()
    if made.oom_kill_disable and not limits.memory:
        at = service.key_at("oom_kill_disable")
        warnings[f"{at}: oom_kill_disable without a limit of memory lets the service take all of the host's"] = None
    with Mistakes() as mistakes:
        if made.memswap_limit > 0 and not limits.memory:
            advice = "give it mem_limit, or remove memswap_limit"
            mistakes.of(_refuse, service, "memswap_limit", "memswap_limit needs a limit of memory", advice)
        elif 0 < made.memswap_limit < limits.memory:
            what = "memswap_limit is less than the limit of memory"
            advice = "memory and swap together: give the sum, or -1 for no limit"
            mistakes.of(_refuse, service, "memswap_limit", what, advice)
        for key in ("cpu_period", "cpu_quota"):
            if getattr(made, key) and limits.cpus:
                what = f"{key} and a limit of cpus exclude each other"
                mistakes.of(_refuse, service, key, what, f"remove {key}: cpus says the same")
        if made.uts == "host" and (found.get("hostname") or found.get("domainname")):
            key = "hostname" if found.get("hostname") else "domainname"
            mistakes.of(_refuse, service, "uts", f"uts: host and {key} exclude each other", f"remove {key}")


def _refuse(service: Map, key: str, what: str, advice: str) -> None:
    fail("E-COMPOSE-VALUE", what, service.key_at(key), next=advice)


def _cpuset(holder: Map, key: str) -> str:
    value = read.text(holder, key)
    if not _CPUS.fullmatch(value):
        bad_value(holder.at(key), key, value, "a list of processors, such as 0-3 or 0,2")
    return value


def _swap(holder: Map, key: str) -> int:
    return _UNLIMITED if holder[key] in (_UNLIMITED, str(_UNLIMITED)) else read.size(holder, key)


def _rules(holder: Map, key: str) -> tuple[str, ...]:
    found = read.unique_strings(holder, key)
    every(_check_rule, holder[key], range(len(holder[key])))
    return found


def _check_rule(items: Seq, index: int) -> None:
    if not _RULE.fullmatch(items[index]):
        bad_value(items.at(index), index, items[index], "a rule for devices, such as 'c 188:* rmw'")


_READERS: dict[str, Reader] = {
    "runtime": read.filled,
    "cpuset": _cpuset,
    "cpu_shares": read.whole,
    "cpu_period": lambda holder, key: read.whole(holder, key, 1000, 1_000_000),
    "cpu_quota": lambda holder, key: max(0, read.whole(holder, key, -1)),
    "memswap_limit": _swap,
    "mem_swappiness": lambda holder, key: read.whole(holder, key, 0, 100),
    "oom_kill_disable": read.boolean,
    "oom_score_adj": lambda holder, key: read.whole(holder, key, -1000, 1000),
    "device_cgroup_rules": _rules,
    "uts": lambda holder, key: read.choice(holder, key, ("host",)),
    "userns_mode": lambda holder, key: read.choice(holder, key, ("host",)),
    "cgroup": lambda holder, key: read.choice(holder, key, ("host", "private")),
    "cgroup_parent": read.filled,
    "storage_opt": read.mapping_pairs,
}

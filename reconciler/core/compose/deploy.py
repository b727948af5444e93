"""`deploy`, and the older keys that say the same about memory and processors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.core.compose import keys, read
from reconciler.core.compose.problems import check_keys, fail, unsupported, want_map
from reconciler.core.document import Map
from reconciler.model.desired import Resources, RestartPolicy, UpdateConfig

_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}
_SHORT: tuple[tuple[str, str, str, Callable[[Map, Any], float | int]], ...] = (
    ("cpus", "limits", "cpus", read.real),
    ("mem_limit", "limits", "memory", read.size),
    ("pids_limit", "limits", "pids", lambda holder, key: max(0, read.whole(holder, key, -1))),
    ("mem_reservation", "reservations", "memory", read.size),
)


def part(holder: Map, key: str) -> Map:
    """The mapping under `key`; an empty one when there is none."""
    return want_map(holder[key], holder.at(key), key) if holder.get(key) is not None else holder.child(key)


def check(deploy: Map) -> None:
    """Refuse what is not supported anywhere in `deploy`."""
    check_keys(deploy, keys.DEPLOY, "deploy", keys.DEPLOY_REFUSED)
    if deploy.get("mode") is not None and read.text(deploy, "mode") != "replicated":
        unsupported(
            deploy.at("mode"),
            f"the mode {deploy['mode']}",
            "use replicated; x-reconciler: {hosts: ...} spreads a stack",
        )
    given = part(deploy, "resources")
    check_keys(given, keys.RESOURCES, "resources")
    check_keys(part(given, "limits"), keys.LIMITS, "limits")
    check_keys(part(given, "reservations"), keys.RESERVATIONS, "reservations", keys.RESERVATIONS_REFUSED)
    check_keys(part(deploy, "update_config"), keys.UPDATE, "update_config", keys.UPDATE_REFUSED)
    check_keys(part(deploy, "restart_policy"), keys.RESTART_POLICY, "restart_policy", keys.RESTART_POLICY_REFUSED)


def resources(service: Map, deploy: Map, warnings: dict[str, None]) -> Resources:
    """Limits and reservations from `deploy.resources` and from `mem_limit`, `cpus` and their kin."""
    given = part(deploy, "resources")
    found: dict[tuple[str, str], float] = {}
    for short, group, name, reader in _SHORT:
        long = part(given, group)
        values = [reader(h, k) for h, k in ((long, name), (service, short)) if h.get(k) is not None]
        if len(values) == 2 and values[0] != values[1]:
            fail(
                "E-COMPOSE-VALUE",
                f"{short} and deploy.resources.{group}.{name} differ",
                service.at(short),
                next=f"remove {short}",
            )
        found[group, name] = values[0] if values else 0
    reserved = part(given, "reservations")
    if reserved.get("cpus") is not None:
        read.real(reserved, "cpus")
        warnings[f"{reserved.key_at('cpus')}: reserved cpus have no effect on a plain Docker host"] = None
    return Resources(
        float(found["limits", "cpus"]),
        int(found["limits", "memory"]),
        int(found["limits", "pids"]),
        int(found["reservations", "memory"]),
    )


def update(deploy: Map) -> UpdateConfig:
    given = part(deploy, "update_config")
    found: dict[str, Any] = {}
    for name, allowed in (
        ("order", ("stop-first", "start-first")),
        ("failure_action", ("rollback", "pause", "continue")),
    ):
        if given.get(name) is not None:
            found[name] = read.choice(given, name, allowed)
    for name in ("monitor", "delay"):
        if given.get(name) is not None:
            found[name] = read.duration(given, name)
    if given.get("parallelism") is not None:
        found["parallelism"] = read.whole(given, "parallelism")
    return UpdateConfig(**found)


def replicas(deploy: Map) -> int:
    return read.whole(deploy, "replicas", 0, 1000) if deploy.get("replicas") is not None else 1


def restart_policy(deploy: Map) -> RestartPolicy | None:
    """What `deploy.restart_policy` says; None when it says nothing."""
    given = part(deploy, "restart_policy")
    if not given:
        return None
    condition = read.choice(given, "condition", tuple(_CONDITIONS)) if given.get("condition") is not None else "any"
    attempts = read.whole(given, "max_attempts", 0, 10**9) if given.get("max_attempts") is not None else 0
    if attempts and condition != "on-failure":
        fail("E-COMPOSE-VALUE", "max_attempts needs condition: on-failure", given.at("max_attempts"))
    return RestartPolicy(_CONDITIONS[condition], attempts)

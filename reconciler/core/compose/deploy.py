"""`deploy`, and the older keys that say the same about memory and processors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reconciler.core.compose import gpus, ineffective, keys, read
from reconciler.core.compose.problems import check_keys, fail, unsupported, want_map
from reconciler.core.document import Map
from reconciler.core.mistakes import Mistakes, Reader
from reconciler.model.desired import RestartPolicy, UpdateConfig
from reconciler.model.resources import Resources

_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}
_SHORT: tuple[tuple[str, str, str, Callable[[Map, Any], float | int]], ...] = (
    ("cpus", "limits", "cpus", read.real),
    ("mem_limit", "limits", "memory", read.size),
    ("pids_limit", "limits", "pids", lambda holder, key: max(0, read.whole(holder, key, -1))),
    ("mem_reservation", "reservations", "memory", read.size),
)
KEYS = frozenset(("deploy", "gpus", "scale", *(short for short, *_ in _SHORT)))
"""Of a service: where any of this is said."""

_UPDATE: dict[str, Reader] = {
    "order": lambda given, key: read.choice(given, key, ("stop-first", "start-first")),
    "failure_action": lambda given, key: read.choice(given, key, ("rollback", "pause", "continue")),
    "monitor": read.duration,
    "delay": read.duration,
    "parallelism": read.whole,
}
_RESTART: dict[str, Reader] = {
    "condition": lambda given, key: read.choice(given, key, tuple(_CONDITIONS)),
    "max_attempts": lambda given, key: read.whole(given, key, 0, 10**9),
}


def part(holder: Map, key: str) -> Map:
    """The mapping under `key`; an empty one when there is none."""
    return want_map(holder[key], holder.at(key), key) if holder.get(key) is not None else holder.child(key)


def check(deploy: Map) -> None:
    """Refuse what is not supported anywhere in `deploy`."""
    with Mistakes() as mistakes:
        mistakes.of(check_keys, deploy, keys.DEPLOY, "deploy", keys.DEPLOY_REFUSED)
        mistakes.given({"mode": _mode}, deploy)
        for key in ("update_config", "restart_policy", "resources"):
            mistakes.of(_check_part, deploy, key)
        given = deploy.child("resources")
        for key in ("limits", "reservations"):
            mistakes.of(_check_part, given, key)


_PARTS: dict[str, tuple[frozenset[str], dict[str, str]]] = {
    "resources": (keys.RESOURCES, {}),
    "limits": (keys.LIMITS, {}),
    "reservations": (keys.RESERVATIONS, keys.RESERVATIONS_REFUSED),
    "update_config": (keys.UPDATE, {}),
    "restart_policy": (keys.RESTART_POLICY, {}),
}


def _check_part(holder: Map, key: str) -> None:
    known, refused = _PARTS[key]
    check_keys(part(holder, key), known, key, refused)


def _mode(deploy: Map, key: str) -> str:
    mode = read.text(deploy, key)
    if mode != "replicated":
        unsupported(deploy.at(key), f"the mode {mode}", "use replicated; x-reconciler: {hosts: ...} spreads a stack")
    return mode


def resources(service: Map, deploy: Map, warnings: dict[str, None]) -> Resources:
    """Limits and reservations from `deploy.resources` and from `mem_limit`, `cpus` and their kin."""
    given = part(deploy, "resources")
    found: dict[tuple[str, str], float] = {}
    with Mistakes() as mistakes:
        for short, group, name, reader in _SHORT:
            long = part(given, group)
            values = [
                *mistakes.given({name: reader}, long).values(), *mistakes.given({short: reader}, service).values()
            ]  # fmt: skip
            _check_same(values, service, short, f"deploy.resources.{group}.{name}")
            found[group, name] = values[0] if values else 0
        reserved = part(given, "reservations")
        if mistakes.given({"cpus": read.real}, reserved):
            warnings[f"{reserved.key_at('cpus')}: reserved cpus have no effect on a plain Docker host"] = None
        devices = mistakes.given({"devices": gpus.reserved}, reserved).get("devices", ())
        devices += mistakes.given({"gpus": gpus.gpus}, service).get("gpus", ())
    return Resources(
        float(found["limits", "cpus"]),
        int(found["limits", "memory"]),
        int(found["limits", "pids"]),
        int(found["reservations", "memory"]),
        devices,
    )


def _check_same(values: Sequence[float], service: Map, short: str, long: str) -> None:
    if len(values) == 2 and values[0] != values[1]:
        fail("E-COMPOSE-VALUE", f"{short} and {long} differ", service.at(short), next=f"remove {short}")


def update(deploy: Map) -> UpdateConfig:
    with Mistakes() as mistakes:
        found = mistakes.given(_UPDATE, part(deploy, "update_config"))
    return UpdateConfig(**found)


def ineffective_parts(deploy: Map, warnings: dict[str, None]) -> None:
    with Mistakes() as mistakes:
        mistakes.of(ineffective.warn, deploy, ineffective.DEPLOY, warnings)
        for key, readers in (("restart_policy", ineffective.RESTART_POLICY), ("update_config", ineffective.UPDATE)):
            mistakes.of(ineffective.warn, part(deploy, key), readers, warnings)


def replicas(service: Map, deploy: Map) -> int:
    with Mistakes() as mistakes:
        values = [
            *mistakes.given({"replicas": _count}, deploy).values(), *mistakes.given({"scale": _count}, service).values()
        ]  # fmt: skip
        _check_same(values, service, "scale", "deploy.replicas")
    return values[0] if values else 1


def _count(holder: Map, key: str) -> int:
    return read.whole(holder, key, 0, 1000)


def restart_policy(deploy: Map) -> RestartPolicy | None:
    """What `deploy.restart_policy` says; None when it says nothing."""
    given = part(deploy, "restart_policy")
    if not given:
        return None
    with Mistakes() as mistakes:
        found = mistakes.given(_RESTART, given)
    condition, attempts = found.get("condition", "any"), found.get("max_attempts", 0)
    if attempts and condition != "on-failure":
        fail("E-COMPOSE-VALUE", "max_attempts needs condition: on-failure", given.at("max_attempts"))
    return RestartPolicy(_CONDITIONS[condition], attempts)

"""How one definition is laid over another (Compose specification, 13-merge): for `extends` and several files at once.

Mappings merge, sequences append without doubles, commands replace; `!reset` forgets, `!override` replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from reconciler.core.compose.mounts import target_of
from reconciler.core.compose.problems import FromHost
from reconciler.core.document import Map, Place, Seq, Tagged

_PAIRS = frozenset(("environment", "labels", "sysctls", "args", "aux_addresses"))
_REPLACED = frozenset(("command", "entrypoint", "test"))
_LISTED = frozenset(("dns", "dns_search", "env_file", "label_file", "tmpfs"))


def merge_services(base: Map, over: Map) -> Map:
    """The service `over` as it extends `base`. Neither is changed."""
    return _maps(base, over)


def merge_files(base: Map, over: Map) -> Map:
    """One whole file laid over another."""
    return _maps(base, over)


def count(node: Any) -> int:
    """How many values `node` holds, itself included."""
    if isinstance(node, Map):
        return 1 + sum(count(value) if isinstance(value, (Map, Seq, Tagged)) else 1 for value in node.values())
    if isinstance(node, Seq):
        return 1 + sum(count(value) if isinstance(value, (Map, Seq, Tagged)) else 1 for value in node)
    return 1 + count(node.value) if isinstance(node, Tagged) else 1


def settle(node: Any) -> Any:
    """`node` without `!reset` and `!override`: what they were to undo has been undone."""
    if isinstance(node, Map):
        made = Map(node.place)
        for key, value in node.items():
            if _is_reset(value):
                continue
            made.put(key, settle(value), node.places[key], node.key_places[key])
        return made
    if isinstance(node, Seq):
        kept = [
            (v, p) for v, p in zip(node, node.places, strict=True) if not (isinstance(v, Tagged) and v.tag == "reset")
        ]
        return Seq(node.place, [(settle(value), place) for value, place in kept])
    return settle(node.value) if isinstance(node, Tagged) else node


def _is_reset(value: Any) -> bool:
    return isinstance(value, Tagged) and value.tag == "reset"


def _maps(base: Map, over: Map) -> Map:
    made = base.copy()
    made.place = over.place
    for key, value in over.items():
        if _is_reset(value):
            if key in made:
                made.drop(key)
            continue
        merges = key in made and not isinstance(value, Tagged)
        laid = _values(key, made[key], value, base.places[key], over.places[key]) if merges else value
        made.put(key, laid, over.places[key], over.key_places[key])
    return made


def _values(key: str, base: Any, over: Any, base_place: Place, over_place: Place) -> Any:
    if isinstance(base, Tagged):
        base = settle(base) if base.tag == "override" else None
    if over is None and isinstance(base, (Map, Seq)) and key not in _REPLACED:
        return base
    if key in _REPLACED or base is None or (key == "logging" and _other_driver(base, over)):
        return over
    base, over = _alike(key, base, base_place), _alike(key, over, over_place)
    if isinstance(base, Map) and isinstance(over, Map):
        return _maps(base, over)
    if isinstance(base, Seq) and isinstance(over, Seq):
        return _append(base, over, _IDENTITIES.get(key, _itself))
    return over


def _other_driver(base: Any, over: Any) -> bool:
    if not (isinstance(base, Map) and isinstance(over, Map)):
        return True
    return "driver" in over and "driver" in base and base["driver"] != over["driver"]


def _alike(key: str, value: Any, place: Place) -> Any:
    """The form of a value in which two can be merged."""
    if key in _PAIRS and isinstance(value, Seq):
        return _pairs(value)
    if key in ("depends_on", "networks") and isinstance(value, Seq):
        return _named(key, value)
    if key == "extra_hosts" and isinstance(value, Map):
        return _host_list(value)
    if key in _LISTED and isinstance(value, str):
        return Seq(place, [(value, place)])
    if key == "build" and isinstance(value, str):
        made = Map(place)
        made.put("context", value, place)
        return made
    return value


def _pairs(items: Seq) -> Any:
    made = Map(items.place)
    for item, place in zip(items, items.places, strict=True):
        if not isinstance(item, str):
            return items
        name, sign, value = item.partition("=")
        hidden = FromHost(value) if isinstance(item, FromHost) else value
        made.put(name, hidden if sign else None, place)
    return made


def _named(key: str, items: Seq) -> Any:
    made = Map(items.place)
    for item, place in zip(items, items.places, strict=True):
        if not isinstance(item, str):
            return items
        value: Any = None
        if key == "depends_on":
            value = Map(place)
            value.put("condition", "service_started", place)
        made.put(item, value, place)
    return made


def _host_list(hosts: Map) -> Any:
    made = Seq(hosts.place)
    for name, value in hosts.items():
        for address in value if isinstance(value, Seq) else [value]:
            if not isinstance(address, str):
                return hosts
            made.add(f"{name}={address}", hosts.places[name])
    return made


def _append(base: Seq, over: Seq, identity: Callable[[Any], Hashable]) -> Seq:
    found: dict[Hashable, tuple[Any, Place]] = {}
    for items in (base, over):
        for item, place in zip(items, items.places, strict=True):
            found[identity(item)] = (item, place)
    return Seq(over.place, found.values())


def _itself(item: Any) -> Hashable:
    """Scalars are the same when they are equal; a mapping or list is only itself."""
    return id(item) if isinstance(item, (Map, Seq, Tagged)) else (type(item).__name__, item)


def _by(*names: str) -> Callable[[Any], Hashable]:
    def identity(item: Any) -> Hashable:
        return tuple(str(item.get(name, "")) for name in names) if isinstance(item, Map) else _itself(item)

    return identity


def _mount(item: Any) -> Hashable:
    return target_of(item) or _itself(item)


def _device(item: Any) -> Hashable:
    """Those of `deploy.resources.reservations` have no place in the container: each is only itself."""
    if isinstance(item, Map):
        place = item.get("target", item.get("source"))
        return _itself(item) if place is None else str(place)
    parts = str(item).split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def _tmpfs(item: Any) -> Hashable:
    return item.partition(":")[0] if isinstance(item, str) else _itself(item)


def _grant(item: Any) -> Hashable:
    return str(item.get("target", item.get("source"))) if isinstance(item, Map) else str(item)


def _env_file(item: Any) -> Hashable:
    return str(item.get("path")) if isinstance(item, Map) else str(item)


_IDENTITIES: dict[str, Callable[[Any], Hashable]] = {
    "ports": _by("host_ip", "published", "target", "protocol"),
    "volumes": _mount,
    "devices": _device,
    "tmpfs": _tmpfs,
    "configs": _grant,
    "secrets": _grant,
    "env_file": _env_file,
}

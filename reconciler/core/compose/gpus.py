"""Devices that the engine's driver gives: `gpus`, and `deploy.resources.reservations.devices`."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.core.compose import keys, read
from reconciler.core.compose.problems import bad_value, check_keys, demand, fail, want_map, want_seq
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes, Reader, every
from reconciler.model.resources import DeviceRequest

ALL = -1


def gpus(holder: Map, key: str) -> tuple[DeviceRequest, ...]:
    """The capability `gpu` is asked for by itself, as Compose does."""
    if holder[key] == "all":
        return (DeviceRequest(count=ALL, capabilities=("gpu",)),)
    if not isinstance(holder[key], Seq):
        bad_value(holder.at(key), key, holder[key], "all, or a list of mappings")
    return _requests(holder, key, _gpu)


def reserved(holder: Map, key: str) -> tuple[DeviceRequest, ...]:
    return _requests(holder, key, _reserved)


def _requests(holder: Map, key: str, make: Callable[[Seq, int], DeviceRequest]) -> tuple[DeviceRequest, ...]:
    items = want_seq(holder[key], holder.at(key), key)
    return tuple(every(make, items, range(len(items))))


def _gpu(items: Seq, index: int) -> DeviceRequest:
    return _request(want_map(items[index], items.at(index), "a GPU"), ("gpu",))


def _reserved(items: Seq, index: int) -> DeviceRequest:
    given = want_map(items[index], items.at(index), "a device")
    made = _request(given, ())
    demand(given, keys.DEVICE_REQUEST, "a reserved device needs capabilities, such as [gpu]", "capabilities")
    return made


def _count(given: Map, key: str) -> int:
    if given[key] in ("all", ALL, str(ALL)):
        return ALL
    if isinstance(given[key], str) and not given[key].isdecimal():
        bad_value(given.at(key), key, given[key], "all, or a whole number of at least 1")
    return read.whole(given, key, 1)


def _filled_list(given: Map, key: str) -> tuple[str, ...]:
    found = read.unique_strings(given, key)
    if not found:
        bad_value(given.at(key), key, given[key], "usable: it is empty", next="write capabilities: [gpu]")
    return found


_REQUEST: dict[str, Reader] = {
    "driver": read.text,
    "count": _count,
    "device_ids": read.unique_strings,
    "options": read.pairs,
}


def _request(given: Map, capabilities: tuple[str, ...]) -> DeviceRequest:
    with Mistakes() as mistakes:
        mistakes.of(check_keys, given, keys.DEVICE_REQUEST, "a device")
        found = mistakes.given(_REQUEST, given) | mistakes.written({"capabilities": _filled_list}, given)
        if given.get("count") is not None and given.get("device_ids") is not None:
            at = given.key_at("count")
            fail("E-COMPOSE-VALUE", "count and device_ids exclude each other", at, next="remove one of them")
    ids = found.get("device_ids", ())
    return DeviceRequest(
        found.get("driver", ""),
        found.get("count", 0 if ids else ALL),
        ids,
        tuple(dict.fromkeys((*found.get("capabilities", ()), *capabilities))),
        found.get("options", ()),
    )

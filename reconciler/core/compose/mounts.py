"""What a service mounts: `volumes` short and long, and `tmpfs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.core.compose import keys, read
from reconciler.core.compose.paths import Paths, parent
from reconciler.core.compose.problems import bad_value, check_keys, demand, fail, unsupported, want_map, want_seq
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes, Reader, every
from reconciler.errors import Position
from reconciler.model.desired import Mount

_PROPAGATIONS = frozenset(("private", "rprivate", "shared", "rshared", "slave", "rslave"))
_IGNORED_MODES = frozenset(("", "rw", "cached", "delegated", "consistent", "copy"))


def mounts(holder: Map, key: str, paths: Paths, folders: Mapping[str, str]) -> tuple[Mount, ...]:
    """The mounts of `volumes`; a later one on the same target takes the earlier one's place."""
    items = want_seq(holder[key], holder.at(key), key)
    found: dict[str, Mount] = {}

    def one(items: Seq, index: int) -> None:
        item, at = items[index], items.at(index)
        folder = folders.get(at.file, parent(at.file))
        mount = _long(item, paths, folder) if isinstance(item, Map) else _short(items, index, paths, folder)
        _check_target(mount.target, item, at)
        if mount.target in found:
            fail("E-COMPOSE-VALUE", f"two volumes are mounted at {mount.target}", at, next="remove one of them")
        found[mount.target] = mount

    every(one, items, range(len(items)))
    return tuple(found.values())


def target_of(item: object) -> str | None:
    """Where a raw entry of `volumes` is mounted: the key by which inherited entries are replaced."""
    if isinstance(item, Map):
        return str(item.get("target"))
    if not isinstance(item, str):
        return None
    parts = item.split(":")
    return parts[0] if len(parts) == 1 else parts[1]


def is_path(source: str) -> bool:
    return source[:1] in (".", "/", "~")


def _check_target(target: str, written: object, at: Position) -> None:
    if not target.startswith("/") or "\0" in target:
        bad_value(at, "the target", written, "mounted at an absolute path in the container", next="begin it with /")


def _short(items: Seq, index: int, paths: Paths, folder: str) -> Mount:
    whole, at = read.filled(items, index), items.at(index)
    parts = whole.split(":")
    if len(parts) > 3 or not all(parts[:2]):
        bad_value(at, index, items[index], "SOURCE:TARGET[:MODE]")
    if len(parts) == 1:
        return Mount("volume", _trim(parts[0]))
    source, target = read.keep_seal(whole, parts[0]), _trim(parts[1])
    if is_path(source):
        spot = paths.mounted(source, folder, at)
        mount = Mount("bind", target, spot.host, spot.repo)
    else:
        mount = Mount("volume", target, source)
    modes = parts[2] if len(parts) == 3 else ""
    return _apply_modes(mount, read.keep_seal(whole, modes), at)


def _trim(target: str) -> str:
    return target.rstrip("/") or target[:1]


def _apply_modes(mount: Mount, modes: str, at: Position) -> Mount:
    for mode in modes.split(","):
        if mode == "ro":
            mount = replace(mount, read_only=True)
        elif mode in ("z", "Z"):
            mount = replace(mount, selinux=mode)
        elif mode == "nocopy":
            mount = replace(mount, nocopy=True)
        elif mode in _PROPAGATIONS:
            mount = replace(mount, propagation=mode)
        elif mode not in _IGNORED_MODES:
            bad_value(
                at,
                "the mode",
                read.keep_seal(modes, mode),
                "one of ro, rw, z, Z, nocopy or a propagation such as rslave",
            )
    return mount


def _long(item: Map, paths: Paths, folder: str) -> Mount:
    with Mistakes() as mistakes:
        mistakes.of(check_keys, item, keys.MOUNT, "volumes", keys.MOUNT_REFUSED)
        found = mistakes.written({"type": _kind, "target": _target, "read_only": read.boolean}, item)
        for needed in ("type", "target"):
            mistakes.of(demand, item, keys.MOUNT, f"a volume needs a {needed}", needed)
        kind = found.pop("type", None)
        for options in ("bind", "volume", "tmpfs"):
            if kind and options in item and options != kind:
                what = f"{options}: belongs to volumes of that type, this is {kind}"
                fail("E-COMPOSE-VALUE", what, item.key_at(options))
        if kind == "bind":
            found |= mistakes.of(_bind, item, paths, folder) or {}
        elif kind == "tmpfs":
            found |= mistakes.of(_tmpfs, item) or {}
        elif kind == "volume":
            found |= mistakes.of(_volume, item) or {}
    return Mount(kind, **found)


def _kind(item: Map, key: str) -> str:
    kind = read.choice(item, key, ("bind", "volume", "tmpfs", "npipe", "cluster", "image"))
    if kind not in ("bind", "volume", "tmpfs"):
        unsupported(item.at(key), f"a volume of type {kind}")
    return kind


def _target(item: Map, key: str) -> str:
    return _trim(read.filled(item, key))


def _options(
    item: Map, kind: str, known: frozenset[str], readers: dict[str, Reader], refused: dict[str, str] | None = None
) -> dict[str, Any]:
    """What stands under `bind:`, `volume:` or `tmpfs:`, as fields of a Mount."""
    options = want_map(item[kind], item.at(kind), kind) if kind in item else Map(item.place)
    with Mistakes() as mistakes:
        mistakes.of(check_keys, options, known, kind, refused)
        return mistakes.written(readers, options)


def _volume(item: Map) -> dict[str, Any]:
    with Mistakes() as mistakes:
        found = mistakes.of(
            _options, item, "volume", keys.VOLUME_OPTIONS, {"nocopy": read.boolean}, keys.VOLUME_OPTIONS_REFUSED
        )
        return (found or {}) | mistakes.written({"source": read.text}, item)


_BIND: dict[str, Reader] = {
    "propagation": lambda options, key: read.choice(options, key, tuple(sorted(_PROPAGATIONS))),
    "create_host_path": read.boolean,
    "selinux": lambda options, key: read.choice(options, key, ("z", "Z")),
}


def _bind(item: Map, paths: Paths, folder: str) -> dict[str, Any]:
    with Mistakes() as mistakes:
        found = mistakes.of(_options, item, "bind", keys.BIND, _BIND, keys.BIND_REFUSED)
        if not demand(item, keys.MOUNT, "a bind needs a source", "source"):
            return {}
        spot = paths.mounted(read.filled(item, "source"), folder, item.at("source"))
        return {"source": spot.host, "repo_path": spot.repo, **(found or {})}


def _tmpfs(item: Map) -> dict[str, Any]:
    with Mistakes() as mistakes:
        found = mistakes.of(_options, item, "tmpfs", keys.TMPFS, {"size": read.size, "mode": _mode})
        if "source" in item:
            fail("E-COMPOSE-VALUE", "a tmpfs has no source", item.key_at("source"))
        return found or {}


def _mode(holder: Map, key: str) -> int:
    """A file mode: a YAML octal is a number already, text is octal."""
    value = holder[key]
    if isinstance(value, str) and value and len(value) < 8 and all(c in "01234567" for c in value):
        return int(value, 8)
    return read.whole(holder, key, 0, 0o7777)


def tmpfs(holder: Map, key: str) -> tuple[Mount, ...]:
    """The short `tmpfs: /run` or `[/run:size=64m]`."""
    found = []
    for entry in dict.fromkeys(read.one_or_many(holder, key)):
        target, _, options = entry.partition(":")
        _check_target(target, holder[key], holder.at(key))
        found.append(Mount("tmpfs", _trim(target), options=options))
    return tuple(found)

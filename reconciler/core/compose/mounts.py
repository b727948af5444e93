"""What a service mounts: `volumes` short and long, and `tmpfs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.core.compose import keys, read
from reconciler.core.compose.paths import Paths, parent
from reconciler.core.compose.problems import bad_value, check_keys, fail, unsupported, want_map, want_seq
from reconciler.core.document import Map, Seq
from reconciler.errors import Position
from reconciler.model.desired import Mount

_PROPAGATIONS = frozenset(("private", "rprivate", "shared", "rshared", "slave", "rslave"))
_IGNORED_MODES = frozenset(("", "rw", "cached", "delegated", "consistent", "copy"))


def mounts(holder: Map, key: str, paths: Paths, folders: Mapping[str, str]) -> tuple[Mount, ...]:
    """The mounts of `volumes`; a later one on the same target takes the earlier one's place."""
    items = want_seq(holder[key], holder.at(key), key)
    found: dict[str, Mount] = {}
    for index, item in enumerate(items):
        at = items.at(index)
        folder = folders.get(at.file, parent(at.file))
        mount = _long(item, paths, folder) if isinstance(item, Map) else _short(items, index, paths, folder)
        _check_target(mount.target, item, at)
        if mount.target in found:
            fail("E-COMPOSE-VALUE", f"two volumes are mounted at {mount.target}", at, next="remove one of them")
        found[mount.target] = mount
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
    check_keys(item, keys.MOUNT, "volumes", keys.MOUNT_REFUSED)
    for needed in ("type", "target"):
        if needed not in item:
            fail("E-COMPOSE-VALUE", f"a volume needs a {needed}", item.position)
    kind = read.choice(item, "type", ("bind", "volume", "tmpfs", "npipe", "cluster", "image"))
    if kind not in ("bind", "volume", "tmpfs"):
        unsupported(item.at("type"), f"a volume of type {kind}")
    for options in ("bind", "volume", "tmpfs"):
        if options in item and options != kind:
            fail("E-COMPOSE-VALUE", f"{options}: belongs to volumes of that type, this is {kind}", item.key_at(options))
    target = _trim(read.filled(item, "target"))
    read_only = read.boolean(item, "read_only") if "read_only" in item else False
    if kind == "bind":
        return _bind(item, target, read_only, paths, folder)
    if kind == "tmpfs":
        return _tmpfs(item, target, read_only)
    options_map = want_map(item["volume"], item.at("volume"), "volume") if "volume" in item else Map(item.place)
    check_keys(options_map, keys.VOLUME_OPTIONS, "volume", keys.VOLUME_OPTIONS_REFUSED)
    nocopy = read.boolean(options_map, "nocopy") if "nocopy" in options_map else False
    source = read.text(item, "source") if "source" in item else ""
    return Mount("volume", target, source, read_only=read_only, nocopy=nocopy)


def _bind(item: Map, target: str, read_only: bool, paths: Paths, folder: str) -> Mount:
    if "source" not in item:
        fail("E-COMPOSE-VALUE", "a bind needs a source", item.position)
    options = want_map(item["bind"], item.at("bind"), "bind") if "bind" in item else Map(item.place)
    check_keys(options, keys.BIND, "bind", keys.BIND_REFUSED)
    spot = paths.mounted(read.filled(item, "source"), folder, item.at("source"))
    propagation = read.choice(options, "propagation", tuple(sorted(_PROPAGATIONS))) if "propagation" in options else ""
    return Mount(
        "bind",
        target,
        spot.host,
        spot.repo,
        read_only,
        read.boolean(options, "create_host_path") if "create_host_path" in options else True,
        propagation,
        read.choice(options, "selinux", ("z", "Z")) if "selinux" in options else "",
    )


def _tmpfs(item: Map, target: str, read_only: bool) -> Mount:
    if "source" in item:
        fail("E-COMPOSE-VALUE", "a tmpfs has no source", item.key_at("source"))
    options = want_map(item["tmpfs"], item.at("tmpfs"), "tmpfs") if "tmpfs" in item else Map(item.place)
    check_keys(options, keys.TMPFS, "tmpfs")
    size = read.size(options, "size") if "size" in options else 0
    mode = _mode(options, "mode") if "mode" in options else 0
    return Mount("tmpfs", target, read_only=read_only, size=size, mode=mode)


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

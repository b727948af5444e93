"""The top-level networks, volumes, configs and secrets of a stack."""

from __future__ import annotations

import re
from typing import Any, Literal

from reconciler.core.compose import keys, read
from reconciler.core.compose.deploy import part
from reconciler.core.compose.envsource import EnvFiles
from reconciler.core.compose.problems import LacksHostValue, bad_value, check_keys, fail, want_map, want_seq
from reconciler.core.compose.variables import Variables
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes, Reader, every
from reconciler.model.desired import FileObject, IpamPool, Network, Volume

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VOLUME_NAME = _FILE_NAME
"""What the engine takes (its source: volume/local); a name with a slash would be a folder of the host."""
_VOLUME: dict[str, Reader] = {"driver": read.text, "driver_opts": read.mapping_pairs, "labels": read.pairs}
_NETWORK: dict[str, Reader] = {
    **_VOLUME, "internal": read.boolean, "attachable": read.boolean, "enable_ipv6": read.boolean,
}  # fmt: skip
_POOL: dict[str, Reader] = {
    "subnet": read.text, "ip_range": read.text, "gateway": read.text, "aux_addresses": read.mapping_pairs,
}  # fmt: skip


def _given(section: Map, key: str) -> Map:
    return want_map(section[key], section.at(key), key) if section[key] is not None else Map(section.places[key])


def _external(given: Map, key: str) -> str | None:
    """The real name of something external; None when it is the stack's own."""
    value = given.get("external")
    if value is None:
        return None
    name = read.filled(given, "name") if given.get("name") is not None else ""
    if isinstance(value, Map):
        check_keys(value, keys.EXTERNAL, "external")
        inner = read.filled(value, "name") if value.get("name") is not None else ""
        if name and inner and name != inner:
            fail("E-COMPOSE-VALUE", "name and external.name differ", value.position, next="keep name")
        name = name or inner
    elif not read.boolean(given, "external"):
        return None
    with Mistakes() as mistakes:
        for other in given:
            if other not in ("external", "name") and not other.startswith("x-") and given[other] is not None:
                what = f"{key} is external, so {other!r} cannot be set here"
                mistakes.of(fail, "E-COMPOSE-VALUE", what, given.key_at(other))
    return name or key


def _name(given: Map, key: str, project: str) -> str:
    return read.filled(given, "name") if given.get("name") is not None else f"{project}_{key}"


def _checked(given: Map, name: str, form: re.Pattern[str], kind: str) -> str:
    """The name, which becomes part of a path on the host."""
    if not form.fullmatch(name):
        at = given.at("name") if given.get("name") is not None else given.position
        wanted = "made of letters, digits, . _ and -, beginning with a letter or digit"
        bad_value(at, f"the name of the {kind}", name, wanted, next="rename it")
    return name


def network(section: Map, key: str, project: str) -> Network:
    given = _given(section, key)
    with Mistakes() as mistakes:
        mistakes.of(check_keys, given, keys.NETWORK, "networks", keys.NETWORK_REFUSED)
        outside = _external(given, key)
        if outside is not None:
            return Network(key, outside, external=True)
        found = mistakes.given(_NETWORK, given)
        found |= mistakes.of(_ipam, part(given, "ipam")) or {}
        name = _name(given, key, project)
    return Network(key, name, **found)


def _ipam(ipam: Map) -> dict[str, Any]:
    with Mistakes() as mistakes:
        mistakes.of(check_keys, ipam, keys.IPAM, "ipam")
        found = mistakes.given({"driver": read.text, "options": read.mapping_pairs}, ipam)
        pools = want_seq(ipam["config"], ipam.at("config"), "config") if ipam.get("config") is not None else Seq()
        return {"ipam": tuple(every(_pool, pools, range(len(pools)))), **{f"ipam_{k}": v for k, v in found.items()}}


def _pool(pools: Seq, index: int) -> IpamPool:
    given = want_map(pools[index], pools.at(index), "a pool")
    with Mistakes() as mistakes:
        mistakes.of(check_keys, given, keys.IPAM_POOL, "config")
        return IpamPool(**mistakes.given(_POOL, given))


def volume(section: Map, key: str, project: str) -> Volume:
    given = _given(section, key)
    with Mistakes() as mistakes:
        mistakes.of(check_keys, given, keys.VOLUME, "volumes")
        outside = _external(given, key)
        if outside is not None:
            return Volume(key, _checked(given, outside, _VOLUME_NAME, "volume"), external=True)
        found = mistakes.given(_VOLUME, given)
        name = _checked(given, _name(given, key, project), _VOLUME_NAME, "volume")
    return Volume(key, name, **found)


def check_file_keys(section: Map, key: str, kind: str) -> None:
    """Refuse unknown keys of a config or secret, also when nothing uses it."""
    check_keys(_given(section, key), keys.FILE_OBJECT, f"{kind}s", keys.FILE_OBJECT_REFUSED)


def file_object(
    section: Map,
    key: str,
    kind: Literal["config", "secret"],
    project: str,
    env_files: EnvFiles,
    variables: Variables,
) -> FileObject:
    """One config or secret. A file that git does not hold is expected in the check-out on the host."""
    with Mistakes() as mistakes:
        mistakes.of(check_file_keys, section, key, kind)
        return _file_object(section, key, kind, project, env_files, variables)


def _file_object(
    section: Map, key: str, kind: Literal["config", "secret"], project: str, env_files: EnvFiles, variables: Variables
) -> FileObject:
    given = _given(section, key)
    outside = _external(given, key)
    if outside is not None:
        if kind == "config":
            fail(
                "E-COMPOSE-EXTERNAL",
                f"the config {key} is external",
                section.key_at(key),
                why="external configs live in a Docker Swarm; this host runs none",
                next="give it a `file:` or a `content:`",
            )
        return FileObject(kind, key, _checked(given, outside, _FILE_NAME, kind), external=True)
    sources = [k for k in ("file", "content", "environment") if given.get(k) is not None]
    if len(sources) != 1:
        what = f"the {kind} {key} needs one of file, content, environment or external"
        fail("E-COMPOSE-VALUE", what, given.position)
    name = _checked(given, _name(given, key, project), _FILE_NAME, kind)
    source = sources[0]
    if source == "content":
        if kind == "secret":
            bad_value(given.at("content"), "content", Map(), "allowed for a secret", next="use file: or external: true")
        return FileObject(kind, key, name, content=read.text(given, "content").encode())
    if source == "environment":
        return FileObject(kind, key, name, content=_from_variable(given, variables))
    at = given.at("file")
    spot = env_files.paths.mounted(read.filled(given, "file"), env_files.folder(at), at)
    if spot.repo is None or env_files.paths.tree.entry(spot.repo) is None:
        return FileObject(kind, key, name, host_path=spot.host)
    return FileObject(kind, key, name, repo_path=spot.repo)


def _from_variable(given: Map, variables: Variables) -> bytes:
    wanted = read.filled(given, "environment")
    value = variables.get(wanted)
    if value is None:
        raise LacksHostValue(
            "E-COMPOSE-INTERPOLATION",
            f"the variable {wanted} is not set",
            next="set it in .env, in git or on the host",
            at=given.at("environment"),
        )
    return value.encode()

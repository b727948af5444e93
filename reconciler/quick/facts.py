"""What a quick look compares: everything cheap to see that a full look depends on, as digests."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler import __version__, durable
from reconciler.adapters.docker.raw import RawEngine
from reconciler.git.worktree.record import Stat, fingerprint, settled
from reconciler.model import labels as label
from reconciler.model.observed import familiar
from reconciler.model.settings import Settings
from sentinels import Entry, SentinelFolder

Facts = dict[str, str]
"""What it is about -> keyed digest: the files of secrets are among it."""

INBOX = "inbox"
"""Its folder changes with every trigger that comes and goes."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ENVIRONMENT = ("HOME", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


class Doubt(Exception):
    """Something that only a full look can judge."""


def facts(settings: Settings) -> Facts:
    """The facts as they are now; Doubt, OSError, ValueError and LookupError all mean: look properly."""
    state, configuration = Path(settings.state.directory), Path(settings.config_directory)
    key, owner = (state / "fingerprint.key").read_bytes(), (state / "owner").read_text().strip()
    found = {
        "program": [__version__, sys.prefix, sys.version],
        "settings": [repr(settings), [os.environ.get(name) for name in _ENVIRONMENT]],
        "boot": _BOOT.read_text(),
        "state": [_stat(state / name) for name in ("fingerprint.key", "owner", "adopted.json")],
        "ledger": (state / "ledger.db").stat().st_ino,  # its size and times change with every row
        "sentinels": _sentinels(state / "sentinels"),
        INBOX: _stat(Path(settings.inbox.directory)),
        "env": list(_stats(configuration / "env")),
        "secrets": list(_stats(configuration / "secrets")),
        "credentials": list(_contents(os.environ.get("CREDENTIALS_DIRECTORY", ""))),
        "engine": _engine(RawEngine(settings.docker.host, settings.docker.deadline), owner, _adopted(state)),
    }
    return {name: _digest(key, value) for name, value in found.items()}


def _adopted(state: Path) -> frozenset[str]:
    """Ids of containers and networks that were taken over from Compose, and carry no label of ours."""
    try:
        known = durable.read_sealed(state / "adopted.json")
    except FileNotFoundError:
        return frozenset()
    return frozenset((*known["containers"], *known["networks"]))


def _digest(key: bytes, value: Any) -> str:
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogateescape"), key=key[:64], digest_size=16).hexdigest()


def _sentinels(folder: Path) -> tuple[tuple[Entry, ...], list[Stat | None]]:
    """Blocks and the stamp. A pause ends by itself one day, and when is for a full look to judge.

    The folders' own times tell of a pause that came and went while a full look was at work.
    """
    entries = SentinelFolder(folder).entries()
    if any(entry.name.startswith("paused") for entry in entries):
        raise Doubt("a pause")
    return entries, [_stat(path) for path in (folder, folder / "paused.d", folder / "blocked")]


def _stat(path: Path) -> Stat | None:
    return fingerprint(path.stat()) if path.exists() else None


def _stats(folder: Path) -> Iterator[tuple[str, Stat]]:
    """Every file below a folder, links followed, with what changes when it does."""
    for path in _files(folder):
        stat = settled(path.stat())
        if not stat:
            raise Doubt(f"{path} was written just now")
        yield str(path.relative_to(folder)), stat


def _contents(folder: str) -> Iterator[tuple[str, bytes]]:
    """systemd makes the files of its credentials anew at every start, so only what is in them tells."""
    if folder:
        yield from ((str(path), path.read_bytes()) for path in _files(Path(folder)))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


@dataclass(frozen=True, slots=True)
class _Container:
    """A row of the list, as far as a full look may act upon a change of it."""

    id: str
    names: list[str]
    state: str
    image: str
    image_id: str
    endpoints: list[tuple[str, str, str]]


def _engine(engine: RawEngine, owner: str, adopted: frozenset[str]) -> list[Any]:
    """The containers that are ours or concern us, their health, images and networks, and the engine itself."""
    version = engine.speak()
    rows = _ours(engine.get("/containers/json", all=True), owner, adopted)
    containers = sorted((_container(row) for row in rows), key=lambda c: c.id)
    ids, images = {c.id for c in containers}, {familiar(c.image) for c in containers}
    if any(c.image == c.image_id for c in containers):
        raise Doubt("an image whose name is another's by now")
    sick = engine.get("/containers/json", all=True, health="unhealthy")
    done = engine.get("/containers/json", all=True, exited="0") if any(c.state == "exited" for c in containers) else []
    return [
        {name: version.get(name) for name in ("Version", "ApiVersion", "KernelVersion")},
        containers,
        sorted(ids & {row["Id"] for row in sick}),
        sorted(ids & {row["Id"] for row in done}),
        sorted(_networks(engine.get("/networks"), owner, adopted)),
        sorted((tag, i["Id"]) for i in engine.get("/images/json") for tag in i.get("RepoTags") or () if tag in images),
    ]


def _networks(rows: list[dict[str, Any]], owner: str, adopted: frozenset[str]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row["Id"] in adopted or (row.get("Labels") or {}).get(label.OWNER) == owner:
            yield row["Id"], row["Name"]


def _ours(rows: list[dict[str, Any]], owner: str, adopted: frozenset[str]) -> list[dict[str, Any]]:
    """Our containers, others of the same Compose projects, and those whose network one of ours shares."""
    labels = {row["Id"]: row.get("Labels") or {} for row in rows}
    ours = {id for id, those in labels.items() if id in adopted or those.get(label.OWNER) == owner}
    projects = {labels[id].get(label.PROJECT) for id in ours}
    hosts = {_network_mode(row).removeprefix("container:") for row in rows if row["Id"] in ours}
    return [row for row in rows if row["Id"] in ours | hosts or labels[row["Id"]].get(label.PROJECT, "") in projects]


def _network_mode(row: dict[str, Any]) -> str:
    return str((row.get("HostConfig") or {}).get("NetworkMode", ""))


def _container(row: dict[str, Any]) -> _Container:
    networks = (row.get("NetworkSettings") or {}).get("Networks") or {}
    return _Container(
        id=row["Id"],
        names=sorted(row["Names"]),
        state=row["State"],
        image=row["Image"],
        image_id=row["ImageID"],
        # An endpoint is another one after every start, so a restart by hand shows in it.
        endpoints=sorted((name, e.get("NetworkID", ""), e.get("EndpointID", "")) for name, e in networks.items()),
    )

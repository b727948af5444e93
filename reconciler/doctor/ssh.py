"""What ssh would do for a URL, which host keys it knows, and what the host shows."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from reconciler import process
from reconciler.core.diagnosis.remote import HostKeys
from reconciler.model.settings import Repository

_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")


@dataclass(frozen=True, slots=True)
class Way:
    """The way of ssh to a host after its aliases; `jumps`: over another host. `identities`: private keys it offers."""

    host: str
    port: int
    jumps: bool
    known_hosts: tuple[str, ...]
    identities: tuple[str, ...]


def way_to(settings: Repository, deadline: float) -> Way:
    """As `ssh -G` has it, with the files that the settings name instead of the user's."""
    user, host, port = _parts(settings.url)
    words = ["ssh", "-G", *(("-l", user) if user else ()), *(("-p", port) if port else ()), "--", host]
    told: dict[str, list[str]] = {}
    for line in process.run(words, deadline=deadline).stdout.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(" ")
        told.setdefault(key, []).append(value)
    lists = [*told.get("userknownhostsfile", ()), *told.get("globalknownhostsfile", ())]
    files = [file for line in lists for file in line.split()]
    keys = [str(Path(each).expanduser()) for each in told.get("identityfile", ())]
    return Way(
        told.get("hostname", [host])[0],
        int(told.get("port", [port or "22"])[0]),
        any(told.get(key, ["none"])[0] != "none" for key in ("proxyjump", "proxycommand")),
        (settings.known_hosts,) if settings.known_hosts else tuple(files),
        (settings.ssh_key,) if settings.ssh_key else tuple(keys),
    )


def host_keys(way: Way, deadline: float) -> HostKeys:
    """Which of them are known here, and which the host shows now; one behind another host is not asked."""
    bare = HostKeys(way.host, way.port, way.known_hosts[0])
    known = any(
        process.run(["ssh-keygen", "-F", bare.name, "-f", file], deadline=deadline).stdout.strip()
        for file in way.known_hosts
        if Path(file).is_file()
    )
    return HostKeys(way.host, way.port, bare.file, known, () if way.jumps else _shown(way, deadline))


def _shown(way: Way, deadline: float) -> tuple[str, ...]:
    wait = str(max(1, round(deadline / 2)))
    words = ["ssh-keyscan", "-T", wait, "-p", str(way.port), "-t", "ed25519,ecdsa,rsa", "--", way.host]
    lines = process.run(words, deadline=deadline).stdout.decode("ascii", "replace").splitlines()
    keys = [line for line in lines if len(line.split()) == 3 and line.split()[1] in _KINDS]
    return tuple(sorted(keys, key=lambda line: _KINDS.index(line.split()[1])))


def public_key(way: Way) -> str:
    """The public half of the first key that ssh would offer; "" when there is none."""
    halves = (f"{key}.pub" for key in way.identities if Path(key).is_file())
    return next((half for half in halves if Path(half).is_file()), "")


def _parts(url: str) -> tuple[str, str, str]:
    """User, host and port of ssh://user@host:port/path or user@host:path; "" for what is not said."""
    if "://" in url:
        parts = urllib.parse.urlsplit(url)
        return parts.username or "", parts.hostname or "", str(parts.port or "")
    user, _, host = url.partition(":")[0].rpartition("@")
    return user, host, ""

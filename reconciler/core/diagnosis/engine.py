"""Whether the Docker engine can be used, and what exactly is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from reconciler.core.diagnosis.commands import SettingPlace, at, set_value, shell
from reconciler.core.limits import OF_CGROUPS_1, SWAP
from reconciler.model.diagnosis import Finding

Trouble = Literal["", "missing", "down", "denied", "name", "silent", "strange"]
"""Nothing; no socket there; nobody listens; no right to it; a name that is unknown; no answer; no Docker engine."""

OLDEST_API = (1, 40)
TRIED_API = (1, 41)
NEWEST_API = (1, 51)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """`address`: where it was looked for; `others`: addresses where an engine does answer.

    `api`, `oldest_api`: the newest and oldest that it speaks; `lacks`: keys of HostConfig that its kernel cannot
    enforce; `root`: its data folder, "" when it is on another machine; `nameless`: bytes of images without a name.
    `start`: the command that starts it here, "" when it is not installed; `install`: the one that installs it.
    `group`: of the socket; `user`: who asks.
    """

    address: str
    trouble: Trouble = ""
    why: str = ""
    others: tuple[str, ...] = ()
    version: str = ""
    api: str = ""
    oldest_api: str = ""
    lacks: frozenset[str] = frozenset()
    root: str = ""
    nameless: int = 0
    start: str = ""
    install: str = ""
    group: str = ""
    user: str = ""


def engine(facts: EngineFacts, place: SettingPlace) -> Iterator[Finding]:
    """`place`: where docker.host is set."""
    if facts.trouble:
        yield _unreachable(facts, place)
        return
    spoken, least = _numbers(facts.api), _numbers(facts.oldest_api)
    if spoken < OLDEST_API:
        yield _wrong_age(facts, "fail", f"it speaks the API {facts.api}, and 1.40 is needed (Docker 19.03)")
    elif least > NEWEST_API:
        yield _wrong_age(facts, "fail", f"it speaks no API older than {facts.oldest_api}, and this version knows 1.51")
    elif spoken < TRIED_API:
        yield _wrong_age(facts, "warn", f"it speaks the API {facts.api}; this version was tried with 1.41 and newer")
    else:
        yield Finding("docker", "ok", f"Docker {facts.version}, API {facts.api}, at {facts.address}")
    if lacks := facts.lacks - OF_CGROUPS_1 - {SWAP}:
        yield Finding(
            "docker",
            "warn",
            f"the kernel cannot enforce: {', '.join(sorted(lacks))}",
            why="limits that manifests set are dropped by the engine",
            next="switch the cgroup controllers on: cgroup_enable=memory swapaccount=1 on the kernel's command line",
        )


def _unreachable(facts: EngineFacts, place: SettingPlace) -> Finding:
    if facts.trouble == "denied":
        return Finding(
            "docker",
            "fail",
            f"{facts.user} may not use the Docker engine at {facts.address}",
            why=facts.why,
            next="a new login is needed afterwards; note that this group is as good as root",
            mend=shell("usermod", "-aG", facts.group, facts.user) if facts.group else "",
        )
    if facts.others:
        return Finding(
            "docker",
            "fail",
            f"no Docker engine answers at {facts.address}, but one does at {facts.others[0]}",
            why=facts.why,
            next=f"the address is {at(place)}",
            mend=set_value(place, facts.others[0]),
        )
    if facts.trouble in ("missing", "down") and facts.address.startswith("unix://"):
        if facts.start:
            what, mend = f"the Docker engine at {facts.address} does not run", facts.start
        else:
            what, mend = "there is no Docker engine on this machine", facts.install
        return Finding("docker", "fail", what, why=facts.why, next=f"the address is {at(place)}", mend=mend)
    what = {
        "missing": "nothing is there",
        "down": "nobody listens there",
        "name": "that name is unknown",
        "silent": "it does not answer in time",
        "strange": "what answers is no Docker engine",
    }[facts.trouble]
    return Finding(
        "docker",
        "fail",
        f"no Docker engine at {facts.address}: {what}",
        why=facts.why,
        next=f"the address is {at(place)}; look at the engine's log, and restart it",
    )


def _wrong_age(facts: EngineFacts, level: Literal["warn", "fail"], why: str) -> Finding:
    old = _numbers(facts.api) < TRIED_API
    return Finding(
        "docker",
        level,
        f"Docker {facts.version} is too {'old' if old else 'new'}",
        why=why,
        next="install a newer Docker Engine (docs.docker.com/engine/install)" if old else "update reconciler",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())

"""Whether the remote can be fetched from, and what exactly is in the way."""

from __future__ import annotations

import hashlib
import shlex
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from reconciler.core.diagnosis.commands import SettingPlace, also, at, set_value, shell
from reconciler.core.diagnosis.network import NetworkFacts, no_way_there
from reconciler.model.diagnosis import Finding


@dataclass(frozen=True, slots=True)
class HostKeys:
    """What ssh knows of a host, and what the host shows.

    `host`, `port`: where ssh really connects; `file`: where a new key belongs; `known`: whether it has one for that
    host already; `keys`: what the host offers, as lines of known_hosts, the best kind first.
    """

    host: str
    port: int
    file: str
    known: bool = False
    keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As known_hosts writes it (sshd(8))."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


@dataclass(frozen=True, slots=True)
class RemoteFacts:
    """`url` without credentials. `code`: of the error that a fetch meets, "" when there is none, and `why` its words.

    `absent`: the remote says that there is no such repository; `branches`: those it has; `token`: name of the secret
    that holds it; `withheld`: systemd gives it to its service alone; `public_key`: file to show to the remote's owner.
    """

    url: str
    branch: str
    kind: Literal["http", "ssh", "local"]
    code: str = ""
    why: str = ""
    head: str = ""
    branches: tuple[str, ...] = ()
    absent: bool = False
    keys: HostKeys | None = None
    network: NetworkFacts | None = None
    token: str = ""
    secrets: str = ""
    public_key: str = ""
    withheld: bool = False


def remote(facts: RemoteFacts, places: dict[str, SettingPlace]) -> Iterator[Finding]:
    """`places`: where repository.url and repository.branch are set."""
    if facts.withheld:
        yield Finding(
            "remote",
            "warn",
            f"{facts.url} was not asked: systemd hands the token over to the service of the passes alone",
            next="the command runs a pass, which asks it; then: reconciler history",
            mend="systemctl start reconciler.service",
        )
    elif not facts.code:
        yield Finding("remote", "ok", f"{facts.url} answers, {facts.branch} is at {facts.head[:7]}")
    elif facts.code == "E-GIT-HOSTKEY" and facts.keys:
        yield _host_key(facts.keys, facts.why)
    elif facts.code == "E-GIT-AUTH":
        yield _refused(facts, places)
    elif facts.code == "E-GIT-BRANCH":
        yield _no_branch(facts, places["repository.branch"])
    elif facts.absent:
        yield Finding(
            "remote",
            "fail",
            f"there is no repository at {facts.url}",
            why=facts.why + ("" if facts.kind == "local" else "\n(many forges say so of one that our key may not see)"),
            next=f"mend {at(places['repository.url'])}, or let this host's key or token read it",
        )
    elif facts.network and (found := no_way_there(facts.network)):
        yield found
    else:
        yield Finding(
            "remote",
            "fail",
            f"{facts.url} cannot be fetched from [{facts.code}]",
            why=facts.why,
            next=f"docs/troubleshooting.md, {facts.code}",
        )


def _host_key(keys: HostKeys, why: str) -> Finding:
    if not keys.keys:
        return Finding(
            "remote",
            "fail",
            f"the SSH host key of {keys.name} is {'another than before' if keys.known else 'unknown'}",
            why=why,
            next=f"it cannot be asked for its key from here; add it to {keys.file} yourself, after comparing it",
        )
    kind = keys.keys[0].split()[1]
    scan = ["ssh-keyscan", *(() if keys.port == 22 else ("-p", str(keys.port))), "-t", _scan_type(kind), keys.host]
    add = f"{shell(*scan)} >> {shlex.quote(keys.file)}"
    seen = f"it shows now: {kind} {fingerprint(keys.keys[0])}"
    if keys.known:
        return Finding(
            "remote",
            "fail",
            f"the SSH host key of {keys.name} is another than the one in {keys.file}",
            why=f"{seen}\nsomebody set the server up anew, or somebody sits in between and reads along",
            next="ask its owner over another way; only if that is the very fingerprint that they name, run",
            mend=also(shell("ssh-keygen", "-R", keys.name, "-f", keys.file), add),
        )
    folder = keys.file.rpartition("/")[0]
    return Finding(
        "remote",
        "fail",
        f"the SSH host key of {keys.name} is unknown",
        why=f"{seen}\nnothing is fetched from a host whose key nobody has confirmed",
        next="compare it with the fingerprint that its owner publishes; only if it is the same, run",
        mend=also(shell("mkdir", "-p", folder), add),
    )


def _scan_type(kind: str) -> str:
    """The name that ssh-keyscan -t has for a kind of key."""
    return "ed25519" if "ed25519" in kind else "ecdsa" if "ecdsa" in kind else "rsa"


def fingerprint(line: str) -> str:
    """SHA256:... of a line of known_hosts, as ssh-keygen -l shows it."""
    digest = hashlib.sha256(b64decode(line.split()[2])).digest()
    return f"SHA256:{b64encode(digest).decode().rstrip('=')}"


def _refused(facts: RemoteFacts, places: dict[str, SettingPlace]) -> Finding:
    what = f"{facts.url} answers, and refuses our credentials"
    if facts.kind == "ssh":
        return Finding(
            "remote",
            "fail",
            what,
            why=facts.why,
            next="add this host's public key there, as a deploy key that may read: the command shows it"
            if facts.public_key
            else "this host has no key: make one (ssh-keygen -t ed25519) and add its public half as a deploy key",
            mend=shell("cat", facts.public_key) if facts.public_key else "",
        )
    file = f"{facts.secrets}/{facts.token or 'git-token'}"
    return Finding(
        "remote",
        "fail",
        what,
        why=facts.why,
        next="make a token there that may read this repository; run the command, paste it, end with Enter and Ctrl-D",
        mend=also(
            "" if facts.token else set_value(places["repository.token"], "git-token"),
            shell("install", "-D", "-m", "600", "/dev/stdin", file),
        ),
    )


def _no_branch(facts: RemoteFacts, place: SettingPlace) -> Finding:
    meant = nearest(facts.branch, facts.branches, ("main", "master"))
    return Finding(
        "remote",
        "fail",
        f"{facts.url} answers, and has no branch {facts.branch}",
        why=f"it has: {', '.join(facts.branches[:10])}" if facts.branches else "it is empty",
        next=f"push {facts.branch}" + (f", or follow {meant}" if meant else ""),
        mend=set_value(place, meant) if meant else "",
    )


def nearest(name: str, known: Sequence[str], usual: Sequence[str] = ()) -> str:
    """What was meant: the only one there is, the nearest spelling, or a usual one; "" when nobody can tell."""
    if len(known) == 1:
        return known[0]
    return next(iter(get_close_matches(name, known, 1)), "") or next((each for each in usual if each in known), "")

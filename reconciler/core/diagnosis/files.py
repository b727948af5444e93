"""Files and folders of the host: who owns them, who else may read or write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.core.counting import count
from reconciler.core.diagnosis.commands import also, shell
from reconciler.model.diagnosis import Finding

Kind = Literal["file", "directory", "link", "other", "missing"]
ROOT = 0
_LARGEST_ENV = 1 << 20


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What lies at a path. `mode`: permission bits; `problem`: why it cannot be looked at or read, "" when it can."""

    path: str
    kind: Kind
    mode: int = 0
    owner: int = 0
    size: int = 0
    problem: str = ""

    def open_to_others(self, bits: int, me: int) -> bool:
        """Whether any of these bits is set, or the owner is neither root nor the user of the pass."""
        return bool(self.mode & bits) or self.owner not in (ROOT, me)


@dataclass(frozen=True, slots=True)
class StateFacts:
    """The state directory. `writing`: why a file could not be written and synced there, "" when it could.

    `read_only`: its file system is; `mount`: where that is mounted; `kind`: its type, such as ext4 or tmpfs.
    """

    folder: PathFacts
    writing: str = ""
    read_only: bool = False
    mount: str = ""
    kind: str = ""


def settings_file(file: PathFacts, folder: PathFacts, me: int) -> Iterator[Finding]:
    """Whoever can write the host's own file, or swap it for another, is root at the next pass."""
    loose = [facts for facts in (folder, file) if facts.open_to_others(0o022, me)]
    for facts in loose:
        yield Finding(
            "settings",
            "fail",
            f"{facts.path} can be changed by others (mode {facts.mode:04o}, owner {facts.owner})",
            why="it says what the repository may do to this host; who writes it is root at the next pass",
            mend=closed(facts, "go-w", me),
        )
    if not loose:
        yield Finding("settings", "ok", f"{file.path} is valid, and nobody else can change it")


def state(facts: StateFacts, me: int) -> Iterator[Finding]:
    """The ledger, the clone, the lock and the sentinels live there."""
    folder = facts.folder
    if folder.kind not in ("directory", "missing"):
        yield Finding(
            "state",
            "fail",
            f"{folder.path} is no folder",
            why="state.directory names it, and something else lies there",
            mend=shell("mv", folder.path, f"{folder.path}.aside"),
        )
        return
    if facts.writing:
        yield Finding(
            "state",
            "fail",
            f"nothing can be written in {folder.path}",
            why=facts.writing,
            next=_make_writable(facts),
            mend=shell("mount", "-o", "remount,rw", facts.mount) if facts.read_only else "",
        )
        return
    if folder.kind == "directory" and folder.open_to_others(0o022, me):
        yield Finding(
            "state",
            "fail",
            f"{folder.path} can be changed by others (mode {folder.mode:04o}, owner {folder.owner})",
            why="pauses, blocks and the ownership of containers are kept there",
            mend=closed(folder, "700", me),
        )
    elif facts.kind in ("tmpfs", "ramfs"):
        yield Finding(
            "state",
            "warn",
            f"{folder.path} is in memory ({facts.kind}) and is lost at the next boot",
            why="pauses and blocked revisions would be forgotten; everything is fetched and checked anew",
            next="set state.directory to a folder on a disk, such as /var/lib/reconciler",
        )
    else:
        made = "" if folder.kind == "directory" else "; the first pass makes it"
        yield Finding("state", "ok", f"{folder.path} can be written, and keeps what is written ({facts.kind}){made}")


def _make_writable(facts: StateFacts) -> str:
    if facts.read_only:
        return "a file system often becomes read-only by itself when its disk fails: look at dmesg first"
    return f"run as root, or give {facts.folder.path} to this user; look for chattr +i (lsattr -d)"


def secrets(folder: PathFacts, found: Sequence[PathFacts], named: Sequence[str], me: int) -> Iterator[Finding]:
    """`named`: what settings or manifests ask for and systemd does not hand over. Values are never looked at."""
    if folder.kind == "directory" and folder.open_to_others(0o022, me):
        yield Finding(
            "secrets",
            "fail",
            f"{folder.path} can be changed by others (mode {folder.mode:04o}, owner {folder.owner})",
            why="a secret could be swapped for another",
            mend=closed(folder, "700", me),
        )
    there = {facts.path: facts for facts in found}
    missing = [name for name in named if f"{folder.path}/{name}" not in there]
    for name in missing:
        path = f"{folder.path}/{name}"
        yield Finding(
            "secrets",
            "fail",
            f"the secret {name} is not on this host",
            why="the settings or the manifests name it",
            next="run the command, paste the value, end with Enter and Ctrl-D",
            mend=shell("install", "-D", "-m", "600", "/dev/stdin", path),
        )
    bad = [finding for facts in found for finding in _secret(facts, me)]
    yield from bad
    if named and not missing and not bad:
        yield Finding("secrets", "ok", f"{count(len(named), 'secret')} named and there, readable by the owner alone")
    elif not named and not bad:
        yield Finding("secrets", "ok", "none is needed")


def _secret(facts: PathFacts, me: int) -> Iterator[Finding]:
    if facts.kind != "file":
        yield Finding(
            "secrets",
            "fail",
            f"{facts.path} is not a regular file",
            why="links, folders and devices are not followed",
            next="put a plain file there",
            mend=_unlinked(facts.path) if facts.kind == "link" else "",
        )
    elif facts.open_to_others(0o077, me):
        yield Finding(
            "secrets",
            "fail",
            f"{facts.path} is open to others (mode {facts.mode:04o}, owner {facts.owner})",
            why="a secret that others can read is refused; if it was open for long, change it",
            mend=closed(facts, "600", me),
        )


def _unlinked(path: str) -> str:
    """The file itself in the place of the link to it."""
    copy = f"{path}.copy"
    return also(shell("cp", "-L", path, copy), shell("chmod", "600", copy), shell("mv", "-f", copy, path))


def ssh_key(facts: PathFacts, me: int) -> Iterator[Finding]:
    """repository.ssh_key: ssh itself refuses a key that others can read."""
    if facts.kind == "missing":
        yield Finding(
            "ssh key",
            "fail",
            f"there is no {facts.path}",
            why="repository.ssh_key names it",
            next="the command makes a new key and shows its public half: add that as a read-only deploy key",
            mend=also(
                shell("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", facts.path),
                shell("cat", f"{facts.path}.pub"),
            ),
        )
    elif facts.open_to_others(0o077, me):
        yield Finding(
            "ssh key",
            "fail",
            f"{facts.path} is open to others (mode {facts.mode:04o}, owner {facts.owner})",
            why="ssh does not use a private key that others can read",
            mend=closed(facts, "600", me),
        )
    else:
        yield Finding("ssh key", "ok", f"{facts.path} is readable by its owner alone")


def env_files(found: Sequence[PathFacts], me: int) -> Iterator[Finding]:
    """Values that are kept out of git; they often are secrets, too."""
    well = True
    for facts in found:
        if facts.problem:
            yield Finding(
                "env files", "fail", f"cannot read {facts.path}", why=facts.problem, mend=closed(facts, "600", me)
            )
        elif facts.size > _LARGEST_ENV:
            yield Finding(
                "env files",
                "fail",
                f"{facts.path} has {facts.size} bytes, more than 1 MiB",
                why="env files are small; this is something else",
                mend=shell("mv", facts.path, f"/root/{facts.path.rpartition('/')[2]}.aside"),
            )
        elif facts.open_to_others(0o027, me):
            yield Finding(
                "env files",
                "warn",
                f"{facts.path} is open to others (mode {facts.mode:04o}, owner {facts.owner})",
                why="env files often hold passwords",
                mend=closed(facts, "600", me),
            )
        else:
            continue
        well = False
    if found and well:
        yield Finding("env files", "ok", f"{count(len(found), 'file')} on this host, readable")


def closed(facts: PathFacts, mode: str, me: int) -> str:
    """Give it to root (or to whoever runs passes here), then close it. `mode` as chmod(1) takes it."""
    stranger = facts.owner not in (ROOT, me)
    return also(shell("chown", str(me), facts.path) if stranger else "", shell("chmod", mode, facts.path))

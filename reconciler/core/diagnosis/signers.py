"""Whose commits this host follows: the keys, and who else could change them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.core.diagnosis.files import PathFacts, closed
from reconciler.model.diagnosis import Finding


@dataclass(frozen=True, slots=True)
class SignersFacts:
    """`which`: trust.signatures; `allowed`: the file of SSH keys, None when only gpg counts, and how many it has.

    `others`: the revoked keys and the keyring; `missing`: programs that are not there -> what installs them.
    """

    which: str = "off"
    allowed: PathFacts | None = None
    keys: int = 0
    others: tuple[PathFacts, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


def signers(facts: SignersFacts, me: int) -> Iterator[Finding]:
    """Nothing, when commits need no signature."""
    if facts.which == "off":
        return
    troubles = [*_programs(facts), *_files(facts, me)]
    yield from troubles
    if not troubles:
        keys = f"{facts.keys} of {facts.allowed.path}" if facts.allowed else "those of the gpg keyring"
        yield Finding("signatures", "ok", f"keys that may sign: {keys}; what is checked: {facts.which}")


def _programs(facts: SignersFacts) -> Iterator[Finding]:
    for name, command in facts.missing.items():
        yield Finding("signatures", "fail", f"{name} is not installed", why="git asks it who signed", mend=command)


def _files(facts: SignersFacts, me: int) -> Iterator[Finding]:
    for path in (*((facts.allowed,) if facts.allowed else ()), *facts.others):
        if path.kind == "missing" or path.problem:
            yield Finding(
                "signatures",
                "fail",
                f"{path.path} cannot be read",
                why=path.problem or "there is no such file, and reconciler.toml names it; no new commit is followed",
                next='a line of allowed_signers: alice@example.org namespaces="git" ssh-ed25519 AAAA...',
            )
        elif path.open_to_others(0o022, me):
            yield Finding(
                "signatures",
                "fail",
                f"{path.path} can be changed by others (mode {path.mode:04o}, owner {path.owner})",
                why="who writes it decides whose commits this host runs as root",
                mend=closed(path, "go-w", me),
            )
        elif path == facts.allowed and not facts.keys:
            yield Finding(
                "signatures",
                "fail",
                f"{path.path} has no key",
                why="nobody may sign, so that no new commit is followed",
                next='a line for each who may: alice@example.org namespaces="git" ssh-ed25519 AAAA...',
            )

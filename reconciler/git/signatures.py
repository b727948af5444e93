"""Who signed a commit, judged by git with this host's keys and programs alone.

Git's exit code decides; its words and those of gpg and ssh-keygen only explain. Like git, an SSH key counts in the time
that allowed_signers gives it, at the date of the commit; only `revoked_signers` takes back what a key has signed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reconciler import process
from reconciler.errors import BadConfiguration, Terminal
from reconciler.model.gate import SignatureAnswer
from reconciler.ports import Signatures

_MOST = 64 << 20  # bytes: a million and a half of commits
_NOBODY = "false"
"""Stands for the program of a kind of signature that this host does not take."""

_SIGNER = re.compile(r'^(?:Good "git" signature for (.+) with \S+ key|\[GNUPG:\] GOODSIG \S+ (.+)$)', re.MULTILINE)
_EXPLAINED = (
    ("[GNUPG:] REVKEYSIG", "its key was revoked"),
    ("[GNUPG:] EXPKEYSIG", "its key has expired"),
    ("[GNUPG:] EXPSIG", "the signature has expired"),
    ("[GNUPG:] BADSIG", "the signature does not fit the commit"),
    ("[GNUPG:] NO_PUBKEY", "it is signed with a key that this host does not know"),
    ("key has expired", "its key had expired"),
    ("No principal matched", "it is signed with a key that this host does not know"),
    ("incorrect signature", "the signature does not fit the commit"),
    ("Could not verify signature", "its key was revoked, or is not for commits"),  # all that git passes on
)


@dataclass(frozen=True, slots=True)
class Keys:
    """The host's own files: SSH keys that may sign, SSH keys that may no longer, a GPG keyring; "" for none."""

    allowed: str = ""
    revoked: str = ""
    gpg_home: str = ""


class GitSignatures(Signatures):
    """Over a bare clone. `which`: the target alone, or every commit since the base, merged ones too.

    Without a base it is the target alone: a signature covers all that the commit stands on. `deadline`: seconds for
    one commit.
    """

    def __init__(self, clone: Path, which: Literal["head", "all"], keys: Keys, deadline: float) -> None:
        self._clone, self._which, self._keys, self._deadline = clone, which, keys, deadline
        self._checked = False

    def required(self, sha: str, base: str) -> tuple[str, ...]:
        if self._which == "head" or not base or sha == base:
            return (sha,)
        done = self._git("rev-list", "--topo-order", sha, f"^{base}", "--")
        found = tuple(done.stdout.decode("ascii").split())
        if done.code or done.truncated or found[:1] != (sha,):
            raise Terminal(
                "E-TRUST-COMMITS",
                f"the commits between {base[:7]} and {sha[:7]} cannot be listed",
                why=done.stderr.decode("utf-8", "replace").strip()[-500:] or f"there are {len(found)}",
                next="look at both with git log; the clone is made anew when it is damaged",
            )
        return found

    def answer(self, sha: str) -> SignatureAnswer:
        self._check_keys()
        done = self._git("verify-commit", "--raw", sha)
        said = done.stderr.decode("utf-8", "replace")
        if done.code == 0:
            signer = _SIGNER.search(said)
            return SignatureAnswer(sha, (signer[1] or signer[2]) if signer else "")
        if not said.strip():
            return SignatureAnswer(sha, trouble="it is not signed")
        why = next((words for mark, words in _EXPLAINED if mark in said), "")
        return SignatureAnswer(sha, trouble=why or f"its signature cannot be checked: {said.strip().splitlines()[-1]}")

    def _git(self, *words: str) -> process.Completed:
        options = (word for setting in self._settings() for word in ("-c", setting))
        argv = ["git", "--no-replace-objects", f"--git-dir={self._clone}", *options, *words]
        return process.run(argv, deadline=self._deadline, env=self._environment(), limit=_MOST)

    def _settings(self) -> Iterator[str]:
        """Whatever the clone's own configuration says, these programs and keys are asked."""
        keys = self._keys
        yield from ("core.hooksPath=/dev/null", "gpg.minTrustLevel=undefined", f"gpg.x509.program={_NOBODY}")
        yield f"gpg.openpgp.program={'gpg' if keys.gpg_home else _NOBODY}"
        yield f"gpg.program={'gpg' if keys.gpg_home else _NOBODY}"
        yield f"gpg.ssh.program={'ssh-keygen' if keys.allowed else _NOBODY}"
        yield f"gpg.ssh.allowedSignersFile={keys.allowed or os.devnull}"
        yield f"gpg.ssh.revocationFile={keys.revoked or os.devnull}"

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "GNUPG", "GPG"))}
        return kept | {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GNUPGHOME": self._keys.gpg_home or os.devnull,
            "LC_ALL": "C",
        }

    def _check_keys(self) -> None:
        """Who can write them can let anybody sign. Once: a pass is short."""
        if self._checked:
            return
        for path in (self._keys.allowed, self._keys.revoked, self._keys.gpg_home):
            if path and (trouble := _untrustworthy(path)):
                raise BadConfiguration(
                    "E-TRUST-KEYS",
                    f"{path} cannot be relied on",
                    why=trouble,
                    next="it has to be there, belong to root and be writable by nobody else: reconciler doctor",
                    unchanged="everything that runs",
                )
        self._checked = True


def _untrustworthy(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError as error:
        return error.strerror or str(error)
    if status.st_uid not in (0, os.geteuid()):
        return f"it belongs to user {status.st_uid}"
    if status.st_mode & 0o022:
        return f"others may write it (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""

"""Commits that somebody signed, with keys made by the real ssh-keygen and the real gpg."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.gitremote import Remote, make_key


@dataclass(frozen=True)
class Signer:
    """Who signs: the `options` of git that make it so; `home`: the GNUPGHOME that has the key."""

    name: str
    options: tuple[str, ...]
    public: str = ""
    home: str = ""

    def allowed(self, limits: str = "") -> str:
        """A line of allowed_signers."""
        return f"{self.name}@example.org {limits} {self.public}".replace("  ", " ")


def ssh_signer(folder: Path, name: str) -> Signer:
    key = make_key(folder / name)
    options = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}")
    return Signer(name, options, key.with_name(f"{name}.pub").read_text().strip())


@dataclass(frozen=True)
class Keyring:
    """A private GNUPGHOME; its path is short, for the sockets of its agent."""

    home: Path

    def gpg(self, *arguments: str, stdin: str = "") -> str:
        command = ["gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]
        done = subprocess.run([*command, *arguments], input=stdin, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "GNUPGHOME": str(self.home), "LC_ALL": "C"}

    def signer(self, name: str, lasts: str = "never") -> Signer:
        mail = f"{name}@example.org"
        self.gpg("--quick-gen-key", f"{name} <{mail}>", "ed25519", "sign", lasts)
        options = ("-c", "gpg.format=openpgp", "-c", f"user.signingkey={mail}")
        return Signer(name, options, self.gpg("--armor", "--export", mail), str(self.home))

    def revoke(self, signer: Signer) -> None:
        """With the certificate that gpg makes beside every new key, whose first line a person has to mend."""
        (certificate,) = (self.home / "openpgp-revocs.d").iterdir()
        self.gpg("--import", stdin=certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))


@contextmanager
def keyring() -> Iterator[Keyring]:
    with tempfile.TemporaryDirectory(prefix="gpg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        made = Keyring(Path(folder))
        try:
            yield made
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], env=made.environment, check=True)


def signed(remote: Remote, signer: Signer, sha: str = "", date: str = "1700000000 +0000") -> str:
    """The commit `sha` (the head) again, signed, and the branch at it."""
    sha = sha or remote.head
    tree, *parents = remote.git("show", "-s", "--format=%T %P", sha).decode().split()
    above = [word for parent in parents for word in ("-p", parent)]
    made = remote.git(
        *signer.options, "commit-tree", "-S", tree, *above, "-m", "signed",
        GIT_COMMITTER_DATE=date, GNUPGHOME=signer.home,
    ).decode().strip()  # fmt: skip
    remote.force(made)
    return made

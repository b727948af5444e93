"""Secrets of the host by name: systemd credentials first, then files that nobody else may read."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from reconciler.errors import Terminal

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class SecretStore:
    """`config_directory` has the folder secrets/; $CREDENTIALS_DIRECTORY (systemd LoadCredential=) wins."""

    def __init__(self, config_directory: str, credentials_directory: str | None = None) -> None:
        self._files = Path(config_directory) / "secrets"
        credentials = credentials_directory or os.environ.get("CREDENTIALS_DIRECTORY", "")
        self._credentials = Path(credentials) if credentials else None

    def read(self, name: str) -> bytes:
        """The value. Terminal when it is missing, not a file, or open to others."""
        if not _NAME.fullmatch(name):
            raise Terminal(
                "E-SECRET-NAME", f"{name!r} cannot name a secret", why="letters, digits, . _ and -", next="rename it"
            )
        if given := self._given(name):
            return given.read_bytes()
        path = self._files / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise Terminal(
                "E-SECRET-MISSING",
                f"the secret {name!r} is not on this host",
                why=str(error),
                next=f"write it to {path} with mode 0600",
            ) from error
        try:
            self._check(os.fstat(descriptor), path)
            with open(descriptor, "rb", closefd=False) as file:  # raises for a folder, so the check comes first
                return file.read()
        finally:
            os.close(descriptor)

    def read_words(self, name: str) -> str:
        """The value as text that is shown to somebody, without the blanks around it. Terminal when none is left, too.

        An empty one would count as none: nobody would be asked for a token that somebody has named.
        """
        if words := self.read(name).decode(errors="surrogateescape").strip():
            return words
        place = self._given(name) or self._files / name
        raise Terminal(
            "E-SECRET-EMPTY",
            f"the secret {name!r} is empty",
            why=f"there is nothing in {place}; a command that was to write it may have failed",
            next=f"write its value to {place}",
        )

    def _given(self, name: str) -> Path | None:
        """By systemd."""
        given = self._credentials / name if self._credentials else None
        return given if given and given.is_file() else None

    def _check(self, status: os.stat_result, path: Path) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise Terminal(
                "E-SECRET-FILE",
                f"{path} is not a regular file",
                why="links and devices are not followed",
                next="put a file there",
            )
        if status.st_mode & 0o077 or status.st_uid not in (0, os.geteuid()):
            raise Terminal(
                "E-SECRET-OPEN",
                f"{path} is open to others",
                why=f"mode {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}",
                next=f"chmod 0600 {path} && chown root {path}",
            )

"""The host's own files: values kept out of git, files made for containers, and who this fleet is here."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from reconciler import durable
from reconciler.core.redact import values_of
from reconciler.errors import Terminal, Transient
from reconciler.model.repository import EntryKind
from reconciler.ports import HostFiles, Identity

_LARGEST = 1 << 20


class LocalHostFiles(HostFiles):
    """`config`: the folder of reconciler.toml; `state`: the state directory; `read_secret`: name -> value."""

    def __init__(self, config: Path, state: Path, read_secret: Callable[[str], bytes]) -> None:
        self._config, self._state, self._read_secret = config, state, read_secret

    def environment_folder(self, stack: str) -> str:
        return str(self._config / "env" / stack)

    def environment(self, stack: str) -> Mapping[str, bytes]:
        return environment_in(Path(self.environment_folder(stack)))

    def secret(self, name: str) -> bytes:
        return self._read_secret(name)

    def confidential(self) -> Collection[str]:
        """What cannot be read cannot have been shown either, and is passed over."""
        values: set[str] = set()
        folders = {"env": self._config / "env", "secrets": self._config / "secrets"}
        if given := os.environ.get("CREDENTIALS_DIRECTORY"):
            folders["credentials"] = Path(given)  # of systemd; SecretStore reads them first
        for folder, place in folders.items():
            for path in place.rglob("*"):
                try:
                    content = path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else b""
                except OSError:
                    continue
                values |= set(values_of(content)) if folder == "env" else {content.decode(errors="replace")}
        return values

    def key(self) -> bytes:
        path = self._state / "fingerprint.key"
        if not path.exists():
            put(path, secrets.token_bytes(32), 0o600)
        return _read(path)

    def write(self, path: str, content: bytes) -> None:
        """Containers run as any user, so the file is readable by all; only root reaches the folder around it."""
        target = self._rendered(path)
        if target.exists() and target.read_bytes() == content:
            return
        (self._state / "rendered").mkdir(mode=0o700, parents=True, exist_ok=True)
        put(target, content, 0o644)

    def lay_out(self, folder: str, files: Mapping[str, tuple[EntryKind, bytes]]) -> None:
        self.discard(folder)
        root = self._rendered(folder)
        try:
            (self._state / "rendered").mkdir(mode=0o700, parents=True, exist_ok=True)
            root.mkdir()
            for relative, (kind, content) in files.items():
                path = root / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                if kind == "symlink":
                    path.symlink_to(os.fsdecode(content))
                else:
                    path.write_bytes(content)
                    path.chmod(0o755 if kind == "executable" else 0o644)
            for made in (root, *root.rglob("*")):
                if made.is_dir() and not made.is_symlink():
                    made.chmod(0o755)  # whatever our umask is: containers run as any user
        except OSError as error:
            raise _unwritten(root, error) from error

    def discard(self, folder: str) -> None:
        shutil.rmtree(self._rendered(folder), ignore_errors=True)

    def real(self, path: str) -> str:
        return real_path(path)

    def holds_data(self, path: str) -> bool:
        """What cannot be looked into counts as data."""
        try:
            with os.scandir(path) as entries:
                return next(entries, None) is not None
        except (FileNotFoundError, ValueError):
            return False
        except OSError:
            return True

    def _rendered(self, path: str) -> Path:
        """The path, which must really lie in our own folder, whatever a name in a manifest made of it."""
        folder = os.path.realpath(self._state / "rendered")
        real = self.real(path)
        if not os.path.isabs(path) or "\0" in path or not real.startswith(f"{folder}/"):
            raise Terminal(
                "E-HOST-FILE",
                f"{path!r} is not written",
                why=f"it leads to {real}, and files for containers lie below {folder} only",
                next="look for links in that folder, and at the names of the stack's configs",
            )
        return Path(real)


def real_path(path: str) -> str:
    """With every link followed; what does not exist stays as it is written."""
    try:
        return os.path.realpath(path)
    except ValueError:  # a NUL: there is no such path, and nobody can mount it
        return path


def environment_in(folder: Path) -> Mapping[str, bytes]:
    """The files below a folder by their relative path; none when there is no such folder."""
    if not folder.is_dir():
        return {}
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(path.relative_to(folder)): _read(path) for path in found}


class RepositoryIdentity(Identity):
    """The ownership key: the first commit of the history, the manifests folder and the host; kept once known.

    It survives the loss of the state directory (it is derived again) and a move of the remote.
    """

    def __init__(self, state: Path, host: str, manifests: str, root: Callable[[str], str]) -> None:
        self._path, self._host, self._manifests, self._root = state / "owner", host, manifests, root

    def owner(self, revision: str = "") -> str:
        if self._path.exists() and (known := self._path.read_text().strip()):
            return known
        if not revision:
            return ""
        key = f"{self._root(revision)[:12]}/{self._manifests}@{self._host}"
        put(self._path, f"{key}\n".encode(), 0o600)
        return key


def put(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, durably. Transient when the disk is full."""
    try:
        durable.put(path, content, mode)
    except OSError as error:
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> Transient:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return Transient(
        "E-DISK-FULL" if full else "E-HOST-FILE",
        f"cannot write {path}",
        why=str(error),
        next="make room on its file system" if full else "check owner and mode of the folder",
    )


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise Terminal(
                "E-HOST-FILE", f"{path} is larger than 1 MiB", why="env files are small", next="look at what it is"
            )
        return path.read_bytes()
    except OSError as error:
        raise Terminal("E-HOST-FILE", f"cannot read {path}", why=str(error), next="check its owner and mode") from error

"""A repository of the desired state as somebody begins one: made anew, or cloned to add the first stacks."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler import process
from reconciler.core.trees import Content, Executable, Submodule, Symlink
from reconciler.errors import Terminal
from reconciler.git.objects import Objects
from reconciler.git.transport import Transport
from reconciler.ports import Tree

_DEADLINE = 120.0


def is_repository(path: Path) -> bool:
    """Whether a folder is a git repository, bare or with a working tree."""
    return any((folder / "HEAD").is_file() and (folder / "objects").is_dir() for folder in (path, path / ".git"))


def author(host: str) -> str:
    """Whoever git knows the user as, else reconciler at this host; as git writes it: `name <address>`."""
    name, address = (_git(None, "config", "--get", f"user.{key}", check=False).strip() for key in ("name", "email"))
    return f"{name} <{address}>" if name and address else f"reconciler <reconciler@{host}>"


def make_bare(directory: Path, branch: str) -> None:
    """A new bare repository in an empty folder."""
    _git(directory, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(directory))


def commit(git_dir: Path, branch: str, files: Mapping[str, Content], who: str, message: str) -> None:
    """One commit on top of the branch, which may be new, that adds these files."""
    parent = _git(git_dir, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False).strip()
    stream = bytearray(f"commit refs/heads/{branch}\ncommitter {who} {int(time.time())} +0000\n".encode())
    stream += _data(message.encode()) + (f"from {parent}\n".encode() if parent else b"")
    for path, content in sorted(files.items()):
        mode, data = _blob(content)
        stream += b"M %s inline %s\n" % (mode, _quoted(path)) + _data(data)
    _git(git_dir, "fast-import", "--quiet", "--done", input=bytes(stream) + b"done\n")


@dataclass(frozen=True, slots=True)
class Clone:
    """A clone with a working tree at `directory`. `head`: the branch on the remote; "" when the remote is empty."""

    directory: Path
    transport: Transport
    branch: str
    head: str

    @property
    def git_dir(self) -> Path:
        return self.directory / ".git"

    def tree(self) -> Tree | None:
        """What the branch holds; None when it does not exist yet."""
        return Objects(self.git_dir).tree(self.head) if self.head else None

    def check_out(self) -> None:
        """The working tree as the branch is now, the remote known as `origin`."""
        _git(self.git_dir, "remote", "add", "origin", self.transport.url)
        _git(self.git_dir, f"--work-tree={self.directory}", "reset", "--quiet", "--hard", f"refs/heads/{self.branch}")

    def push(self) -> None:
        """Terminal when the remote does not take it."""
        ref = f"refs/heads/{self.branch}"
        until = time.monotonic() + _DEADLINE
        done = self.transport.git(self.git_dir, "push", "--quiet", "origin", f"{ref}:{ref}", until=until)
        if done.code:
            raise Terminal(
                "E-INIT-GIT",
                f"{self.transport.shown} did not take the push",
                why=self.transport.unexplained(done.stderr).why,
                next="leave --push out, and push the clone as the user who may",
                unchanged="nothing was written",
            )

    def check(self, *args: str) -> bytes:
        until = time.monotonic() + _DEADLINE
        done = self.transport.git(self.git_dir, *args, until=until)
        if done.code:
            raise self.transport.failure(self.branch, done, until) or self.transport.unexplained(done.stderr)
        return done.stdout


def clone(transport: Transport, branch: str, directory: Path) -> Clone:
    """Clone one branch into an empty folder. What the passes will use is used, so that a mistake is found now."""
    _git(directory, "init", "--quiet", "--template=", f"--initial-branch={branch}", str(directory))
    empty = Clone(directory, transport, branch, "")
    heads = {
        ref: sha
        for sha, ref in (line.split() for line in empty.check("ls-remote", "--heads", "origin").decode().splitlines())
    }
    if not heads:
        return empty
    empty.check(
        "fetch", "--quiet", "--no-tags", "--update-head-ok", "origin", f"+refs/heads/{branch}:refs/heads/{branch}"
    )
    return Clone(directory, transport, branch, heads[f"refs/heads/{branch}"])


def _blob(content: Content) -> tuple[bytes, bytes]:
    if isinstance(content, Symlink):
        return b"120000", os.fsencode(content.target)
    if isinstance(content, Executable):
        return b"100755", content.content
    assert not isinstance(content, Submodule), "nothing makes one"
    return b"100644", content.encode() if isinstance(content, str) else content


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _quoted(path: str) -> bytes:
    """C style, as git-fast-import(1) has it."""
    escaped = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped


def _git(git_dir: Path | None, *args: str, input: bytes = b"", check: bool = True) -> str:
    """git on this machine's disk; hooks and GIT_* of the caller stay out, the user's name does not."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    where = [f"--git-dir={git_dir}"] if git_dir and args[0] != "init" else []
    argv = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsync=all", *where, *args]
    done = process.run(argv, deadline=_DEADLINE, env=env, input=input)
    if check and done.code:
        raise Terminal(
            "E-INIT-GIT",
            f"git {args[0]} failed",
            why=done.stderr.decode(errors="replace").strip()[-500:] or f"it ended with {done.code}",
            next="see what git says; nothing was put in place",
        )
    return done.stdout.decode(errors="replace")

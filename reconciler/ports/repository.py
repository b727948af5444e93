"""Where manifests and other files are read from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import ClassVar, Protocol

from reconciler.model.gate import SignatureAnswer
from reconciler.model.repository import Change, CheckoutReport, Commit, Entry, LeftAlone


class Tree(Protocol):
    """The files of one revision, read from git objects, never from a working tree. Paths use `/`; "" is the root."""

    def entry(self, path: str) -> Entry | None:
        """The entry itself (a symlink is not followed), or None."""

    def read(self, path: str) -> bytes:
        """The content of a file (or the target of a symlink); KeyError when there is no such file."""

    def children(self, path: str) -> tuple[str, ...]:
        """Names in a directory, sorted; empty when there is no such directory."""


class Repository(Protocol):
    EFFECTS: ClassVar[tuple[str, ...]] = ("fetch", "checkout")

    def fetch(self, run: str) -> str:
        """Bring the branch into a ref of this run; return its head (40 hex). Unreachable, Terminal."""

    def has(self, sha: str) -> bool:
        """Whether that commit is there."""

    def is_descendant(self, sha: str, of: str) -> bool:
        """Whether `of` is `sha` or one of its ancestors; False when `of` is unknown."""

    def root(self, sha: str) -> str:
        """The first commit of the first-parent chain (40 hex): what identifies this history."""

    def first_parents(self, sha: str, until: str = "", most: int = 0) -> tuple[str, ...]:
        """`sha` and its first parents, newest first, as far as `until` (left out), `most` of them or the first."""

    def commit(self, sha: str) -> Commit: ...

    def tree(self, sha: str) -> Tree: ...

    def tree_id(self, sha: str) -> str:
        """What names all files of a revision (40 hex)."""

    def changes(self, base: str, target: str) -> tuple[Change, ...]: ...

    def log(self, base: str, target: str, most: int) -> tuple[tuple[Commit, ...], int]:
        """The newest commits of the first-parent chain from `target` to `base` (left out), and how many more there are.

        All of the chain when it does not meet `base`.
        """

    def checkout_obstacles(self, sha: str, directory: str) -> tuple[str, ...]:
        """Untracked paths on disk that the check-out of `sha` would have to overwrite."""

    def checkout_drift(self, sha: str, directory: str) -> tuple[str, ...]:
        """Paths tracked in `sha` whose file on disk is missing or differs."""

    def checkout(self, sha: str, directory: str, run: str, leave: LeftAlone = LeftAlone()) -> CheckoutReport:
        """Make `directory` hold exactly `sha`'s tracked files, but for what is to be left alone; that stays as it is.

        Untracked files are never touched.
        """


class Signatures(Protocol):
    """Signatures of commits, against the keys that this host trusts (I18)."""

    def required(self, sha: str, base: str) -> tuple[str, ...]:
        """The commits whose signatures count when `sha` is to follow `base` ("": nothing), `sha` first."""

    def answer(self, sha: str) -> SignatureAnswer:
        """What the signature of one commit is worth. BadConfiguration when the host's own keys cannot be relied on."""


class Disk(Protocol):
    """Files of this machine that are in no repository yet. Paths are absolute; nothing here writes."""

    def is_file(self, path: str) -> bool: ...

    def read(self, path: str, most: int = 1 << 20) -> bytes | None:
        """None when it is no plain file, cannot be read, or is larger than `most` bytes."""

    def link(self, path: str) -> str:
        """Where a symbolic link leads, as it is written; "" when it is none."""

    def below(self, folder: str, without: Collection[str]) -> Iterator[tuple[str, Entry]]:
        """Files and links below a folder by relative path, each `id` empty; the paths of `without` are not entered."""

    def home(self, path: str) -> str:
        """The home of the user who owns a file or folder; "" when there is none."""

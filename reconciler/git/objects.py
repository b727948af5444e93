"""What a bare repository's objects tell: ancestry, trees, diffs. Nothing here writes to it.

pygit2 is loaded on first use: a pass that finds nothing new need not pay for it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reconciler.errors import Terminal, Transient
from reconciler.model.repository import Change, Commit, Entry, EntryKind

if TYPE_CHECKING:
    import pygit2

SHA = re.compile(r"[0-9a-f]{40}")
DAMAGED = "reconciler-damaged"  # left in a clone whose objects could not be read: the next fetch clones anew

_KINDS: dict[int, EntryKind] = {
    0o040000: "directory",
    0o120000: "symlink",
    0o160000: "submodule",
    0o100755: "executable",
}
_STATUS: dict[str, Literal["added", "modified", "deleted", "renamed", "typechange"]] = {
    "A": "added",
    "M": "modified",
    "D": "deleted",
    "R": "renamed",
    "T": "typechange",
}


def text(raw: bytes) -> str:
    """A path of git as a str; bytes that are not UTF-8 become surrogates, as `os.fsdecode` makes them."""
    return raw.decode("utf-8", "surrogateescape")


def newest_fetched(clone: Path) -> str:
    """The head of the branch as the latest fetch saw it (40 hex); "" when nothing was fetched yet."""
    refs = [ref for ref in (clone / "refs/reconciler/runs").glob("*") if ref.suffix != ".lock"]
    for ref in sorted(refs, key=lambda ref: ref.stat().st_mtime_ns, reverse=True):
        if SHA.fullmatch(sha := ref.read_text(errors="replace").strip()):
            return sha
    return ""


class Objects:
    """The objects of the bare clone at `directory`. A damaged object raises Transient and marks the clone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @cached_property
    def _repo(self) -> pygit2.Repository:
        import pygit2

        pygit2.settings.owner_validation = False  # the state directory is ours, whoever owns the files
        repo = pygit2.Repository(str(self.directory), pygit2.enums.RepositoryOpenFlag.BARE)
        if repo.is_shallow or (self.directory / "info" / "grafts").exists():
            raise Transient(
                "E-GIT-SHALLOW",
                "the clone does not hold the whole history",
                why=f"{self.directory} is shallow or has grafts; ancestry read from it would be wrong",
                next="nothing: the next fetch clones anew beside it and swaps the two",
            )
        return repo

    @contextlib.contextmanager
    def _reading(self) -> Iterator[pygit2.Repository]:
        import pygit2

        try:
            yield self._repo
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            with contextlib.suppress(OSError):
                (self.directory / DAMAGED).touch()
            raise Transient(
                "E-GIT-CORRUPT",
                "the local clone cannot be read",
                why=str(error),
                next="nothing: the next fetch clones anew beside it and swaps the two",
            ) from error

    def has(self, sha: str) -> bool:
        return self.kind(sha) == "commit"

    def knows(self, blob: str) -> bool:
        """Whether a file with this blob id is in the history that was fetched, and so can be had again."""
        return self.kind(blob) == "blob"

    def kind(self, sha: str) -> str:
        """`commit`, `tree`, `blob`, `tag`; empty when there is no such object."""
        if not SHA.fullmatch(sha) or not self.directory.is_dir():
            return ""
        with self._reading() as repo:
            if sha not in repo:
                return ""
            return {1: "commit", 2: "tree", 3: "blob", 4: "tag"}.get(int(repo.odb.read_header(sha)[0]), "")

    def commit(self, sha: str) -> Commit:
        found = self._commit(sha)
        with self._reading():
            subject, _, _ = found.message.lstrip("\n").partition("\n")
            author = f"{found.author.name} <{found.author.email}>"
            return Commit(sha, subject.strip(), author, found.commit_time, found.message)

    def _commit(self, sha: str) -> pygit2.Commit:
        if not self.has(sha):
            raise Terminal(
                "E-GIT-SHA",
                f"there is no commit {sha}",
                why="it is not in the history of the branch, nor was it ever fetched here",
                next="give the full SHA (40 hex digits) of a commit that was pushed to the branch",
            )
        with self._reading() as repo:
            found: pygit2.Commit = repo[sha]  # type: ignore[assignment]
            return found

    def is_descendant(self, sha: str, of: str) -> bool:
        self._commit(sha)
        if not self.has(of):
            return False
        with self._reading() as repo:
            return sha == of or repo.descendant_of(sha, of)

    def first_parents(self, sha: str, until: str = "", most: int = 0) -> tuple[str, ...]:
        """`sha` and its first parents, newest first, as far as `until` (left out), `most` of them or the root."""
        self._commit(sha)
        chain: list[str] = []
        with self._reading() as repo:
            walker = repo.walk(sha)
            walker.simplify_first_parent()
            for commit in walker:
                if (name := str(commit.id)) == until or len(chain) == most > 0:
                    break
                chain.append(name)
        return tuple(chain)

    def root(self, sha: str) -> str:
        return self.first_parents(sha)[-1]

    def changes(self, base: str, target: str) -> tuple[Change, ...]:
        """What differs from `base` (empty: from nothing) to `target`; a rename carries both of its paths."""
        import pygit2

        new = self._commit(target)
        old = self._commit(base) if base else None
        with self._reading():
            flags = pygit2.enums.DiffOption.INCLUDE_TYPECHANGE
            if old is None:
                diff = new.tree.diff_to_tree(flags=flags, context_lines=0, swap=True)
            else:
                diff = old.tree.diff_to_tree(new.tree, flags=flags, context_lines=0)
            diff.find_similar()
            return tuple(_change(patch) for patch in diff if patch is not None)

    def tree_id(self, sha: str) -> str:
        return str(self._commit(sha).tree_id)

    def tree(self, sha: str) -> GitTree:
        return GitTree(self, self.tree_id(sha))

    def listing(self, tree: str) -> dict[str, tuple[EntryKind, str]]:
        """The names in one tree object, in git's order, with kind and object id."""
        with self._reading() as repo:
            found: pygit2.Tree = repo[tree]  # type: ignore[assignment]
            return {
                text(item.raw_name or b""): (_KINDS.get(int(item.filemode), "file"), str(item.id)) for item in found
            }

    def blob(self, blob: str) -> bytes:
        with self._reading() as repo:
            return bytes(repo.odb.read(blob)[1])

    def size(self, blob: str) -> int:
        with self._reading() as repo:
            return int(repo.odb.read_header(blob)[1])

    def files(self, sha: str) -> dict[str, tuple[EntryKind, str]]:
        """Every path of a revision but its directories."""
        found: dict[str, tuple[EntryKind, str]] = {}
        waiting = [("", str(self._commit(sha).tree_id))]
        while waiting:
            prefix, tree = waiting.pop()
            for name, (kind, id) in self.listing(tree).items():
                if kind == "directory":
                    waiting.append((f"{prefix}{name}/", id))
                else:
                    found[prefix + name] = (kind, id)
        return found


class GitTree:
    """One revision's files (ports.Tree). Tree objects are read once each."""

    def __init__(self, objects: Objects, root: str) -> None:
        self._objects, self._root = objects, root
        self._listings: dict[str, dict[str, tuple[EntryKind, str]]] = {}

    def entry(self, path: str) -> Entry | None:
        found = self._find(path)
        if found is None:
            return None
        kind, id = found
        return Entry(kind, id, 0 if kind in ("directory", "submodule") else self._objects.size(id))

    def read(self, path: str) -> bytes:
        found = self._find(path)
        if found is None or found[0] in ("directory", "submodule"):
            raise KeyError(path)
        return self._objects.blob(found[1])

    def children(self, path: str) -> tuple[str, ...]:
        found = self._find(path)
        if found is None or found[0] != "directory":
            return ()
        return tuple(sorted(self._listing(found[1])))

    def _find(self, path: str) -> tuple[EntryKind, str] | None:
        here: tuple[EntryKind, str] | None = ("directory", self._root)
        for name in path.split("/") if path else ():
            if here is None or here[0] != "directory":
                return None
            here = self._listing(here[1]).get(name)
        return here

    def _listing(self, tree: str) -> dict[str, tuple[EntryKind, str]]:
        if tree not in self._listings:
            self._listings[tree] = self._objects.listing(tree)
        return self._listings[tree]


def _change(patch: pygit2.Patch) -> Change:
    _, insertions, deletions = patch.line_stats
    delta = patch.delta
    status = _STATUS.get(delta.status_char(), "modified")
    old, new = text(delta.old_file.raw_path), text(delta.new_file.raw_path)
    return Change(new, status, insertions, deletions, old if status == "renamed" else "")

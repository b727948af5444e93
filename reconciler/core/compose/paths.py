"""Paths of a Compose file against the repository: where they lead, and whether what git holds there is refused.

Everything is decided on git objects; the working tree of the host is never looked at.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from reconciler.core.compose.problems import fail, show
from reconciler.errors import Position
from reconciler.ports import Tree

_LFS = b"version https://git-lfs.github.com/spec/v1"
_LFS_LONGEST = 1024
_MOST_LINKS = 16


@dataclass(frozen=True, slots=True)
class Located:
    """`host`: the absolute path as mounted. `repo`: the path in the repository, links followed; None outside it."""

    host: str
    repo: str | None


def join(folder: str, path: str) -> str | None:
    """`path` seen from `folder`, both of the repository, without `.` and `..`; None when it leaves the repository."""
    parts = folder.split("/") if folder else []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def parent(path: str) -> str:
    return path.rpartition("/")[0]


def tidy(path: str) -> str:
    """An absolute path without `.`, `..` and doubled slashes; above the root there is only the root."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


@dataclass(frozen=True, slots=True)
class Aside:
    """Where the files of a stack lie that git does not have: `directory` of the host stands for `folder` of git."""

    folder: str
    directory: str

    def place(self, base: str, path: str) -> str:
        """The absolute path of the host for `path`, written in a file whose relative paths start at `base`."""
        return tidy(f"{self.directory}/{posixpath.relpath(f'/{base}', f'/{self.folder}')}/{path}")


class Paths:
    """The repository's tree, seen from a check-out at `checkout`; remembers what it already found harmless.

    `aside`: where what git does not have is looked for instead of in the check-out.
    """

    def __init__(self, tree: Tree, checkout: str, home: str, aside: Aside | None = None) -> None:
        self.tree = tree
        self.checkout = tidy(checkout)
        self.home = home
        self._aside = aside
        self._clean: set[str] = set()
        self.reads: dict[str, None] = {}

    def locate(self, path: str, folder: str, at: Position) -> Located:
        """Where `path`, written in a file whose relative paths start at `folder`, leads. E-COMPOSE-PATH."""
        if "\0" in path:
            fail("E-COMPOSE-PATH", "a path cannot hold a NUL character", at)
        if path == "~" or path.startswith("~/"):
            path = self.home + path[1:]
        if path.startswith("/"):
            absolute = tidy(path)
            inside = self._inside(absolute)
            return Located(absolute, None if inside is None else self.follow(inside, at))
        relative = join(folder, path)
        if self._aside and (relative is None or self.tree.entry(self.follow(relative, at)) is None):
            return Located(self._aside.place(folder, path), None)
        if relative is None:
            fail(
                "E-COMPOSE-PATH",
                f"the path {show(path)} leaves the repository",
                at,
                why="above the root of the repository there is nothing that git describes",
                next="move the file into the repository, or write an absolute path of the host",
            )
        host = f"{self.checkout.rstrip('/')}/{relative}" if relative else self.checkout
        return Located(host, self.follow(relative, at))

    def _inside(self, absolute: str) -> str | None:
        if absolute == self.checkout:
            return ""
        prefix = self.checkout.rstrip("/") + "/"
        return absolute[len(prefix) :] if absolute.startswith(prefix) else None

    def follow(self, path: str, at: Position) -> str:
        """`path` with every link of the repository followed; refuses links out of it, submodules and case clashes."""
        todo = path.split("/") if path else []
        done: list[str] = []
        links = 0
        while todo:
            name = todo.pop(0)
            here = "/".join((*done, name))
            entry = self.tree.entry(here)
            if entry is None:
                return join("/".join(done), "/".join((name, *todo))) or ""
            self._refuse_clash("/".join(done), at, name)
            if entry.kind == "submodule":
                self._refuse_submodule(here, at)
            if entry.kind != "symlink":
                done.append(name)
                continue
            links += 1
            if links > _MOST_LINKS:
                fail("E-COMPOSE-PATH", f"the links at {here} lead in a circle", at, next="remove one of them")
            target = self._target(here, at)
            todo = (target.split("/") if target else []) + todo
            done = []
        return "/".join(done)

    def _target(self, link: str, at: Position) -> str:
        """Where a link leads, as a path of the repository."""
        target = self.tree.read(link).decode("utf-8", "replace")
        inside = self._inside(tidy(target)) if target.startswith("/") else join(parent(link), target)
        if inside is None:
            fail(
                "E-COMPOSE-PATH",
                f"the symbolic link {link} leads out of the repository, to {show(target)}",
                at,
                why="following it would hand over a file of the host that git does not describe",
                next="replace the link by the file, or mount the host's path itself",
            )
        return inside

    def _refuse_submodule(self, path: str, at: Position) -> None:
        fail(
            "E-COMPOSE-PATH",
            f"{path} is a git submodule",
            at,
            why="only the objects of this repository are read; a submodule's content is not among them",
            next="copy (or subtree-merge) the files into the repository",
        )

    def _refuse_clash(self, folder: str, at: Position, name: str | None = None) -> None:
        """Two names that differ in case only; with `name`, only clashes with that one."""
        seen: dict[str, str] = {}
        names = self.tree.children(folder)
        if name is not None:
            folded = name.casefold()
            names = tuple(n for n in names if n.casefold() == folded)
        for other in names:
            twin = seen.setdefault(other.casefold(), other)
            if twin != other:
                fail(
                    "E-COMPOSE-PATH",
                    f"{other} and {twin} in {folder or 'the root of the repository'} differ in case only",
                    at,
                    why="on a file system that ignores case one would overwrite the other",
                    next="rename one of them",
                )

    def check_content(self, path: str, at: Position) -> None:
        """Refuse what must not be mounted, built from or read, at `path` (links followed already) and below."""
        todo = [path]
        while todo:
            here = todo.pop()
            if here not in self._clean:
                self._clean.add(here)
                todo.extend(self._check_entry(here, at))

    def _check_entry(self, path: str, at: Position) -> list[str]:
        """Refuse one entry, or return the entries below it."""
        entry = self.tree.entry(path)
        if entry is None:
            return []
        if entry.kind == "directory":
            self._refuse_clash(path, at)
            return [f"{path}/{name}" if path else name for name in self.tree.children(path)]
        if entry.kind == "submodule":
            self._refuse_submodule(path, at)
        elif entry.kind == "symlink":
            self._target(path, at)
        elif len(_LFS) <= entry.size <= _LFS_LONGEST and self.tree.read(path).startswith(_LFS):
            fail(
                "E-COMPOSE-PATH",
                f"{path} is a git-LFS pointer, not the file itself",
                at,
                why="the content lies on an LFS server that is not asked",
                next="keep the file in git itself, or fetch it in the image",
            )
        return []

    def mounted(self, path: str, folder: str, at: Position) -> Located:
        """`locate`, with the content checked. What git does not hold is data, and fine."""
        found = self.locate(path, folder, at)
        if found.repo is not None:
            self.check_content(found.repo, at)
        return found

    def find_file(self, path: str, folder: str, at: Position) -> str | None:
        """The repository path of a file that git holds; None when there is none."""
        repo = self.locate(path, folder, at).repo
        if repo is None or (entry := self.tree.entry(repo)) is None:
            return None
        if entry.kind == "directory":
            fail("E-COMPOSE-PATH", f"{show(path)} is a directory, not a file", at)
        return repo

    def read(self, repo: str, at: Position) -> bytes:
        """The content of a file of the repository; remembered in `reads`."""
        self.check_content(repo, at)
        self.reads[repo] = None
        return self.tree.read(repo)

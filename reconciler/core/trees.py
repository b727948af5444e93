"""A revision's files in memory, with git's own object ids: the shipped fake of `ports.Tree`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.repository import Entry, EntryKind


@dataclass(frozen=True, slots=True)
class Symlink:
    target: str


@dataclass(frozen=True, slots=True)
class Executable:
    content: bytes


@dataclass(frozen=True, slots=True)
class Submodule:
    commit: str = "0" * 39 + "1"


Content = bytes | str | Symlink | Executable | Submodule

_MODES: dict[EntryKind, bytes] = {
    "file": b"100644",
    "executable": b"100755",
    "directory": b"40000",
    "symlink": b"120000",
    "submodule": b"160000",
}


def object_id(kind: str, content: bytes) -> str:
    """Git's id of an object: SHA-1 over its header and content."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(content)) + content, usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class _Folder:
    names: dict[str, None] = field(default_factory=dict)


class MemoryTree:
    """`MemoryTree({"a/b.txt": b"text", "link": Symlink("a")})`; a `str` is its UTF-8."""

    def __init__(self, files: Mapping[str, Content]) -> None:
        self._files = {path: c.encode() if isinstance(c, str) else c for path, c in files.items()}
        self._folders: dict[str, _Folder] = {"": _Folder()}
        self._entries: dict[str, Entry] = {}
        for path in self._files:
            self._hang(path)

    def _hang(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        if not name or path in self._folders or parent in self._files:
            raise ValueError(f"{path!r} cannot stand in a tree")
        if parent not in self._folders:
            self._folders[parent] = _Folder()
            self._hang_folder(parent)
        self._folders[parent].names[name] = None

    def _hang_folder(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        if parent in self._files:
            raise ValueError(f"{parent!r} is a file and a directory")
        if parent not in self._folders:
            self._folders[parent] = _Folder()
            self._hang_folder(parent)
        self._folders[parent].names[name] = None

    def entry(self, path: str) -> Entry | None:
        if path not in self._entries:
            made = self._make(path)
            if made is None:
                return None
            self._entries[path] = made
        return self._entries[path]

    def _make(self, path: str) -> Entry | None:
        if path in self._folders:
            return Entry("directory", self._tree_id(path))
        content = self._files.get(path)
        if content is None:
            return None
        if isinstance(content, Submodule):
            return Entry("submodule", content.commit)
        data = self.read(path)
        kind: EntryKind = (
            "symlink" if isinstance(content, Symlink) else "executable" if isinstance(content, Executable) else "file"
        )
        return Entry(kind, object_id("blob", data), len(data))

    def _known(self, path: str) -> Entry:
        entry = self.entry(path)
        if entry is None:
            raise KeyError(path)
        return entry

    def _tree_id(self, path: str) -> str:
        rows = []
        for name in self._folders[path].names:
            entry = self._known(f"{path}/{name}" if path else name)
            # Git sorts a directory as if its name ended in a slash.
            order = name.encode() + (b"/" if entry.kind == "directory" else b"")
            rows.append((order, _MODES[entry.kind] + b" " + name.encode() + b"\0" + bytes.fromhex(entry.id)))
        return object_id("tree", b"".join(row for _, row in sorted(rows)))

    def read(self, path: str) -> bytes:
        content = self._files[path]
        if isinstance(content, Symlink):
            return content.target.encode()
        if isinstance(content, Executable):
            return content.content
        if isinstance(content, bytes):
            return content
        raise KeyError(path)

    def children(self, path: str) -> tuple[str, ...]:
        folder = self._folders.get(path)
        return tuple(sorted(folder.names)) if folder else ()

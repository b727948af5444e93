"""What a check-out would do to a working tree, and what forbids it. Looks, and touches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.git.objects import Objects
from reconciler.git.worktree.disk import Disk, Found
from reconciler.git.worktree.record import Record, Stat, settled
from reconciler.git.worktree.rules import Files, ignored
from reconciler.model.repository import EntryKind, LeftAlone


@dataclass(frozen=True, slots=True)
class Write:
    """`path` is to hold object `id`; `found` is what is there now, `displace`: to be copied aside first."""

    path: str
    kind: EntryKind
    id: str
    found: Found | None
    displace: bool = False

    @property
    def only_mode(self) -> bool:
        """The content is right already, the executable bit is not."""
        return self.found is not None and self.found.id == self.id and not self.found.is_link


@dataclass(slots=True)
class Plan:
    """`clear`: files to be copied aside and removed; those of them that left the index are `removed`.

    `held`: paths that differ and are left alone; `left`: what is known of those, kept for the check-outs to come.
    """

    writes: list[Write] = field(default_factory=list)
    clear: dict[str, Found] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)  # left the index, and the disk as well
    obstacles: set[str] = field(default_factory=set)
    unchanged: dict[str, tuple[EntryKind, str, Stat]] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    left: dict[str, tuple[EntryKind, str, Stat]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not (self.writes or self.clear)


class Planner:
    """`written`: what interrupted check-outs may have put where (path -> its object ids)."""

    def __init__(self, objects: Objects, disk: Disk, record: Record, files: Files, leave: LeftAlone) -> None:
        self._objects, self._disk, self._record, self._leave_alone = objects, disk, record, leave
        self._wanted = {path: entry for path, entry in files.items() if entry[0] != "submodule"}
        self._files = files
        self._written: dict[str, set[tuple[bool, str]]] = {}
        for sha in record.pending:
            for path, (kind, id) in (objects.files(sha) if objects.has(sha) else {}).items():
                self._written.setdefault(path, set()).add((kind == "symlink", id))
        self._plan = Plan()
        self._blocked: dict[str, bool] = {"": False}

    def plan(self) -> Plan:
        self._leave()
        for path, (kind, id) in self._wanted.items():
            self._want(path, kind, id)
        return self._plan

    def _leave(self) -> None:
        """Files that were ours and are not in this revision."""
        leaving = {path for path in (*self._record.entries, *self._written) if path not in self._wanted}
        there: dict[str, Found] = {}
        for path in sorted(leaving):
            if found := self._disk.find(path):
                if not self._is_left(path):
                    there[path] = found
            else:
                self._plan.gone.append(path)
        ignorable = ignored(self._objects, self._files, there)
        for path, found in there.items():
            if path not in ignorable and self._as_written(path, found):
                self._plan.clear[path] = found
                self._plan.removed.append(path)
            elif path in self._record.entries and found.kind != "directory":
                self._plan.kept.append(path)

    def _want(self, path: str, kind: EntryKind, id: str) -> None:
        found = self._disk.find(path)
        if (found is None or found.kind != kind or found.id != id) and self._is_left(path):
            return
        if self._behind_obstacle(path.rpartition("/")[0]):
            return
        if found is None:
            self._plan.writes.append(Write(path, kind, id, None))
        elif found.kind == kind and found.id == id:
            self._plan.unchanged[path] = (kind, id, settled(found.stat))
        elif found.kind == "directory":
            self._plan.obstacles.update(below for below in self._disk.below(path) if below not in self._plan.clear)
            self._plan.writes.append(Write(path, kind, id, None))
        elif found.kind is None:
            self._plan.obstacles.add(path)
        elif self._as_written(path, found) or (found.id == id and found.is_link == (kind == "symlink")):
            self._plan.writes.append(Write(path, kind, id, found))
        elif path in self._record.entries:
            self._plan.writes.append(Write(path, kind, id, found, displace=True))
        elif self._objects.knows(found.id):
            self._plan.writes.append(Write(path, kind, id, found))
        else:
            self._plan.obstacles.add(path)

    def _is_left(self, path: str) -> bool:
        """Whether what differs there stays as it is; then that is noted."""
        if path not in self._leave_alone:
            return False
        self._plan.held.append(path)
        if entry := self._record.entries.get(path):
            self._plan.left[path] = entry
        return True

    def _behind_obstacle(self, folder: str) -> bool:
        """Whether something that must stay is where this folder or one above it has to be."""
        if folder not in self._blocked:
            above = self._behind_obstacle(folder.rpartition("/")[0])
            self._blocked[folder] = above or not (self._disk.is_folder(folder) or self._can_clear(folder))
            if self._blocked[folder] and not above:
                self._plan.obstacles.add(folder)
        return self._blocked[folder]

    def _can_clear(self, folder: str) -> bool:
        if folder in self._plan.clear or (found := self._disk.find(folder)) is None:
            return True
        known = not found.is_link and found.kind is not None and self._objects.knows(found.id)
        if known and folder not in self._record.entries:
            self._plan.clear[folder] = found
            return True
        return False

    def _as_written(self, path: str, found: Found) -> bool:
        """Whether the file holds what we put there, now or in a check-out that was cut short."""
        entry = self._record.entries.get(path)
        if entry is not None and found.id == entry[1] and found.is_link == (entry[0] == "symlink"):
            return bool(found.id)
        return (found.is_link, found.id) in self._written.get(path, ())


def drifted(disk: Disk, files: Files) -> Iterator[str]:
    """Paths of `files` that are missing on disk, or differ."""
    for path, (kind, id) in files.items():
        found = disk.find(path)
        if found is None or found.kind != kind or found.id != id:
            yield path

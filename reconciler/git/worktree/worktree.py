"""One working tree: is it as the revision says, what is in the way, and making it so."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from reconciler.errors import Refused
from reconciler.git.objects import Objects
from reconciler.git.worktree import record as records
from reconciler.git.worktree.apply import Hand, make_root, told
from reconciler.git.worktree.disk import Disk
from reconciler.git.worktree.plan import Plan, Planner, Write, drifted
from reconciler.git.worktree.record import Record, Stat
from reconciler.git.worktree.rules import Files, listed, require_inner_links, require_safe_paths
from reconciler.model.repository import CheckoutReport, EntryKind, LeftAlone


class Worktree:
    """The folder `root`; the record of what is in it lies beside the bare clone."""

    def __init__(self, objects: Objects, root: Path, *, displaced: Path) -> None:
        self._objects, self._root, self._displaced = objects, root, displaced
        self._file = records.record_file(objects.directory, root)

    def drift(self, sha: str) -> tuple[str, ...]:
        """Paths tracked in `sha` whose file is missing or differs. Needs no git object when `sha` was the last one."""
        record = records.load(self._file) or Record()
        disk = Disk(self._root, record.entries)
        if record.sha == sha:
            files: Files = {path: (kind, id) for path, (kind, id, _) in record.entries.items()}
        else:
            files = {path: entry for path, entry in self._objects.files(sha).items() if entry[0] != "submodule"}
        with told(self._root):
            found = tuple(sorted(drifted(disk, files)))
        if disk.fresh:
            self._refresh(record, disk.fresh)
        return found

    def _refresh(self, record: Record, fresh: dict[str, Stat]) -> None:
        """Remember what was hashed. A mere cache: a full disk or a reader without rights is no reason to fail."""
        known = {path: (record.entries[path][0], record.entries[path][1], stat) for path, stat in fresh.items()}
        with contextlib.suppress(OSError):
            records.save(self._file, replace(record, entries={**record.entries, **known}))

    def obstacles(self, sha: str) -> tuple[str, ...]:
        """Untracked paths that a check-out of `sha` would have to overwrite."""
        record = records.load(self._file) or Record()
        with told(self._root):
            return tuple(sorted(self._plan(record, self._allowed_files(sha)).obstacles))

    def checkout(self, sha: str, run: str, leave: LeftAlone = LeftAlone()) -> CheckoutReport:
        """Make the folder hold exactly `sha`'s files, but for those to `leave`; untracked ones stay as they are.

        Refused, Transient.
        """
        record = records.load(self._file) or Record()
        if record.sha == sha and self._root.is_dir() and not self.drift(sha):
            return CheckoutReport()
        files = self._allowed_files(sha)
        aside = self._displaced / run
        with told(self._root):
            make_root(self._root)
            hand = Hand(self._root, self._objects, aside)
            hand.unstage(record.staged)
            plan = self._plan(record, files, leave)
            self._require_no_obstacles(plan)
            entries = self._apply(plan, hand, record, sha) | plan.left
            done = Record("", record.pending, entries=entries) if plan.held else Record(sha, entries=entries)
            records.save(self._file, done)
        return _report(plan, files, aside)

    def _allowed_files(self, sha: str) -> Files:
        files = self._objects.files(sha)
        require_safe_paths(files)
        require_inner_links(files, self._objects)
        return files

    def _plan(self, record: Record, files: Files, leave: LeftAlone = LeftAlone()) -> Plan:
        return Planner(self._objects, Disk(self._root, record.entries), record, files, leave).plan()

    def _require_no_obstacles(self, plan: Plan) -> None:
        if plan.obstacles:
            raise Refused(
                "E-CHECKOUT-UNTRACKED",
                f"untracked files are in the way of the check-out into {self._root}: {listed(plan.obstacles)}",
                why="git has none of their contents, so overwriting them would lose data",
                next="move them away or commit them; the next tick goes on by itself",
                unchanged="the working tree and all that runs",
            )

    def _apply(self, plan: Plan, hand: Hand, record: Record, sha: str) -> dict[str, tuple[EntryKind, str, Stat]]:
        """Copy aside, stage all that can be staged, and only then remove and rename."""
        if plan.empty:
            return plan.unchanged
        records.save(self._file, record.beginning(sha, tuple(write.path for write in plan.writes)))
        for write in plan.writes:
            if write.displace and write.found is not None:
                hand.copy_aside(write.path, write.found, durable=True)
        for path, found in plan.clear.items():
            hand.copy_aside(path, found, durable=False)
        contents = [write for write in plan.writes if not write.only_mode]
        late = [write for write in contents if _waits_for_room(write.path, plan)]
        waiting = {write.path for write in late}
        early = [write for write in contents if write.path not in waiting]
        hand.stage(early)
        for path, found in plan.clear.items():
            hand.remove(path, found)
        hand.remove_empty_folders([*plan.removed, *(plan.gone if record.pending else ())])
        hand.stage(late)
        entries = dict(plan.unchanged)
        for write in plan.writes:
            entries[write.path] = (write.kind, write.id, records.settled(self._put(hand, write)))
        hand.sync()
        return entries

    def _put(self, hand: Hand, write: Write) -> os.stat_result:
        if write.only_mode:
            return hand.set_mode(write)
        if write.found is None:
            hand.clear_folder(write.path)
        return hand.place(write)


def _waits_for_room(path: str, plan: Plan) -> bool:
    """Whether a file that is yet to be removed stands where one of this path's folders will be."""
    while path := path.rpartition("/")[0]:
        if path in plan.clear:
            return True
    return False


def _report(plan: Plan, files: Files, aside: Path) -> CheckoutReport:
    displaced = tuple(sorted(write.path for write in plan.writes if write.displace))
    return CheckoutReport(
        written=tuple(sorted(write.path for write in plan.writes if not write.displace)),
        displaced=displaced,
        removed=tuple(sorted(plan.removed)),
        kept=tuple(sorted(plan.kept)),
        aside=str(aside) if displaced or plan.clear else "",
        skipped=tuple(sorted(path for path, (kind, _) in files.items() if kind == "submodule")),
        left=tuple(sorted(plan.held)),
    )

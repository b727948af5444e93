"""The folder of sentinels: pauses, blocks and the stamp. Presence is the meaning; README.md is the protocol.

What cannot be read, or is not a plain file, still pauses and blocks: failing closed costs a person one look, failing
open may cost data. Methods that write raise OSError; those that read do not. Time comes in as a `Moment`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sentinels import disk
from sentinels.disk import Found
from sentinels.format import dump, number_of, parse, seconds_of, stamp_of, wall_of
from sentinels.moment import Moment

DEFAULT_TTL = 4 * 3600.0
STAMP = "last-successful-deploy-sha"
ACCEPTED = "accepted"
EVERYTHING = "*"
PAUSE_KEYS = ("reason", "holder", "run", "at")
RESERVE = ".reserve"
"""Room for a block when the disk is full."""
BLOCK_KEYS = (*PAUSE_KEYS, "tree", "desired")
_STACK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_BLOCK = re.compile(r"[0-9a-f]{40}|image-[A-Za-z0-9][A-Za-z0-9:._-]{0,127}")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,40}")
_SHA = re.compile(rb"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Pause:
    """`scope`: a stack, or "" for the whole host. `left`: seconds until it ends. `run`: the deploy that raised it."""

    scope: str
    reason: str
    holder: str
    run: str
    at: str
    left: float
    problem: str


@dataclass(frozen=True, slots=True)
class Block:
    """`name`: a commit, `image-<digest>`, or "*" when the folder cannot be listed: then everything is blocked."""

    name: str
    reason: str
    holder: str
    run: str
    at: str
    tree: str
    desired: str
    problem: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One sentinel as it lies there: its path below the folder, its fields, and what is odd about it."""

    name: str
    fields: tuple[tuple[str, str], ...]
    problem: str


class SentinelFolder:
    """`path` is usually `/var/lib/reconciler/sentinels`; it is made at the first write."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def pause(
        self, scope: str | None, *, reason: str, holder: str, now: Moment, ttl: float = DEFAULT_TTL, run: str = ""
    ) -> Pause:
        """Pause the host (None) or one stack for `ttl` seconds; a pause that is there already is replaced."""
        if not 0 < ttl < 1e12:
            raise ValueError(f"a pause cannot last {ttl} seconds")
        path = self._pause_path(scope)
        fields = {"reason": reason, "holder": holder, "run": run, "at": stamp_of(now.wall), "for": f"{ttl:.0f}s"}
        fields |= {"expires": stamp_of(now.wall + ttl), "boot": now.boot_id, "booted": f"{now.since_boot:.3f}"}
        disk.make_folder(self._path)
        disk.write(path, dump(fields))
        return Pause(scope or "", reason, holder, run, fields["at"], ttl, "")

    def paused(self, scope: str | None = None, *, now: Moment, alone: bool = False) -> Pause | None:
        """The pause that holds now for the whole host, or else for that stack; one that ended is None.

        `alone`: only a pause of the stack itself counts.
        """
        for each in (scope,) if alone else dict.fromkeys((None, scope)):
            found = self._found(self._pause_path(each))
            if found and (pause := self._judge(each, found, now)).left > 0:
                return pause
        return None

    def resume(self, scope: str | None = None, *, only_deploys: bool = False) -> bool:
        """End a pause; whether there was one. `only_deploys`: leave what a person asked for."""
        path = self._pause_path(scope)
        found = self._found(path)
        if found is None or (only_deploys and not parse(found.data).get("run")):
            return False
        return disk.remove(path)

    def sweep(self, now: Moment) -> tuple[Pause, ...]:
        """Remove the pauses that ended by themselves, and return them. For the holder of the pass lock."""
        ended = []
        for scope in (None, *(disk.names(self._path / "paused.d") or ())):
            path = self._pause_path(scope, strict=False)
            found = self._found(path)
            if found and (pause := self._judge(scope, found, now)).left <= 0 and _remove_if_same(path, found):
                ended.append(pause)
        for folder in (self._path, self._path / "paused.d", self._path / "blocked", self._path / ".seen"):
            disk.tidy(folder)
        disk.reserve(self._path / RESERVE)
        return tuple(ended)

    def block(
        self, name: str, *, reason: str, holder: str, now: Moment, run: str = "", tree: str = "", desired: str = ""
    ) -> None:
        """Block a commit (40 hex) or `image-<digest>`; `tree` and `desired` name what else is as bad."""
        if not _BLOCK.fullmatch(name):
            raise ValueError(f"{name!r} is neither a commit nor image-<digest>")
        fields = {"reason": reason, "holder": holder, "run": run, "at": stamp_of(now.wall)}
        disk.make_folder(self._path)
        path, text = self._path / "blocked" / name, dump(fields | {"tree": tree, "desired": desired})
        try:
            disk.write(path, text)
        except OSError:  # a full disk must not let a bad commit run again
            if not disk.remove(self._path / RESERVE):
                raise
            disk.write(path, text)

    def blocked(self) -> tuple[Block, ...]:
        """Every block, by name."""
        listed = disk.names(self._path / "blocked") if self._usable() else None
        if listed is None:
            return (Block(EVERYTHING, "", "", "", "", "", "", "the folder of blocks cannot be listed"),)
        blocks = []
        for name in listed:
            found = disk.look(self._path / "blocked" / name) or Found()
            told = parse(found.data)
            reason, holder, run, at, tree, desired = (told.get(key, "") for key in BLOCK_KEYS)
            blocks.append(Block(name, reason, holder, run, at, tree, desired, found.problem))
        return tuple(blocks)

    def is_blocked(self, name: str) -> Block | None:
        """The block that holds for a commit or `image-<digest>`; a person may have abbreviated the commit."""
        for block in self.blocked():
            if block.name == EVERYTHING or names_the_same(block.name, name):
                return block
        return None

    def clear(self, name: str) -> bool:
        """Remove one entry by its name in `entries()`; whether there was one. ValueError for what is no sentinel."""
        folder, _, leaf = name.rpartition("/")
        allowed = name in ("paused", ACCEPTED) or (
            folder in ("paused.d", "blocked") and leaf and not leaf.startswith(".")
        )
        if not allowed or "\0" in name:
            raise ValueError(f"{name!r} is not a sentinel that can be cleared")
        return disk.remove(self._path / name)

    def stamp(self) -> str | None:
        """The revision verified last (40 hex); None when there is none or it cannot be read."""
        return self._sha(STAMP)

    def write_stamp(self, sha: str) -> None:
        self._write_sha(STAMP, sha)

    def accepted(self) -> str | None:
        """The head of a rewritten branch that a person takes for good (40 hex), or None."""
        return self._sha(ACCEPTED)

    def accept(self, sha: str) -> None:
        """Follow a rewritten branch from this commit on; it goes when a revision is verified."""
        self._write_sha(ACCEPTED, sha)

    def _sha(self, name: str) -> str | None:
        found = self._found(self._path / name)
        text = found.data.strip() if found else b""
        return text.decode() if _SHA.fullmatch(text) else None

    def _write_sha(self, name: str, sha: str) -> None:
        if not _SHA.fullmatch(sha.encode()):
            raise ValueError(f"{sha!r} is not a full commit id")
        disk.write(self._path / name, f"{sha}\n".encode())

    def entries(self) -> tuple[Entry, ...]:
        """Everything that lies there, for people; pauses that have ended too, until they are swept."""
        return tuple(self._entries())

    def _entries(self) -> Iterator[Entry]:
        for name in ("paused", ACCEPTED, STAMP):
            if found := self._found(self._path / name):
                told = parse(found.data) if name == "paused" else {"sha": self._sha(name) or ""}
                odd = "" if told.get("sha", "-") else "it is not a full commit id"
                yield Entry(name, tuple(told.items()), found.problem or odd)
        for folder in ("paused.d", "blocked"):
            listed = disk.names(self._path / folder) if self._usable() else None
            if listed is None:
                yield Entry(f"{folder}/{EVERYTHING}", (), "the folder cannot be listed")
            for name in listed or ():
                found = disk.look(self._path / folder / name) or Found()
                yield Entry(f"{folder}/{name}", tuple(parse(found.data).items()), found.problem)

    def _pause_path(self, scope: str | None, strict: bool = True) -> Path:
        if not scope:
            return self._path / "paused"
        if strict and not _STACK.fullmatch(scope):
            raise ValueError(f"{scope!r} is not the name of a stack")
        return self._path / "paused.d" / scope

    def _usable(self) -> bool:
        found = disk.look(self._path)
        return found is None or found.problem == "it is a folder"

    def _found(self, path: Path) -> Found | None:
        """What lies there; a folder on the way that is a link or no folder counts as a sentinel itself."""
        for folder in dict.fromkeys((self._path, path.parent)):
            around = disk.look(folder)
            if around is None:
                return None
            if around.problem != "it is a folder":
                return Found(problem=f"{folder.name}: {around.problem or 'it is not a folder'}")
        return disk.look(path)

    def _judge(self, scope: str | None, found: Found, now: Moment) -> Pause:
        told = parse(found.data)
        reason, holder, run, at = (told.get(key, "") for key in PAUSE_KEYS)
        return Pause(scope or "", reason, holder, run, at, self._left(scope, found, now), found.problem)

    def _left(self, scope: str | None, found: Found, now: Moment) -> float:
        """Seconds until it ends: by boot time on the same boot, by wall time otherwise, never more than its TTL.

        A last line without its newline may be cut, so no time is read from it.
        """
        told = parse(found.data[: found.data.rfind(b"\n") + 1])
        ttl = seconds_of(told.get("for", "")) or DEFAULT_TTL
        booted = number_of(told.get("booted", ""))
        if now.boot_id and told.get("boot") == now.boot_id and booted is not None and now.since_boot >= booted:
            return ttl - (now.since_boot - booted)
        expires, at = wall_of(told.get("expires", "")), wall_of(told.get("at", ""))
        if expires is None and at is not None:
            expires = at + ttl
        if expires is not None and expires - now.wall <= ttl:
            return expires - now.wall
        return ttl - self._seen_for(scope, found, now)

    def _seen_for(self, scope: str | None, found: Found, now: Moment) -> float:
        """Seconds since this very file was first seen, recorded in `.seen/`; 0 when that cannot be told."""
        if not found.identity:
            return 0.0
        path = self._path / ".seen" / (f"stack-{scope}" if scope else "host")
        if (record := disk.look(path)) and (told := parse(record.data)).get("identity") == found.identity:
            booted, at = number_of(told.get("booted", "")), number_of(told.get("wall", ""))
            if now.boot_id and told.get("boot") == now.boot_id and booted is not None and now.since_boot >= booted:
                return now.since_boot - booted
            if told.get("boot") != now.boot_id and at is not None and now.wall >= at:
                return now.wall - at
        fields = {"identity": found.identity, "wall": f"{now.wall:.3f}", "boot": now.boot_id}
        with suppress(OSError):  # a reader who may not write sees the pause hold, which is the safe side
            disk.write(path, dump(fields | {"booted": f"{now.since_boot:.3f}"}))
        return 0.0


def names_the_same(block: str, name: str) -> bool:
    """Whether a block holds for that commit or image: the same name, or an abbreviation of 7 or more digits, in
    capitals or not."""
    return block == name or bool(_ABBREVIATED.fullmatch(block.lower()) and name.startswith(block.lower()))


def _remove_if_same(path: Path, seen: Found) -> bool:
    """Remove what was judged, and put back what somebody wrote there in the meantime."""
    aside = path.parent / f".ended-{secrets.token_hex(4)}"
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    now_there = disk.look(aside)
    if now_there and now_there.data != seen.data:
        aside.rename(path)
        return False
    return disk.remove(aside)

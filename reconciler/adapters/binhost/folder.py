"""The binhost as a folder: for each profile one with packages and their index, as Portage's clients expect it.

    PROFILE/Packages, Packages.gz, CATEGORY/NAME/NAME-VERSION-BUILDID.gpkg.tar     what is served
    .incoming/BUILD/ATTEMPT/    uploads of a lease, until they are published or discarded
    .notes/PROFILE/             see `binhost_shelf`
    .lock                       one process writes here

A package comes in before its index names it, and goes after the index has forgotten it. A package whose build id is
taken gets the next free one: the index and the name of the file are what clients go by, so the id inside of it, which a
signature would cover, may be another one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock

from reconciler.adapters.binhost.index import COMPRESSED, PLAIN, IndexFiles
from reconciler.adapters.binhost.shelf import Pending, Placed, Shelf
from reconciler.adapters.binhost.staging import Staging, usable
from reconciler.core.packages.version import split_cpv
from reconciler.durable import sync_folder
from reconciler.errors import Busy, Refused, Terminal, Transient
from reconciler.model.queue import Stored
from reconciler.model.swarm import Artifact
from reconciler.ports.swarm import Binhost, PackageFiles, Upload
from reconciler.swarm.binhost.admission import LEASE, admitted, build_id_in, is_package_path
from reconciler.swarm.binhost.index import Entry, Index, build_id_of, joined_header, path_of, stored, whole
from reconciler.swarm.binhost.retention import Retention, superseded

_PROFILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+_.-]{0,127}")


class BinhostFolder(Binhost, PackageFiles):
    """Opens the folder, and mends what a crash left. Busy when another process has it. `clock`: epoch seconds.

    `losses`: what could not be mended, for people. Safe to use from several threads.
    """

    def __init__(self, folder: str | Path, clock: Callable[[], float] = time.time) -> None:
        self._root, self._clock = Path(folder), clock
        self._lock = RLock()
        self.losses: list[str] = []
        self._staging = Staging(self._root / ".incoming")
        self._indexes: dict[str, IndexFiles] = {}
        self._shown: dict[str, tuple[Index, tuple[Stored, ...]]] = {}
        with usable("be opened"):
            self._root.mkdir(parents=True, exist_ok=True)
            self._held = _locked(self._root / ".lock")
            try:
                self._recover()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Another process may have it."""
        os.close(self._held)

    def begin(self, profile: str) -> None:
        """Make an empty index where there is none: clients call one that is missing an error."""
        with self._lock, usable("begin an index"):
            if self._read(profile) is None:
                self._files(profile).begin(self._clock())

    def index(self, profile: str) -> Sequence[Stored]:
        with self._lock, usable("read its index"):
            index = self._read(profile)
            if index is None:
                return ()
            if profile not in self._shown or self._shown[profile][0] is not index:
                self._shown[profile] = (index, stored(whole(index)))
            return self._shown[profile][1]

    def profiles(self) -> Sequence[str]:
        with usable("look for profiles"):
            return [folder.name for folder in sorted(self._root.iterdir()) if _is_profile(folder)]

    def served(self, profile: str, path: str) -> Path | None:
        if not _PROFILE.fullmatch(profile) or not (path in (PLAIN, COMPRESSED) or is_package_path(path)):
            return None
        folder = (self._root / profile).resolve()
        file = folder / path
        return file if file.is_file() and file.resolve() == file and not file.is_symlink() else None

    def receive(self, build: str, attempt: int, path: str, size: int, sha256: str) -> Upload:
        if not is_package_path(path):
            raise Refused(
                "E-BINHOST-PATH", f"{path[:200]!r} is no path of a package", next="send what the local Packages lists"
            )
        with usable("take an upload"):
            room = os.statvfs(self._root)
            if room.f_bavail * room.f_frsize < size:
                raise OSError(errno.ENOSPC, f"{size} bytes are more than there is room for")
            return self._staging.receive(build, attempt, size, sha256)

    def staged(self) -> Sequence[tuple[str, int]]:
        with usable("look into its staging"):
            return self._staging.leases()

    def discard(self, build: str, attempt: int) -> None:
        with usable("discard an upload"):
            self._staging.discard(build, attempt)

    def publish(self, profile: str, build: str, attempt: int, artifacts: Sequence[Artifact]) -> Sequence[str]:
        with self._lock, usable("take packages in"):
            index = self._read(profile) or self._files(profile).begin(self._clock())
            known = {entry[LEASE]: path_of(entry) for entry in index.entries if LEASE in entry}
            if missing := [each for each in artifacts if _lease(build, attempt, each) not in known]:
                pending = self._plan(profile, index, build, attempt, missing)
                self._shelf(profile).begin(pending)
                known |= self._carry_out(profile, pending)
            for each in artifacts:
                if _lease(build, attempt, each) not in known:
                    raise _unfit(each, "it was gone before it could be taken in")
            self._staging.discard(build, attempt)
            return [known[_lease(build, attempt, each)] for each in artifacts]

    def prune(self, profile: str, retention: Retention, grace: float = 86400.0) -> Sequence[tuple[str, str]]:
        """Forget what has had its day; (path, why) of each. Its file goes `grace` seconds later, with another call.

        Forgotten is, too, what somebody took away: as long as the index names it, clients fail, and nobody builds it.
        """
        with self._lock, usable("be pruned"):
            files, shelf, now = self._files(profile), self._shelf(profile), self._clock()
            index = self._read(profile)
            if index is None:
                return ()
            superfluous = {each.path: why for each, why in superseded(self.index(profile), retention)}
            gone = superfluous | dict.fromkeys(self._lacking(profile, index), "its file is gone")
            waiting = {**shelf.dropped(), **dict.fromkeys(superfluous, now)}
            if gone:
                shelf.drop(waiting)
                files.write(index.header, [each for each in index.entries if path_of(each) not in gone], now)
                for path in gone:
                    shelf.forget(path)
            self._take_away(profile, waiting, now - grace)
            return tuple(gone.items())

    # --- one lease becomes part of the binhost

    def _plan(self, profile: str, index: Index, build: str, attempt: int, artifacts: Iterable[Artifact]) -> Pending:
        """What is to lie where, and stand in the index; nothing is changed yet. Terminal for what cannot be taken."""
        files = self._staging.files(build, attempt)
        taken: dict[str, set[int]] = {}
        placed = []
        for artifact in artifacts:
            staged = files.get(artifact.sha256.lower())
            if staged is None or staged.sums.size != artifact.size:
                raise _unfit(artifact, "nothing was uploaded that has this checksum and size")
            try:
                joined_header(index.header, (artifact.header,))
                ids = self._ids(profile, index, artifact.entry.get("CPV", ""), taken)
                lease = _lease(build, attempt, artifact)
                entry = admitted(artifact, staged.sums, ids, lease, self._clock())
            except ValueError as error:
                raise _unfit(artifact, str(error)) from error
            ids.add(build_id_of(entry))
            placed.append(Placed(staged.name, entry))
        headers = {tuple(sorted(artifact.header.items())): artifact.header for artifact in artifacts}
        return Pending(build, attempt, tuple(placed), tuple(headers.values()))

    def _ids(self, profile: str, index: Index, cpv: str, taken: dict[str, set[int]]) -> set[int]:
        """The build ids that this version has had, as far as the index and the disk know; kept in `taken`."""
        parts = split_cpv(cpv)
        if parts is None or cpv in taken:
            return taken.setdefault(cpv, set())
        ids = taken[cpv] = {build_id_of(entry) for entry in index.entries if entry["CPV"] == cpv}
        category, name, version = parts
        for file in (self._root / profile / category / name).glob(f"{name}-*"):
            if (told := build_id_in(file.name)) and told[0] == f"{name}-{version}":
                ids.add(told[1])
        return ids

    def _carry_out(self, profile: str, pending: Pending) -> dict[str, str]:
        """Do what was planned, or the rest of it; lease -> path of each package that is there now."""
        folder, shelf, files = self._root / profile, self._shelf(profile), self._files(profile)
        uploads = self._staging.of(pending.build, pending.attempt)
        for each in pending.placed:
            if (uploads / each.staged).exists():
                shelf.note(each.entry, pending.headers)
                _move(uploads / each.staged, folder / each.path, int(each.entry["MTIME"]))
        there = {each.path: each.entry for each in pending.placed if _fits(folder, each.entry)}
        index = files.begin(self._clock())
        listed = {path_of(entry) for entry in index.entries}
        if new := [entry for path, entry in there.items() if path not in listed]:
            files.write(joined_header(index.header, pending.headers), [*index.entries, *new], self._clock())
        shelf.end(pending)
        return {entry[LEASE]: path for path, entry in there.items()}

    # --- after a crash

    def _recover(self) -> None:
        self._staging.sweep()
        for profile in self.profiles():
            self._mend(profile)

    def _mend(self, profile: str) -> None:
        """Finish what was begun, and make the index one of what is there."""
        files, shelf, folder = self._files(profile), self._shelf(profile), self._root / profile
        shelf.sweep()
        files.mend()
        index = self._read(profile) or self._made_again(profile)
        there = [entry for entry in index.entries if _fits(folder, entry)]
        if len(there) < len(index.entries):
            self.losses.append(
                f"{len(index.entries) - len(there)} packages of {profile} were in its index and are gone"
            )
            index = files.write(index.header, there, self._clock())
        for pending in shelf.pending():
            self._carry_out(profile, pending)
        listed = {path_of(entry) for entry in (files.read() or index).entries}
        if any(path in listed for path in shelf.dropped()):
            shelf.drop({path: at for path, at in shelf.dropped().items() if path not in listed})

    def _made_again(self, profile: str) -> Index:
        """An index of what we know of, when neither copy is whole; a broken one is set aside."""
        shelf, files, folder = self._shelf(profile), self._files(profile), self._root / profile
        if aside := files.set_aside(self._clock()):
            self.losses.append(f"the index of {profile} was broken and is made again; it lies at {aside}")
        dropped = shelf.dropped()
        noted = [(entry, headers) for entry, headers in shelf.noted() if path_of(entry) not in dropped]
        there = [(entry, headers) for entry, headers in noted if _fits(folder, entry)]
        header = joined_header({}, (each for _, headers in there for each in headers))
        return files.write(header, [entry for entry, _ in there], self._clock())

    def _read(self, profile: str) -> Index | None:
        """The index; made again when it was there, and is no more. What another program (`emaint`) dropped from
        packages of ours is put back: it knows no line of ours, makes no checksums, and takes the build id from inside
        the package. What it changed is left."""
        files, shelf = self._files(profile), self._shelf(profile)
        index = files.read()
        if index is None:  # an empty one in its place would forget every package
            return self._made_again(profile) if (self._root / profile).is_dir() else None
        if not files.foreign:
            return index
        entries = [_restored(entry, shelf.note_of(path_of(entry))) for entry in index.entries]
        if entries != list(index.entries):
            return files.write(index.header, entries, self._clock())
        files.mend()  # one copy may be damaged, or of before: a full disk comes between them
        files.take_over()
        return index

    def _lacking(self, profile: str, index: Index) -> Sequence[str]:
        return [path_of(entry) for entry in index.entries if not _fits(self._root / profile, entry)]

    def _take_away(self, profile: str, waiting: Mapping[str, float], until: float) -> None:
        due = [path for path, at in waiting.items() if at <= until]
        for path in due:
            file = self._root / profile / path
            if is_package_path(path) and not file.is_symlink():
                file.unlink(missing_ok=True)
                with suppress(OSError):
                    file.parent.rmdir()
        if due:
            self._shelf(profile).drop({path: at for path, at in waiting.items() if path not in due})

    def _files(self, profile: str) -> IndexFiles:
        if not _PROFILE.fullmatch(profile):
            raise Refused("E-BINHOST-PATH", f"{profile[:80]!r} is no profile", next="use letters, digits, . - + and _")
        return self._indexes.setdefault(
            profile, IndexFiles(self._root / profile, self._shelf(profile).folder / "ahead")
        )

    def _shelf(self, profile: str) -> Shelf:
        return Shelf(self._root / ".notes" / profile)


def _is_profile(folder: Path) -> bool:
    return _PROFILE.fullmatch(folder.name) is not None and folder.is_dir() and not folder.is_symlink()


def _move(source: Path, target: Path, modified: int) -> None:
    """Under its name at once, and with its time: a file of the index never changes."""
    if target.exists():
        raise Transient("E-BINHOST-IO", f"there is a {target} already", next="take it away; nobody knows of it")
    target.parent.mkdir(parents=True, exist_ok=True)
    os.utime(source, (modified, modified))
    os.replace(source, target)
    for folder in (target.parent, target.parent.parent, target.parent.parent.parent):
        sync_folder(folder)


def _fits(folder: Path, entry: Entry) -> bool:
    """Whether the package is there in the size that the index tells."""
    try:
        file = folder / path_of(entry)
        return file.is_file() and str(file.stat().st_size) == entry.get("SIZE")
    except FileNotFoundError:
        return False


def _restored(entry: Entry, noted: Entry | None) -> Entry:
    if noted is None or noted.get("SIZE") != entry.get("SIZE"):
        return entry
    return {**noted, **entry, "BUILD_ID": noted["BUILD_ID"]}


def _lease(build: str, attempt: int, artifact: Artifact) -> str:
    return f"{build}:{attempt}:{artifact.path}"


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Busy(
            "E-BINHOST-BUSY", f"another process has the binhost {path.parent}", next="stop the other orchestrator first"
        ) from None
    return descriptor


def _unfit(artifact: Artifact, why: str) -> Terminal:
    return Terminal(
        "E-BINHOST-UPLOAD",
        f"{artifact.path} cannot become part of the binhost",
        why=why,
        next="the build is tried again; its log on the drone says how it was packed",
    )

"""Builds with Gentoo's own `emerge`, called as a program.

What it builds it also installs on this machine, as every build that needs it will need it here: a drone is a machine
(or a chroot, or a prefix) that is for nothing else. Each build has a PKGDIR of its own, so that its index lists what
this build made, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from reconciler.adapters.portage.config import Facts, Places, environment, write_config
from reconciler.adapters.portage.folders import forget_old, own_folder, usable
from reconciler.adapters.portage.log import BuildLog
from reconciler.adapters.portage.room import Room
from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.match import matches
from reconciler.errors import Terminal
from reconciler.model.package import Atom
from reconciler.model.swarm import Offer
from reconciler.process import run
from reconciler.process_group import ProcessGroup, end_recorded
from reconciler.swarm.binhost.index import Index, package_of, path_of, read_index, whole
from reconciler.swarm.drone.build_log import Phases, reason_of
from reconciler.swarm.drone.builder import Builder, Built, Ending, Packed, Watching
from reconciler.swarm.emerge.arguments import unsatisfied
from reconciler.swarm.emerge.needs import Needs

_LOOK = 0.25
"""Seconds between two looks at whether it is to end, and at how far it is."""

_GRACE = 10.0
"""Seconds that emerge has to end by itself, before it is killed."""

_TEXT = 8 << 20
"""Bytes of the answer to a question that are kept."""

_ALWAYS = ("--ignore-default-opts", "--color=n", "--nospinner", "--ask=n", "--quiet=n", "--verbose")
_BUILD = (
    *("--oneshot", "--buildpkg", "--jobs=1", "--quiet-build=n", "--autounmask=n", "--accept-properties=-interactive"),
    # What it is built against is brought up to date, as the hosts have it or get it; itself it is built in any case.
    *("--update", "--deep=1", "--selective=n"),
)
_QUESTION = ("--pretend", "--tree", "--update", "--deep", "--newuse", "--with-bdeps=y", "--selective=n")
_ANSWERED = (0, 1)
"""Exit codes of a question; 1: there is something to say beside the list, or instead of it."""


@dataclass(frozen=True, slots=True)
class PortageRules:
    """`folder`: for what is kept between builds; `binhost`: the address of the profile's folder, "" for none.

    `builds`: where builds unpack and compile, "" for a folder of ours in the machine's PORTAGE_TMPDIR. `verify`:
    whether packages of the binhost have to be signed. `cores`: for make, 0 for what make.conf says. `timeout` in
    seconds.
    """

    folder: Path
    binhost: str = ""
    emerge: str = "emerge"
    builds: str = ""
    verify: bool = False
    cores: int = 0
    nice: int = 10
    timeout: float = 86400.0


@dataclass(frozen=True, slots=True)
class _End:
    """How emerge ended: its exit code (negative: a signal), or why we ended it, and whether that judges the package."""

    code: int
    ended: str = ""
    judged: bool = True

    @property
    def failed(self) -> bool:
        """Whether a question was not answered."""
        return bool(self.ended) or self.code not in _ANSWERED


class PortageBuilder(Builder):
    """Not for several threads. `ours`: the environment, of which emerge gets what does not change a build.

    Terminal (E-DRONE-EMERGE) where there is no emerge, Transient (E-DRONE-DISK) when the disk takes no more.
    """

    def __init__(self, rules: PortageRules, ours: Mapping[str, str] = os.environ) -> None:
        self._rules, self._ours = rules, ours
        self._record = rules.folder / "emerge.json"

    def build(self, offer: Offer, watching: Watching, ending: Ending, binhost: bool = True) -> Built:
        address = self._rules.binhost if binhost else ""
        try:
            atoms = [_exact(text) for text in offer.atoms]
            with self._prepared(offer, address) as (places, log):
                took = _Took(log.write, watching.wrote)
                end = self._emerge(
                    (*_BUILD, *_fetching(atoms, address), *map(str, atoms)), places, offer, took, watching, ending
                )
                if end.ended or end.code:
                    return self._failed(end, log)
                return _packed(places.packages, atoms, log)
        except ValueError as error:
            return Built("failed", f"the offer cannot be built: {error}")

    def resolve(self, offer: Offer, watching: Watching, ending: Ending) -> Built:
        try:
            asked = [str(read_atom(text)) for text in offer.atoms]
            with self._prepared(offer, "") as (places, log):

                def ask(options: Sequence[str], take: Callable[[bytes], object]) -> _End:
                    return self._emerge((*options, *_QUESTION, *asked), places, offer, take, watching, ending)

                said, text, needs = bytearray(), bytearray(), Needs()
                while True:
                    text.clear()
                    end = ask((), _Took(log.write, lambda data: text.extend(data[: _TEXT - len(text)])))
                    said += text
                    wrong = unsatisfied(text.decode("utf-8", "replace"), asked)
                    if end.failed or not wrong or len(wrong) == len(asked):
                        break
                    asked = [atom for atom in asked if atom not in wrong]  # one typo, and emerge lists nothing
                if not end.failed:  # once more: a tree says of one only what needs a package
                    end = ask(("--debug",), needs.take)
                if end.failed:
                    return self._failed(end, log)
                told = f"{said.decode('utf-8', 'replace')}\n{needs.text()}"
                return Built("succeeded", text=told, log=log.tail())
        except ValueError as error:
            return Built("failed", f"the question cannot be asked: {error}")

    def unable(self) -> str:
        return self._room.missing()

    def clean(self, keep: str = "") -> None:
        _ = self._facts  # a machine without Portage says so before it takes anything on
        with usable():
            if pid := end_recorded(self._record):
                self._forget_run(pid)
            kept = self._packages(keep).name if keep else ""
            for folder in (self._rules.folder / "packages").glob("*"):
                if folder.name != kept:
                    shutil.rmtree(folder, ignore_errors=True)
            self._clear()

    def forget(self, lease: str) -> None:
        shutil.rmtree(self._packages(lease), ignore_errors=True)

    # --- one emerge

    def _failed(self, end: _End, log: BuildLog) -> Built:
        reason = end.ended or reason_of(log.end(), end.code)
        self._clear()  # what it took itself counts for nobody
        if not end.ended and (why := self._room.blamed(log.end())):
            return Built("returned", f"{why}; {reason}", log=log.tail())
        return Built("failed" if end.judged else "returned", reason, log=log.tail())

    @contextmanager
    def _prepared(self, offer: Offer, binhost: str) -> Iterator[tuple[Places, BuildLog]]:
        """Everything in its place for one emerge, and nothing of its work left behind it."""
        folder = self._rules.folder
        places = Places(folder / "config", self._builds, self._packages(offer.lease), folder / "binhost")
        with usable():
            self._clear()
            own_folder(self._builds)
            shutil.rmtree(places.packages, ignore_errors=True)
            places.packages.mkdir(parents=True)
            write_config(places, self._facts, offer.use, binhost, verify=self._rules.verify)
            log = BuildLog(folder / "logs" / f"{places.packages.name}.log")
            try:
                yield places, log
            finally:
                log.close()
                self._clear()
                forget_old(places.fetched)

    def _emerge(
        self,
        arguments: Sequence[str],
        places: Places,
        offer: Offer,
        take: Callable[[bytes], object],
        watching: Watching,
        ending: Ending,
    ) -> _End:
        """Run it to its end, or to ours."""
        timeout = min(offer.timeout, self._rules.timeout)
        until, phases, told = time.monotonic() + timeout, Phases(), ("", "")
        group = ProcessGroup(
            (self._program, *_ALWAYS, *arguments),
            env=environment(places, self._ours, self._rules.cores),
            mark=self._mark,
            record=self._record,
            nice=self._rules.nice,
        )

        def wrote(data: bytes) -> None:
            take(data)
            phases.take(data)

        try:
            while (code := group.follow(_LOOK, wrote)) is None:
                now = self._observed(group.pid) or (phases.package, phases.phase)
                if now != told:
                    told = now
                    watching.phase(*now)
                if why := ending():
                    return _End(group.end(_GRACE, take), why, judged=False)
                if time.monotonic() > until:
                    return _End(group.end(_GRACE, take), f"it did not end within {timeout:g} s")
            return _End(code, judged=code >= 0)  # whoever killed emerge has said nothing about the package
        finally:
            group.end(0)
            self._forget_run(group.pid)

    def _observed(self, pid: int) -> tuple[str, str] | None:
        """Package and phase as FEATURES=observability tells them; None where Portage is too old for it."""
        try:
            tasks = json.loads((self._run_folder / f"emerge-{pid}.json").read_text())["tasks"]
            task = next(task for task in tasks if task.get("phase"))
            return str(task["cpv"]), str(task["phase"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
            return None

    def _forget_run(self, pid: int) -> None:
        """What an emerge that was killed leaves for those who watch it."""
        for left in self._run_folder.glob(f"emerge-{pid}.*"):
            left.unlink(missing_ok=True)

    # --- places

    @property
    def _room(self) -> Room:
        return Room(self._rules.folder, self._builds, Path(self._facts.eprefix or "/"))

    @cached_property
    def _program(self) -> str:
        found = shutil.which(self._rules.emerge, path=self._ours.get("PATH"))
        if found is None:
            raise Terminal(
                "E-DRONE-EMERGE",
                f"there is no {self._rules.emerge} here",
                why="a drone builds with Gentoo's Portage",
                next="run the drone on a machine with Portage, or name its program in drone.emerge",
            )
        return found

    @cached_property
    def _facts(self) -> Facts:
        beside = f"{Path(self._program).parent}:{self._ours.get('PATH', '')}"
        asked = ("EPREFIX", "PORTAGE_TMPDIR", "PORTAGE_CONFIGROOT")
        quiet = {**environment(_NOWHERE, self._ours, 0)}
        for name in ("PORTAGE_CONFIGROOT", "PORTAGE_TMPDIR", "PKGDIR"):
            del quiet[name]
        done = run((shutil.which("portageq", path=beside) or "portageq", "envvar", *asked), deadline=120, env=quiet)
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        if done.code or len(lines) != len(asked) or not lines[1]:
            raise Terminal(
                "E-DRONE-EMERGE",
                "Portage does not tell where it works",
                why=done.stderr.decode("utf-8", "replace").strip()[-500:],
                next="emerge --info shows what is wrong with its configuration",
            )
        return Facts(lines[0], lines[1], Path(lines[2] or "/"))

    @cached_property
    def _builds(self) -> Path:
        if self._rules.builds:
            return Path(self._rules.builds)
        own = hashlib.sha256(str(self._rules.folder.resolve()).encode()).hexdigest()[:8]
        return Path(self._facts.tmpdir) / f"reconciler-drone-{own}"

    @property
    def _mark(self) -> str:
        return f"PORTAGE_TMPDIR={self._builds}"

    @property
    def _run_folder(self) -> Path:
        return Path(f"{self._facts.eprefix}/run/portage")

    def _packages(self, lease: str) -> Path:
        return self._rules.folder / "packages" / re.sub(r"[^A-Za-z0-9_.-]", "-", lease)[:200].lstrip(".")

    def _clear(self) -> None:
        """What builds left where they unpack and compile."""
        shutil.rmtree(self._builds / "portage", ignore_errors=True)


_NOWHERE = Places(Path(), Path(), Path(), Path())


class _Took:
    """Everyone who wants what emerge writes."""

    def __init__(self, *takers: Callable[[bytes], object]) -> None:
        self._takers = takers

    def __call__(self, data: bytes) -> None:
        for take in self._takers:
            take(data)


def _exact(text: str) -> Atom:
    atom = read_atom(text)
    if atom.operator != "=":
        raise ValueError(f"{text!r} is not exactly one version")
    return atom


def _fetching(atoms: Sequence[Atom], binhost: str) -> tuple[str, ...]:
    """Dependencies are taken as the binhost has them, rather than building newer ones; what is asked for never is."""
    if not binhost:
        return ()
    own = sorted({f"{atom.cp}:{atom.slot.partition('/')[0]}" if atom.slot else atom.cp for atom in atoms})
    excluded = f"--usepkg-exclude={' '.join(own)}"
    return ("--usepkg", "--getbinpkg", excluded, "--useoldpkg-atoms=*/*", "--binpkg-respect-use=y")


def _packed(folder: Path, atoms: Sequence[Atom], log: BuildLog) -> Built:
    """What the local index lists; failed packaging leaves files that it does not."""
    try:
        index = read_index((folder / "Packages").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        index = Index()
    made = tuple(
        Packed(folder / path_of(entry), path_of(entry), entry, index.header)
        for entry in whole(index)
        if _is_whole(folder / path_of(entry), entry)
    )
    for atom in atoms:
        if not any(matches(atom, package_of(each.entry)) for each in made):
            return Built("failed", f"emerge ended well, and left no package of {atom}", log=log.tail())
    return Built("succeeded", packages=made, log=log.tail())


def _is_whole(file: Path, entry: Mapping[str, str]) -> bool:
    return file.is_file() and 0 < file.stat().st_size == int(entry.get("SIZE", "0"))

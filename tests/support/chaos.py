"""A swarm of real processes that something kills at random: an orchestrator, drones, and the emerge that they run.

Everything that dies is begun again after a moment, which for a drone may be longer than the orchestrator waits for it.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from reconciler.durable import read_sealed
from reconciler.process_group import marked
from tests.support.binhost import index_of
from tests.support.drones import DroneProcess, FakePortage
from tests.support.serving import HEARTBEAT, Orchestrator, eventually, orchestrator_at

PROFILE = "amd64"
DRONES = ("izar", "rigel", "tau")
KINDS = ("orchestrator", "drone", "emerge")

EMERGE = """\
#!/bin/sh
# Makes what emerge would have made, out of the version and the flags that it was told. It can be killed anywhere.
for atom; do :; done
cpv=${atom#=}; cpv=${cpv%%::*}
pf=${cpv#*/}; name=${pf%-*}; path=${cpv%%/*}/$name/$pf-1.gpkg.tar
echo ">>> Emerging (1 of 1) $cpv::gentoo"
use=
while read -r named flags; do
    case $named in "=$cpv"*|"${cpv%-*}") use=$flags;; esac
done < "$PORTAGE_CONFIGROOT/etc/portage/package.use/90-offer"
on= iuse=
for flag in $use; do
    iuse="$iuse ${flag#-}"
    case $flag in -*) ;; *) on="$on $flag";; esac
done
mkdir -p "$PORTAGE_TMPDIR/portage/$cpv/work" "$PKGDIR/${path%/*}"
echo "$cpv" >> "FAKE/begun"
echo ">>> Compiling source in $PORTAGE_TMPDIR/portage/$cpv/work"
sleep 0.03
yes "$cpv $use" | head -c SIZE > "$PKGDIR/$path"
printf 'CHOST: x86_64-pc-linux-gnu\\nPACKAGES: 1\\nTIMESTAMP: 1\\nVERSION: 0\\n\\n' > "$PKGDIR/Packages"
printf '%s\\n' BUILD_ID:\\ 1 BUILD_TIME:\\ 1 "CPV: $cpv" EAPI:\\ 8 "IUSE:$iuse" "PATH: $path" REPO:\\ gentoo \\
    SIZE:\\ SIZE MTIME:\\ 1 "USE:$on" "" >> "$PKGDIR/Packages"
echo "$cpv" >> "FAKE/ended"
"""
SIZE = 40_000
"""Bytes of a package."""


@dataclass(frozen=True)
class Wanted:
    """Packages in layers: each needs up to three of the layer below. `flags`: cpv -> its USE, what is off hyphened."""

    needs: Mapping[str, tuple[str, ...]]
    flags: Mapping[str, tuple[str, ...]]

    @property
    def listing(self) -> str:
        """What `emerge -p --verbose --tree` prints: what is needed is indented below what needs it."""
        head = "These are the packages that would be merged, in reverse order:\n\n"
        shown: set[str] = set()
        rows: list[str] = []

        def show(cpv: str, depth: int) -> None:
            known, gap = cpv in shown, " " * depth
            shown.add(cpv)
            kind = "nomerge       " if known else "ebuild  N     "
            rows.append(f'[{kind}] {gap}{cpv}::gentoo  USE="{" ".join(self.flags[cpv])}" 0 KiB\n')
            for needed in () if known else self.needs[cpv]:
                show(needed, depth + 1)

        needed = {each for all_of_one in self.needs.values() for each in all_of_one}
        for cpv in self.needs:
            if cpv not in needed:
                show(cpv, 0)
        return head + "".join(rows)

    def content(self, cpv: str) -> bytes:
        line = f"{cpv} {' '.join(self.flags[cpv])}\n".encode()
        return (line * (SIZE // len(line) + 1))[:SIZE]


def layered(packages: int, dice: random.Random, width: int = 10) -> Wanted:
    names = [f"app-{number // width:02}/p{number:03}-1.{number % 7}" for number in range(packages)]
    needs: dict[str, tuple[str, ...]] = {}
    for number in reversed(range(packages)):
        start = number // width * width
        below = names[max(0, start - width) : start]
        needs[names[number]] = tuple(dice.sample(below, min(len(below), dice.randint(1, 3))))
    flags = {name: tuple(dice.choice(("", "-")) + flag for flag in ("gtk", "nls", "ssl")) for name in names}
    return Wanted(needs, flags)


@dataclass
class Chaos:
    """An orchestrator and its drones. `killed`: how often, by kind."""

    orchestrator: Orchestrator
    drones: list[DroneProcess]
    portages: list[FakePortage]
    killed: Counter[str] = field(default_factory=Counter)

    # ---- what can be killed, each in a thread of its own; some die once more while they begin

    def kill_orchestrator(self, dice: random.Random, over: threading.Event) -> bool:
        self.orchestrator.stop(signal.SIGKILL)
        over.wait(dice.uniform(0, 1))
        if dice.random() < 0.3:
            self.orchestrator.begin()
            over.wait(dice.uniform(0, 2))
            self.orchestrator.stop(signal.SIGKILL)
            self.killed["orchestrator"] += 1
        self.orchestrator.start()
        return True

    def kill_drone(self, dice: random.Random, over: threading.Event) -> bool:
        drone = dice.choice(self.drones)
        drone.kill()
        over.wait(dice.choice((0.1, 1.0, 1.0, 2.5 * HEARTBEAT)))
        drone.start()
        if dice.random() < 0.3:
            over.wait(dice.uniform(0, 2))
            drone.kill()
            self.killed["drone"] += 1
            drone.start()
        return True

    def kill_emerge(self, dice: random.Random, over: threading.Event) -> bool:
        """The one that runs on a drone, with all of its group, some way into its work."""
        number = dice.randrange(len(self.drones))
        record = self.drones[number].state / "emerge.json"
        for _ in range(400):
            with suppress(OSError, ValueError, KeyError, TypeError):
                pid = int(read_sealed(record)["pid"])
                return self._kill_group(pid, self._mark(number), dice.uniform(0, 0.05))
            if over.wait(0.005):
                break
        return False

    def _kill_group(self, pid: int, mark: str, seconds: float) -> bool:
        """Only one that carries our mark; whether it was there."""
        time.sleep(seconds)
        leader = os.pidfd_open(pid)
        try:
            if mark.encode() not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                return False
            os.killpg(pid, signal.SIGKILL)
            return True
        finally:
            os.close(leader)

    def _mark(self, number: int) -> str:
        """What is in the environment of everything that this drone's emerge started."""
        builds = next(iter((self.portages[number].folder / "tmp").iterdir()), Path("/nonexistent"))
        return f"PORTAGE_TMPDIR={builds}"

    @contextmanager
    def killing(self, seed: int, every: Mapping[str, int]) -> Iterator[None]:
        """During the block, `every`: kind -> builds between two of its deaths, on average.

        Whoever is slow dies as often as whoever is fast, and everybody comes to something in between.
        """
        over = threading.Event()

        def repeat(kind: str) -> None:
            dice, kill = random.Random(f"{seed} {kind}"), getattr(self, f"kill_{kind}")
            wanted = dice.randint(1, every[kind])  # there is no run without a death of each kind
            while not over.wait(0.05):
                if self.begun() < wanted or over.wait(dice.uniform(0, 0.5)):
                    continue
                if kill(dice, over):  # else it was faster, and the next one is tried
                    self.killed[kind] += 1
                    wanted = self.begun() + dice.randint(1, 2 * every[kind])

        with ThreadPoolExecutor(len(KINDS)) as killers:
            killing = [killers.submit(repeat, kind) for kind in KINDS]
            try:
                yield
            finally:
                over.set()
        for killer in killing:
            killer.result()

    # ---- how it goes, and what is left in the end

    def asked(self, path: str) -> Any:
        """The answer of whichever orchestrator is there; None while none is."""
        with suppress(OSError, AssertionError, ValueError, HTTPException):  # also one that dies amid its answer
            got = self.orchestrator.get(path)
            return got.data if got.status == 200 else None
        return None

    def builds(self) -> list[Any]:
        found: list[Any] = []
        after = ""
        while True:
            page = self.orchestrator.get(f"/api/builds?limit=100&after={after}").data
            found += page["builds"]
            if not (after := page["next"]):
                return found

    def ended(self, request: str) -> bool:
        told = self.asked(f"/api/requests/{request}")
        return told is not None and told["request"]["state"] != "building"

    def ending(self, wanted: Wanted) -> dict[str, list[Any]]:
        """What it comes to, without ids, times, and who built what."""
        index = index_of(self.orchestrator.state / "binhost", PROFILE)
        for entry in index.entries:
            got = self.orchestrator.get(f"/binhost/{PROFILE}/{entry['PATH']}")
            assert got.body == wanted.content(entry["CPV"]), entry["CPV"]
        return {
            "requests": [each["state"] for each in self.orchestrator.get("/api/requests").data["requests"]],
            "builds": sorted(
                (each["title"], each["state"], each["package"]["use"], each["stored"], each["failures"])
                for each in self.builds()
            ),
            "stored": sorted((each["CPV"], each["PATH"], each.get("USE"), each.get("IUSE")) for each in index.entries),
            "files": sorted(
                str(file.relative_to(self.orchestrator.state / "binhost"))
                for file in (self.orchestrator.state / "binhost").rglob("*.gpkg.tar")
            ),
        }

    def left(self) -> list[object]:
        """What should not be there once everything has ended: processes, sources, uploads, what drones hold."""
        found: list[object] = []
        for number, drone in enumerate(self.drones):
            builds = Path(self._mark(number).partition("=")[2])
            found += [*marked(self._mark(number)), *builds.glob("portage/*"), *(drone.state / "packages").glob("*")]
            found += [each for each in (drone.state / "taken.json", drone.state / "emerge.json") if each.exists()]
        incoming = self.orchestrator.state / "binhost" / ".incoming"
        return found + [each for each in incoming.rglob("*") if each.is_file()]

    def tries(self) -> Counter[str]:
        """How the tries of all builds ended."""
        ends: Counter[str] = Counter()
        for build in self.builds():
            tries = self.orchestrator.get(f"/api/builds/{build['id']}").data["attempts"]
            ends += Counter(each["result"] or "open" for each in tries)
            ends["again"] += build["attempt"] - 1
        return +ends

    def refused(self) -> int:
        """Uploads that came under a lease that was another's by then, as the drones were told."""
        return sum(drone.said_ever.count("the lease is gone") for drone in self.drones)

    def begun(self) -> int:
        return sum(len(portage.begun()) for portage in self.portages)

    def built(self) -> int:
        return sum(len(portage.ended()) for portage in self.portages)

    def trouble(self) -> list[str]:
        return [line for drone in self.drones for line in drone.trouble()]


@contextmanager
def chaos_at(folder: Path) -> Iterator[Chaos]:
    with orchestrator_at(folder / "orchestrator") as orchestrator:
        script = EMERGE.replace("SIZE:\\ SIZE", f"SIZE:\\ {SIZE}").replace("-c SIZE", f"-c {SIZE}")
        portages = [FakePortage(folder / name / "portage", script) for name in DRONES]
        drones = [
            DroneProcess(orchestrator, folder / name / "drone", portage.environment, name, PROFILE)
            for name, portage in zip(DRONES, portages, strict=True)
        ]
        try:
            for drone in drones:
                drone.enroll()
                drone.start()
            yield Chaos(orchestrator, drones, portages)
        finally:
            for drone in drones:
                drone.leave()


@dataclass(frozen=True)
class Ran:
    """How it went. `ending`: what `Chaos.ending` tells; `built`: how often an emerge came to its end."""

    ending: dict[str, list[Any]]
    killed: Counter[str]
    tries: Counter[str]
    refused: int
    built: int
    seconds: float

    @property
    def told(self) -> str:
        killed = ", ".join(f"{kind} {self.killed[kind]}" for kind in KINDS)
        ends = ", ".join(f"{end} {count}" for end, count in sorted(self.tries.items()) if end != "again")
        return (
            f"killed: {killed}; {len(self.ending['stored'])} packages stored, {self.tries['again']} repeats ({ends});"
            f" {self.built} builds came to their end, {self.refused} stale uploads were refused; {self.seconds:.0f} s"
        )


def run(folder: Path, wanted: Wanted, seed: int | None, every: Mapping[str, int], seconds: float) -> Ran:
    """All of it once, within that time. `seed`: of the deaths, None for none of them."""
    with chaos_at(folder) as chaos:
        begun = time.monotonic()
        told = chaos.orchestrator.submit(wanted.listing, profile=PROFILE)
        assert (len(told["accepted"]), told["refused"]) == (len(wanted.needs), [])
        request = told["request"]["id"]
        with nullcontext() if seed is None else chaos.killing(seed, every):
            eventually(lambda: chaos.ended(request), "every build has ended", seconds)
        took = time.monotonic() - begun
        eventually(lambda: not chaos.left(), "nothing is left over")
        assert chaos.trouble() == []
        return Ran(chaos.ending(wanted), chaos.killed, chaos.tries(), chaos.refused(), chaos.built(), took)

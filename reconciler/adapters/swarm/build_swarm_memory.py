"""`BuildSwarm` in memory: keeps what it is told as an orchestrator does, and builds when somebody says that it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from reconciler.core.packages.atoms import read_atom
from reconciler.errors import ReconcilerError, Refused
from reconciler.model.package import Package
from reconciler.model.queue import Answer, Decision, RequestView, Stored
from reconciler.model.sets import Submission
from reconciler.model.swarm import Build, BuildState, Request
from reconciler.ports import BuildSwarm


class MemoryBuildSwarm(BuildSwarm):
    """`indexes`: profile -> what its binhost has. `trouble`: what every question comes to, while there is some.

    `asked`: every question, by its name. `trees`: profile -> when its ebuilds changed; `now`: its clock. A request
    begins as `resolving`; `resolve`, `build` and `fail` go on with it.
    """

    def __init__(self) -> None:
        self.indexes: dict[str, list[Stored]] = {}
        self.trouble: ReconcilerError | None = None
        self.asked: list[str] = []
        self.trees: dict[str, float] = {}
        self.now = 1.0
        self._submitted: dict[str, tuple[Submission, str]] = {}
        self._requests: dict[str, Request] = {}
        self._builds: dict[str, Build] = {}
        self._decisions: dict[str, tuple[Decision, ...]] = {}
        self._numbers = count(1)

    @property
    def address(self) -> str:
        return "memory"

    def stored(self, binhost: str, profile: str) -> Sequence[Stored]:
        self._ask("stored")
        return tuple(self.indexes.get(profile, ()))

    def requests(self, origin: str) -> Sequence[Request]:
        self._ask("requests")
        return tuple(each for each in reversed(self._requests.values()) if each.origin == origin)

    def request(self, id: str) -> RequestView:
        self._ask("request")
        return self._view(id)

    def synced(self, profile: str) -> float:
        self._ask("synced")
        return self.trees.get(profile, 0.0)

    def submit(self, wanted: Submission) -> Answer:
        self._ask("submit")
        if (known := self._submitted.get(wanted.key)) is not None:
            before, id = known
            if replace(before, actor="") != replace(wanted, actor=""):
                raise Refused("E-SWARM-KEY", f"the key {wanted.key} came with something else", next="take another one")
            return Answer(self._requests[id], self._decisions[id], repeated=True)
        id = f"r{next(self._numbers)}"
        request = Request(
            id, wanted.key, f"set:{wanted.set}", wanted.actor, wanted.profile, self.now,
            atoms=wanted.atoms, use=wanted.use, state="resolving",
        )  # fmt: skip
        self._submitted[wanted.key] = wanted, id
        self._requests[id], self._decisions[id] = request, ()
        return Answer(request)

    # ---- what becomes of them

    def resolve(self, id: str, *packages: Package, refused: str = "") -> None:
        """A drone has told what it takes; `refused`: that it cannot be, and why."""
        request = self._requests[id]
        self._decisions[id] = tuple(Decision(each.cpv, "accepted", "the binhost does not have it") for each in packages)
        if refused:
            self._decisions[id] += (Decision("missing", "refused", refused),)
        builds = [
            Build(f"{id}-{n}", "package", package, request.profile, "queued", request.at, request.at)
            for n, package in enumerate(packages, 1)
        ]
        self._builds |= {build.id: build for build in builds}
        ends = bool(refused) and not packages
        self._requests[id] = replace(
            request,
            state="refused" if ends else "building",
            reason=refused if ends else "",
            ended=self.now if ends else None,
            builds=tuple(build.id for build in builds),
        )
        self._end(id)

    def build(self, id: str, *, flags: tuple[str, ...] | None = None) -> None:
        """All that is left of a request is built, and lies in the binhost; `flags`: with these, whatever was asked."""
        for build in self._left(id):
            package = build.package
            assert package is not None
            made = self.put(build.profile, package if flags is None else replace(package, use=flags))
            self._builds[build.id] = replace(build, state="succeeded", package=made.package, stored=made.path)
        self._end(id)

    def fail(self, id: str, reason: str, state: BuildState = "failed") -> None:
        """All that is left of a request has come to another end."""
        for build in self._left(id):
            self._builds[build.id] = replace(build, state=state, reason=reason)
        self._end(id)

    def put(self, profile: str, package: Package) -> Stored:
        """Into the binhost, under the next build id."""
        there = self.indexes.setdefault(profile, [])
        number = 1 + max((each.build_id for each in there if each.package.cpv == package.cpv), default=0)
        stored = Stored(replace(package, slot=package.slot or "0"), f"{package.cpv}-{number}.gpkg.tar", number)
        there.append(stored)
        return stored

    def exactly(self, id: str) -> tuple[Package, ...]:
        """A version for each atom of a request, with the flags that it asks for: what a drone might make of it."""
        request = self._requests[id]
        return tuple(self._made(text, request) for text in request.atoms)

    def _made(self, text: str, request: Request) -> Package:
        atom = read_atom(text)
        lines = (flags for line, flags in request.use.items() if read_atom(line).cp == atom.cp)
        use = sorted({flag for flags in lines for flag in flags}, key=lambda flag: flag.lstrip("-"))
        return Package(atom.category, atom.name, atom.version or "1.0", atom.slot or "0", use=tuple(use))

    def _ask(self, question: str) -> None:
        self.asked.append(question)
        if self.trouble is not None:
            raise self.trouble

    def _view(self, id: str) -> RequestView:
        request = self._requests[id]
        return RequestView(request, tuple(self._builds[each] for each in request.builds), self._decisions[id])

    def _left(self, id: str) -> Iterator[Build]:
        yield from [self._builds[each] for each in self._requests[id].builds if not self._builds[each].ended]

    def _end(self, id: str) -> None:
        request = self._requests[id]
        if request.ended is None and not any(self._left(id)):
            self._requests[id] = replace(request, state="complete", ended=self.now)

"""What of a list has to be built, what is there or on its way already, and what cannot be: each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.model.package import Edge, Listed, Listing, Message, Package
from reconciler.model.queue import Decision, Stored
from reconciler.model.swarm import Build
from reconciler.swarm.placing import graph
from reconciler.swarm.same import same_build, same_stored, slots

Work = Callable[[str], float]
"""Expected seconds on one core for a category/name."""

Decided = Mapping[str, Decision]
"""By `cpv`, in the list's order."""


@dataclass(frozen=True, slots=True)
class Intake:
    """`builds`: the new ones. `edges`: (first, then), ids; `then` is a new one. `wanted`: ids, in the list's order.

    `late`: edges, too; `then` is queued already, and may or may not know that it needs `first`.
    """

    builds: tuple[Build, ...]
    edges: tuple[tuple[str, str], ...]
    wanted: tuple[str, ...]
    decisions: tuple[Decision, ...]
    late: tuple[tuple[str, str], ...] = ()


def take(
    listing: Listing,
    stored: Iterable[Stored],
    live: Iterable[Build],
    *,
    profile: str,
    name: Callable[[int], str],
    now: float,
    work: Work,
) -> Intake:
    """Decide about every package of a list. `name`: the id of the n-th new build, from 1.

    `stored`: what the binhost of the profile has; `live`: builds that have not ended. Nothing is said about what is
    only shown, or taken away.
    """
    entries, live = merged(listing), tuple(live)
    decided = _without_what_needs_a_refused(_looked_up(entries, stored, live, profile), listing.edges)
    decided, packages = _named(entries, decided, name)
    ids = {cpv: decision.build for cpv, decision in decided.items() if decision.build}
    edges = tuple(_edges(ids, packages, listing.edges))
    waiting = {build.id for build in live if build.state == "queued"}
    known = {id: entries[cpv].package for cpv, id in ids.items() if id in waiting}
    return Intake(
        tuple(_build(id, package, profile, now, work) for id, package in packages.items()),
        edges,
        tuple(dict.fromkeys(ids.values())),
        (*unread(listing), *_with_circles(decided, edges, packages)),
        tuple(_edges(ids, known, listing.edges)),
    )


def merged(listing: Listing) -> dict[str, Listed]:
    """What would be put on the machine, by `cpv`: a tree shows a package wherever it is needed, at times as nomerge."""
    entries: dict[str, Listed] = {}
    for listed in listing.entries:
        before = entries.get(listed.package.cpv)
        if listed.merges and (before is None or before.kind == "binary"):
            entries[listed.package.cpv] = listed
    return entries


def unread(listing: Listing) -> tuple[Decision, ...]:
    """The lines that nobody understands."""
    return tuple(Decision(each.text, "refused", each.why, line=each.line) for each in listing.problems)


def trouble(messages: Iterable[Message]) -> tuple[Decision, ...]:
    """What emerge itself says cannot be; once, however often it was asked."""
    told = {each.text: each for each in messages if each.trouble}
    return tuple(Decision(each.kind, "refused", each.text, line=each.line) for each in told.values())


def _looked_up(
    entries: Mapping[str, Listed], stored: Iterable[Stored], live: Iterable[Build], profile: str
) -> dict[str, Decision]:
    there: dict[str, list[Stored]] = {}
    for each in stored:
        there.setdefault(each.package.cpv, []).append(each)
    coming: dict[str, list[Build]] = {}
    for build in live:
        if build.package is not None and build.profile == profile:
            coming.setdefault(build.package.cpv, []).append(build)
    told = slots([listed.package for listed in entries.values()])

    def look(cpv: str, listed: Listed) -> Decision:
        found, why = same_stored(listed.package, there.get(cpv, ()), told)
        if found is not None:
            return Decision(cpv, "deduplicated", f"in the binhost: {found.path}", line=listed.line)
        if listed.kind == "binary":
            number = "" if listed.build_id is None else f" {listed.build_id}"
            return Decision(cpv, "deduplicated", f"emerge takes the binary package{number}", line=listed.line)
        if (build := same_build(listed.package, coming.get(cpv, ()))) is not None:
            where = f" on {build.drone}" if build.drone else ""
            return Decision(cpv, "deduplicated", f"{build.state} already{where}", build.id, listed.line)
        if by_hand := _by_hand(listed):
            return Decision(cpv, "refused", by_hand, line=listed.line)
        return Decision(cpv, "accepted", why, line=listed.line)

    return {cpv: look(cpv, listed) for cpv, listed in entries.items()}


def _by_hand(listed: Listed) -> str:
    """Why no drone can build it alone."""
    if "F" in listed.flags:
        return "its sources have to be fetched by hand"
    return "it asks questions while it is built" if "I" in listed.flags else ""


def _without_what_needs_a_refused(decided: Decided, edges: Iterable[Edge]) -> dict[str, Decision]:
    """What needs a package that is refused would fail."""
    parents: dict[str, list[str]] = {}
    for edge in edges:
        parents.setdefault(edge.dependency, []).append(edge.parent)
    after = dict(decided)
    waiting = [(cpv, cpv) for cpv, decision in decided.items() if decision.verdict == "refused"]
    while waiting:
        cpv, first = waiting.pop()
        for parent in parents.get(cpv, ()):
            if parent in after and after[parent].verdict == "accepted":
                reason = f"needs {first}, which is refused: {decided[first].reason}"
                after[parent] = replace(after[parent], verdict="refused", reason=reason)
                waiting.append((parent, first))
    return after


def _named(
    entries: Mapping[str, Listed], decided: Decided, name: Callable[[int], str]
) -> tuple[dict[str, Decision], dict[str, Package]]:
    """The accepted ones with their new ids, and the package of each id."""
    packages: dict[str, Package] = {}
    after = dict(decided)
    for cpv, decision in decided.items():
        if decision.verdict == "accepted":
            id = name(len(packages) + 1)
            packages[id] = entries[cpv].package
            after[cpv] = replace(decision, build=id)
    return after, packages


def _with_circles(
    decided: Decided, edges: Sequence[tuple[str, str]], packages: Mapping[str, Package]
) -> Iterator[Decision]:
    """Packages that need each other are built as one; each says with whom."""
    circle = {id: members for members in graph.build(edges).cycles for id in members}
    for decision in decided.values():
        others = [str(packages[id]) for id in circle.get(decision.build, ()) if id != decision.build]
        with_them = f"; built in one go with {', '.join(others)}, as they need each other" if others else ""
        yield replace(decision, reason=decision.reason + with_them)


def _build(id: str, package: Package, profile: str, now: float, work: Work) -> Build:
    use = {f"={package.cpv}": package.use} if package.use else {}
    return Build(id, "package", package, profile, "queued", now, now, use=use, work=work(package.cp))


def _edges(ids: Mapping[str, str], of: Mapping[str, Package], edges: Iterable[Edge]) -> Iterator[tuple[str, str]]:
    """From what each one `of` these needs to it.

    What lies between two builds, and is only shown or there already, makes one edge of its two.
    """
    needs: dict[str, list[str]] = {}
    for edge in edges:
        needs.setdefault(edge.parent, []).append(edge.dependency)
    for id, package in of.items():
        seen = {package.cpv}
        waiting = list(needs.get(package.cpv, ()))
        found = set()
        while waiting:
            cpv = waiting.pop()
            if cpv in seen:
                continue
            seen.add(cpv)
            if (first := ids.get(cpv)) is not None:
                found.add(first)
            else:
                waiting += needs.get(cpv, ())
        yield from ((first, id) for first in sorted(found - {id}))

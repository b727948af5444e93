"""What has to be built before what: units of jobs (a cycle is one), in an order that does not depend on the input's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

_STEPS = 500_000
"""Jobs that are passed by while a search for cycles goes on: a second, or so."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Jobs by opaque key, condensed to units: one job each, or all members of a cycle; its key is its least member.

    `order`: the units, whatever one depends on before it; among equals by key. `members`: unit -> its jobs, sorted.
    `unit`: job -> its unit. `before`, `after`: unit -> the units it depends on, and those that depend on it, sorted.
    `cycles`: members of each cycle, a job that depends on itself included.
    """

    order: tuple[str, ...]
    members: Mapping[str, tuple[str, ...]]
    unit: Mapping[str, str]
    before: Mapping[str, tuple[str, ...]]
    after: Mapping[str, tuple[str, ...]]
    cycles: tuple[tuple[str, ...], ...]

    def finished(self, done: AbstractSet[str]) -> frozenset[str]:
        """The units all of whose members are among `done`; other keys may be in it, too."""
        partial = {cycle[0] for cycle in self.cycles if cycle[0] in done and any(job not in done for job in cycle)}
        return frozenset(done) - partial

    def ready(self, done: AbstractSet[str]) -> tuple[str, ...]:
        """The units that are not finished and wait for nothing that is not, in order. `done`: keys of jobs."""
        finished = self.finished(done)
        return tuple(u for u in self.order if u not in finished and finished.issuperset(self.before[u]))

    def dependants(self, jobs: Iterable[str], passed: set[str] | None = None) -> frozenset[str]:
        """All jobs that cannot be built when `jobs` are not: what depends on them, and the rest of their cycles.

        `passed`: units that an earlier question came by, and this one then, too: nothing behind them is told again, so
        that 20,000 questions take the time of one walk.
        """
        failed = set(jobs)
        passed = set() if passed is None else passed
        found: list[str] = []
        waiting = [self.unit[job] for job in failed]
        while waiting:
            if (unit := waiting.pop()) not in passed:
                passed.add(unit)
                found.append(unit)
                waiting += self.after[unit]
        return frozenset(job for unit in found for job in self.members[unit]) - failed

    def needs(self, jobs: Iterable[str]) -> frozenset[str]:
        """All jobs without which `jobs` cannot be built, themselves among them."""
        found: set[str] = set()
        waiting = [self.unit[job] for job in jobs]
        while waiting:
            if (unit := waiting.pop()) not in found:
                found.add(unit)
                waiting += self.before[unit]
        return frozenset(job for unit in found for job in self.members[unit])


def build(edges: Iterable[tuple[str, str]], jobs: Iterable[str] = ()) -> Graph:
    """The graph of `edges` (first, then); `jobs` adds those that no edge names."""
    following: dict[str, set[str]] = {job: set() for job in jobs}
    for first, then in edges:
        following.setdefault(first, set()).add(then)
        following.setdefault(then, set())
    after_job = {job: sorted(following[job]) for job in sorted(following)}
    groups = [tuple(sorted(group)) for group in _components(after_job)]
    unit = {job: group[0] for group in groups for job in group}
    after = {
        group[0]: tuple(sorted({unit[j] for job in group for j in after_job[job]} - {group[0]})) for group in groups
    }
    before: dict[str, list[str]] = {group[0]: [] for group in groups}
    for first in sorted(after):
        for then in after[first]:
            before[then].append(first)
    return Graph(
        order=tuple(_sorted(before, after)),
        members={group[0]: group for group in groups},
        unit=unit,
        before={key: tuple(units) for key, units in before.items()},
        after=after,
        cycles=tuple(sorted(group for group in groups if len(group) > 1 or group[0] in following[group[0]])),
    )


def without_cycles(edges: Iterable[tuple[str, str]], more: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those of `more` that `edges` do not have, and that close no cycle with them and with those before.

    Of two lists that contradict each other throughout some are left out that close none: nobody waits for that search.
    """
    known = set(edges)
    new = [edge for edge in dict.fromkeys(more) if edge not in known]
    if not new:
        return ()
    unit = build([*known, *new]).unit
    within: dict[str, list[str]] = {}  # only inside of a unit anything could close a cycle
    for first, then in known:
        if unit[first] == unit[then]:
            within.setdefault(first, []).append(then)
    kept, steps = [], iter(range(_STEPS))
    for first, then in new:
        if unit[first] == unit[then]:
            if _leads(within, then, first, steps):
                continue
            within.setdefault(first, []).append(then)
        kept.append((first, then))
    return tuple(kept)


def _leads(after: Mapping[str, Sequence[str]], job: str, to: str, steps: Iterator[int]) -> bool:
    """Also when there are no steps left to find out."""
    seen, waiting = {job}, [job]
    while waiting:
        if (at := waiting.pop()) == to or next(steps, None) is None:
            return True
        coming = [then for then in after.get(at, ()) if then not in seen]
        seen.update(coming)
        waiting += coming
    return False


def _sorted(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The least topological order (Kahn, 1962, with a heap): what is added elsewhere moves nobody."""
    missing = {unit: len(units) for unit, units in before.items()}
    free = [unit for unit, count in missing.items() if not count]
    heapify(free)
    while free:
        yield (unit := heappop(free))
        for then in after[unit]:
            missing[then] -= 1
            if not missing[then]:
                heappush(free, then)


def _components(after: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Strongly connected components (Tarjan, 1972), with a stack of our own instead of recursion."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: dict[str, None] = {}  # Tarjan's stack: insertion order, and a quick look whether somebody is on it
    for root in after:
        if root in number:
            continue
        path = [(root, iter(after[root]))]
        number[root] = lowest[root] = len(number)
        open_[root] = None
        while path:
            job, rest = path[-1]
            for then in rest:
                if then not in number:
                    number[then] = lowest[then] = len(number)
                    open_[then] = None
                    path.append((then, iter(after[then])))
                    break
                if then in open_:
                    lowest[job] = min(lowest[job], number[then])
            else:
                path.pop()
                if path:
                    parent = path[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[job])
                if lowest[job] == number[job]:
                    yield _closed(open_, job)


def _closed(open_: dict[str, None], root: str) -> list[str]:
    """Takes everything down to `root` off the stack."""
    group = []
    while True:
        job, _ = open_.popitem()
        group.append(job)
        if job == root:
            return group

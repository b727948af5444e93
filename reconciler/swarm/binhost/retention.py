"""Which packages of a binhost have had their day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.match import matches, newest
from reconciler.core.packages.version import version_key
from reconciler.model.package import Atom
from reconciler.model.queue import Stored
from reconciler.model.swarm import Request


@dataclass(frozen=True, slots=True)
class Retention:
    """What stays; 0: all of it.

    `builds`: of one version with the same flags, the newest; `versions`: of one slot of a package, the greatest.
    `wanted`: for each of these atoms the greatest version that it matches stays, whatever else is there.
    """

    builds: int = 2
    versions: int = 3
    wanted: tuple[Atom, ...] = ()


def wanted_by_sets(requests: Iterable[Request], profile: str) -> tuple[Atom, ...]:
    """What the package sets of a profile asked for last. `requests`: newest first."""
    latest: dict[str, Request] = {}
    for request in requests:
        if request.profile == profile and request.origin.startswith("set:"):
            latest.setdefault(request.origin, request)
    return tuple(atom for request in latest.values() for text in request.atoms if (atom := _read(text)) is not None)


def _read(text: str) -> Atom | None:
    try:
        return read_atom(text)
    except ValueError:
        return None


def superseded(packages: Sequence[Stored], retention: Retention) -> tuple[tuple[Stored, str], ...]:
    """What may go, each with the reason."""
    wanted = _wanted(packages, retention.wanted)
    gone = _old_versions(packages, retention.versions, wanted)
    left = [each for each in packages if each.path not in gone]
    gone |= _old_builds(left, retention.builds)
    return tuple((each, gone[each.path]) for each in packages if each.path in gone)


def _wanted(packages: Iterable[Stored], atoms: Iterable[Atom]) -> frozenset[str]:
    every = [each.package for each in packages]
    best = (newest(package for package in every if matches(atom, package)) for atom in atoms)
    return frozenset(package.cpv for package in best if package is not None)


def _old_versions(packages: Iterable[Stored], keep: int, wanted: frozenset[str]) -> dict[str, str]:
    gone: dict[str, str] = {}
    slots = _grouped(packages, lambda each: (each.package.cp, each.package.slot.partition("/")[0]))
    for members in slots:
        versions = sorted({each.package.version for each in members}, key=version_key, reverse=True)
        old = frozenset(versions[keep:]) if keep else frozenset()
        for each in members:
            if each.package.version in old and each.package.cpv not in wanted:
                gone[each.path] = f"{keep} newer versions of its slot are there"
    return gone


def _old_builds(packages: Iterable[Stored], keep: int) -> dict[str, str]:
    gone: dict[str, str] = {}
    same = _grouped(packages, lambda each: (each.package.cpv, each.package.repository, each.package.use))
    for members in same:
        latest = sorted(members, key=lambda each: (each.built, each.build_id), reverse=True)
        for each in latest[keep:] if keep else ():
            gone[each.path] = f"{keep} newer builds with the same flags are there"
    return gone


def _grouped(packages: Iterable[Stored], key: Callable[[Stored], Hashable]) -> Iterable[list[Stored]]:
    groups: defaultdict[Hashable, list[Stored]] = defaultdict(list)
    for each in packages:
        groups[key(each)].append(each)
    return groups.values()

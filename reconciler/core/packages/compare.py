"""A set beside the index of its profile: what is served as it is wanted, what lacks, and what was superseded.

An atom without a version is content with the newest that the binhost has: which versions there are beyond that, only a
machine with the ebuilds knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from reconciler.core.packages.flags import Lines, asked_of, name_of, read_lines
from reconciler.core.packages.match import agrees, matches
from reconciler.core.packages.version import compare, version_key
from reconciler.model.package import Atom, Package
from reconciler.model.queue import Stored
from reconciler.model.sets import Lack, Packages, PackageSet, SetDrift, Superseded

_SHOWN = 5

Index = Mapping[str, Sequence[Stored]]
"""Category/name -> what the binhost has of it."""


@dataclass(frozen=True, slots=True)
class _Served:
    """What serves an atom, or why nothing does. `atom` None: a line of `use` that nothing contradicts."""

    found: Stored | None = None
    lack: Lack | None = None


def compared(sets: Sequence[PackageSet], stored: Iterable[Stored]) -> tuple[SetDrift, ...]:
    """Sets of one profile beside its index, in their order. What one of them wants is superseded for none."""
    index = indexed(stored)
    served = {each.name: tuple(_served(each, index)) for each in sets}
    kept = [one.found for those in served.values() for one in those if one.found]
    return tuple(_drift(each, served[each.name], index, kept) for each in sets)


def profiles_of(packages: Packages) -> Iterator[tuple[str, tuple[PackageSet, ...]]]:
    """Each profile once, with its sets."""
    by_profile = sorted(packages.sets, key=lambda each: each.profile)
    yield from ((profile, tuple(sets)) for profile, sets in groupby(by_profile, lambda each: each.profile))


def indexed(stored: Iterable[Stored]) -> dict[str, list[Stored]]:
    found: dict[str, list[Stored]] = {}
    for each in stored:
        found.setdefault(each.package.cp, []).append(each)
    return found


def _drift(each: PackageSet, served: Sequence[_Served], index: Index, kept: Sequence[Stored]) -> SetDrift:
    lacks = tuple(one.lack for one in served if one.lack)
    present = sum(one.lack is None for one in served[: len(each.atoms)])
    gone = {old.path: old for one in served if one.found for old in _superseded(one.found, index, kept)}
    return SetDrift(each.name, each.profile, present, lacks, tuple(gone[path] for path in sorted(gone)))


def _served(each: PackageSet, index: Index) -> Iterator[_Served]:
    """For every atom, then for every line of `use` about a package that the set does not name: a dependency of it."""
    lines = read_lines(each.use)
    for atom in each.atoms:
        yield _look(atom, lines, index.get(atom.cp, ()))
    named = {atom.cp for atom in each.atoms}
    for atom, _ in (line for name, those in lines.items() if name not in named for line in those):
        if _fitting(atom, index.get(atom.cp, ())):  # else nobody knows whether it is needed at all
            yield _look(atom, lines, index[atom.cp])


def _look(atom: Atom, lines: Lines, stored: Sequence[Stored]) -> _Served:
    slotted = _fitting(replace(atom, operator="", version="", use=()), stored)
    if not slotted:
        where = f" in slot {atom.slot}" if stored and atom.slot else ""
        return _Served(lack=Lack(atom, "missing", f"the binhost does not have it{where}"))
    fitting = _fitting(replace(atom, use=()), slotted)
    if not fitting:
        return _Served(lack=_other_version(atom, slotted))
    newest = _newest(fitting)
    wrong = {one.path: _wrong_flags(atom, one.package, lines) for one in newest}
    good = [one for one in newest if not wrong[one.path]]
    if good:
        return _Served(good[-1])
    nearest = newest[-1]
    has = " ".join(_opposite(flag, nearest.package) for flag in wrong[nearest.path][:_SHOWN])
    more = " ..." if len(wrong[nearest.path]) > _SHOWN else ""
    wanted = " ".join(f"{'' if flag.startswith('-') else '+'}{flag}" for flag in wrong[nearest.path][:_SHOWN])
    reason = f"the binhost has {nearest.package.version} with {has}{more}; {wanted}{more} is wanted"
    return _Served(lack=Lack(atom, "outdated", reason, nearest.package.cpv))


def _other_version(atom: Atom, slotted: Sequence[Stored]) -> Lack:
    versions = sorted({one.package.version for one in slotted}, key=version_key, reverse=True)
    shown = ", ".join(versions[:_SHOWN]) + (" ..." if len(versions) > _SHOWN else "")
    reason = f"the binhost has {shown}, which is not wanted any more"
    return Lack(atom, "outdated", reason, _newest(slotted)[-1].package.cpv)


def _fitting(atom: Atom, stored: Iterable[Stored]) -> list[Stored]:
    return [one for one in stored if matches(atom, one.package)]


def _newest(stored: Sequence[Stored]) -> list[Stored]:
    """All builds of the newest version, the latest last."""
    best = max((one.package.version for one in stored), key=version_key)
    same = (one for one in stored if compare(one.package.version, best) == 0)
    return sorted(same, key=lambda one: (one.build_id, one.path))


def _wrong_flags(atom: Atom, package: Package, lines: Lines) -> tuple[str, ...]:
    """As they are wanted, each once."""
    asked = dict.fromkeys((*asked_of(package, lines), *atom.use))
    wrong = (flag for flag in asked if not agrees(flag, package.use))
    return tuple(dict.fromkeys(f"{'-' if flag.startswith('-') else ''}{name_of(flag)}" for flag in wrong))


def _opposite(flag: str, package: Package) -> str:
    """How the package has it."""
    name = name_of(flag)
    if name in package.use:
        return f"+{name}"
    return f"-{name}" if f"-{name}" in package.use else f"no {name}"


def _superseded(by: Stored, index: Index, kept: Sequence[Stored]) -> Iterator[Superseded]:
    """Older ones of the same slot; what serves any set stays."""
    slot = _slot(by)
    for one in index[by.package.cp]:
        older = compare(one.package.version, by.package.version)
        if one in kept or _slot(one) != slot or older > 0 or (older == 0 and one.build_id >= by.build_id):
            continue
        yield Superseded(one.package.cpv, one.path, by.package.cpv)


def _slot(one: Stored) -> str:
    return one.package.slot.partition("/")[0] or "0"

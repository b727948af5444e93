"""Whether a package that is there, or on its way, is the one that is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.package import Package
from reconciler.model.queue import Stored
from reconciler.model.swarm import Build

Slots = Mapping[tuple[str, str], str]
"""(category/name, slot) -> the sub-slot that it is to have."""

_SOME = 5


def same_build(package: Package, builds: Sequence[Build]) -> Build | None:
    """The one that makes it. What a build was not told about its flags is left to its drone, so it is no promise."""
    for build in builds:
        if build.package is not None and not _difference(package, build.package):
            return build
    return None


def same_stored(package: Package, stored: Sequence[Stored], slots: Slots) -> tuple[Stored | None, str]:
    """The one that will do, the newest first, or None and what is wrong with the nearest."""
    why = "the binhost does not have it"
    for found in sorted(stored, key=lambda each: each.build_id):
        difference = _difference(package, found.package) or _other_sub_slot(found, slots)
        why = f"the binhost has it {difference}" if difference else ""
        if not difference:
            return found, ""
    return None, why


def _difference(wanted: Package, found: Package) -> str:
    """Why the two, of one version, are not the same; "" when they are."""
    if wanted.repository and found.repository and wanted.repository != found.repository:
        return f"from {found.repository}, and not from {wanted.repository}"
    if wanted.slot and found.slot and _slot(wanted.slot) != _slot(found.slot):
        return f"for slot {found.slot}, and not for {wanted.slot}"
    if missing := sorted(set(wanted.use) - set(found.use)):
        return f"without {' '.join(missing[:_SOME])}{' ...' if len(missing) > _SOME else ''}"
    return ""


def _slot(slot: str) -> tuple[str, str]:
    """Without a sub-slot it is the slot's own name (PMS 7.2)."""
    name, _, sub = slot.partition("/")
    return name, sub or name


def _other_sub_slot(found: Stored, slots: Slots) -> str:
    for name, slot, sub in found.bound:
        if (wanted := slots.get((name, slot))) is not None and wanted != sub:
            return f"built against {name}:{slot}/{sub}, and {slot}/{wanted} is to come"
    return ""


def slots(packages: Sequence[Package]) -> Slots:
    """The sub-slots that a list brings, where it tells them."""
    told: dict[tuple[str, str], str] = {}
    for package in packages:
        if package.slot:
            slot, sub = _slot(package.slot)
            told[package.cp, slot] = sub
    return told

"""Whether a package is what an atom asks for (PMS 8.3), as Portage has it."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.packages.version import compare
from reconciler.model.package import Atom, Package


def matches(atom: Atom, package: Package) -> bool:
    """The package tells all of its flags; its slot is `0` where nothing else is told."""
    return (
        atom.cp == package.cp
        and _version(atom, package.version)
        and _slot(atom.slot, package.slot or "0")
        and atom.repository in ("", package.repository)
        and all(agrees(wanted, package.use) for wanted in atom.use)
    )


def newest(packages: Iterable[Package]) -> Package | None:
    """The first of those with the greatest version."""
    found: Package | None = None
    for package in packages:
        if found is None or compare(package.version, found.version) > 0:
            found = package
    return found


def _version(atom: Atom, version: str) -> bool:
    match atom.operator:
        case "":
            return True
        case "=*":
            return _begins(_plain(version), _plain(atom.version))
        case "~":
            return compare(version.partition("-r")[0], atom.version.partition("-r")[0]) == 0
    order = compare(version, atom.version)
    return {"=": order == 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[atom.operator]


def _plain(version: str) -> str:
    """Zeros in front say nothing."""
    bare = version.lstrip("0")
    return bare if bare[:1].isdecimal() else f"0{bare}"


def _begins(version: str, beginning: str) -> bool:
    """Where one part ends and another begins: 1* is 1.2 and 1_rc, and not 10."""
    if not version.startswith(beginning):
        return False
    behind = version[len(beginning) :]
    return not behind or behind[0] in "._-" or behind[0].isdecimal() != beginning[-1].isdecimal()


def _slot(wanted: str, has: str) -> bool:
    slot, _, sub = wanted.partition("/")
    has_slot, _, has_sub = has.partition("/")
    return not wanted or (slot == has_slot and sub in ("", has_sub or has_slot))


def agrees(wanted: str, flags: tuple[str, ...]) -> bool:
    """`ssl`, `-ssl`, and with (+) or (-) what counts for a package that has no such flag."""
    name, _, default = wanted.lstrip("-").partition("(")
    if name not in flags and f"-{name}" not in flags:
        return bool(default) and default.startswith("+") != wanted.startswith("-")
    return (name in flags) != wanted.startswith("-")

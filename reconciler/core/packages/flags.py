"""USE flags as somebody asks for them: `ssl`, `-ssl`, and of an atom's brackets `ssl(+)` and `-ssl(-)`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.match import matches
from reconciler.model.package import Atom, Package
from reconciler.model.sets import PackageSet
from reconciler.model.swarm import Use

_FLAG = re.compile(r"-?[A-Za-z0-9][A-Za-z0-9+_@-]*")


def is_flag(text: str) -> bool:
    """Whether a line of package.use may have it: a name (PMS 3.1.4), behind a hyphen where it is off."""
    return _FLAG.fullmatch(text) is not None


def name_of(flag: str) -> str:
    """Without whether it is on, and without what counts where it is missing."""
    return bare(flag).removeprefix("-")


def bare(flag: str) -> str:
    """As package.use has it."""
    return flag.partition("(")[0]


Lines = Mapping[str, Sequence[tuple[Atom, tuple[str, ...]]]]
"""Category/name -> the lines of package.use about it, read."""


def read_lines(use: Use) -> Lines:
    found: dict[str, list[tuple[Atom, tuple[str, ...]]]] = {}
    for text, flags in use.items():
        atom = read_atom(text)
        found.setdefault(atom.cp, []).append((atom, flags))
    return found


def asked_of(package: Package, lines: Lines) -> Iterator[str]:
    """The flags that lines of package.use ask of one package; what it does not have, no line can ask of it."""
    has = {name_of(flag) for flag in package.use}
    for atom, flags in lines.get(package.cp, ()):
        if matches(atom, package):
            yield from (flag for flag in flags if name_of(flag) in has)


def lines_of(found: PackageSet) -> dict[str, tuple[str, ...]]:
    """Lines of package.use for all that a set asks for, the brackets of its atoms among it."""
    lines = {atom: tuple(flags) for atom, flags in found.use.items()}
    for atom in found.atoms:
        if atom.use:
            whole = str(replace(atom, use=()))
            lines[whole] = tuple(dict.fromkeys((*lines.get(whole, ()), *map(bare, atom.use))))
    return lines

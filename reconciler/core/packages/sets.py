"""Package sets of a tree of manifests: packages/NAME.yaml."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace

from reconciler.core.document import Map, parse, read_file
from reconciler.core.manifest.checked import checked
from reconciler.core.manifest.nearest import near
from reconciler.core.manifest.packages import PackageSetModel
from reconciler.core.mistakes import Mistakes
from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.flags import bare, name_of
from reconciler.core.positioned import Seq
from reconciler.errors import BadConfiguration, Position, ReconcilerError
from reconciler.model.package import Atom
from reconciler.model.sets import PackageSet
from reconciler.ports import Tree

FOLDER, SUFFIX = "packages", ".yaml"


def load_sets(tree: Tree, manifests: str) -> tuple[tuple[PackageSet, ...], tuple[ReconcilerError, ...]]:
    """All of them by name, and everything that is wrong with those that cannot be read."""
    sets: list[PackageSet] = []
    problems: list[ReconcilerError] = list(_no_sets(tree, posixpath.join(manifests, FOLDER)))
    for name in set_names(tree, manifests):
        try:
            sets.append(load_set(tree, manifests, name))
        except ReconcilerError as problem:
            problems += problem.each
    return tuple(sets), tuple(problems)


def set_names(tree: Tree, manifests: str) -> tuple[str, ...]:
    """Of every file that is to be one, sorted."""
    names = tree.children(posixpath.join(manifests, FOLDER))
    return tuple(sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)))


def load_set(tree: Tree, manifests: str, name: str) -> PackageSet:
    """BadConfiguration when there is no such set, or with the lines of all that is wrong with it."""
    file = posixpath.join(manifests, FOLDER, f"{name}{SUFFIX}")
    document = _document(tree, file, name, set_names(tree, manifests))
    model = checked(PackageSetModel, document, file)
    if model.name != name:
        raise _wrong(f"the set is called {model.name!r}", f"its file is {name}{SUFFIX}", document.at("name"))
    listed, use = document["atoms"], document.child("use")
    assert isinstance(listed, Seq)  # the model has seen to it
    with Mistakes() as mistakes:
        atoms = _atoms(model, listed, mistakes)
        lines = _lines(model, use, mistakes)
        mistakes.found += _contradictions(atoms, lines)
    return PackageSet(name, model.profile, tuple(atoms), lines, file)


def _no_sets(tree: Tree, folder: str) -> Iterator[ReconcilerError]:
    """What nobody would read, and somebody may have meant."""
    for name in tree.children(folder):
        path = posixpath.join(folder, name)
        entry = tree.entry(path)
        if name.endswith(".yml"):
            yield _wrong(f"{path} is not read", f"a set ends in {SUFFIX}", Position(path))
        elif entry is not None and entry.kind == "directory" and not name.endswith(SUFFIX):
            yield _wrong(f"{path} is a folder", f"a set is a file: {FOLDER}/NAME{SUFFIX}", Position(path))


def _document(tree: Tree, file: str, name: str, known: tuple[str, ...]) -> Map:
    entry = tree.entry(file)
    if entry is None:
        names = ", ".join(known) or "none"
        raise BadConfiguration(
            "E-MANIFEST-SET",
            f"there is no package set {name!r}",
            why=f"{file} is not there; the sets that there are: {names}{near(name, list(known))}",
            next="write it, or name another one",
            at=Position(file),
        )
    if entry.kind not in ("file", "executable"):
        raise _wrong(f"{file} is no file", f"it is a {entry.kind}", Position(file))
    document = parse(read_file(tree, file), file)
    if not isinstance(document, Map):
        raise _wrong("a package set is a mapping", "it starts with `kind: PackageSet`", Position(file, 1, 1))
    return document


def _atoms(model: PackageSetModel, listed: Seq, mistakes: Mistakes) -> dict[Atom, Position]:
    """Each with its place."""
    atoms: dict[Atom, Position] = {}
    for number, text in enumerate(model.atoms):
        at = listed.at(number)
        atom = mistakes.of(_atom, text, at)
        if atom in atoms:
            why = f"it was listed in line {atoms[atom].line} already"
            mistakes.found.append(_wrong(f"{atom} stands twice in the set", why, at))
        elif atom:
            atoms[atom] = at
    return atoms


def _atom(text: str, at: Position) -> Atom:
    try:
        atom = read_atom(text.strip(), at.line)
    except ValueError as error:
        raise _wrong(f"{text[:100]!r} is no atom", str(error), at) from None
    if atom.slot_operator:
        why = f"`:{atom.slot_operator}` says something within an ebuild only"
        raise _wrong(f"{text[:100]!r} ends in a slot operator", why, at)
    return atom


def _lines(model: PackageSetModel, use: Map, mistakes: Mistakes) -> dict[str, tuple[str, ...]]:
    """By the atom as Portage writes it, so that two ways to write the same are two lines for the same."""
    lines: dict[str, tuple[str, ...]] = {}
    seen: dict[str, str] = {}
    for text, words in model.use.items():
        at = use.key_at(text)
        atom = mistakes.of(_bare_atom, text, at)
        flags = mistakes.of(_told_once, text, words, at)
        if atom and (other := seen.setdefault(str(atom), text)) != text:
            why = "one of the two would silently win"
            mistakes.found.append(_wrong(f"use.{text} is the same package as {other}", why, at))
        elif atom and flags:
            lines[str(atom)] = flags
    return lines


def _bare_atom(text: str, at: Position) -> Atom:
    atom = _atom(text, at)
    if atom.use:
        raise _wrong(f"use.{text} has brackets", "a line of package.use has none", at)
    return atom


def _told_once(text: str, words: str, at: Position) -> tuple[str, ...]:
    flags: dict[str, str] = {}
    for word in words.split():
        flag = word.removeprefix("+")
        if flags.setdefault(name_of(flag), flag) != flag:
            raise _wrong(f"use.{text}: the flag {name_of(flag)!r} is both on and off", f"it says {words!r}", at)
    return tuple(flags.values())


def _contradictions(atoms: Mapping[Atom, Position], lines: Mapping[str, tuple[str, ...]]) -> Iterator[BadConfiguration]:
    """Brackets of an atom become lines of package.use, too; of two that disagree one would silently win."""
    for atom, at in atoms.items():
        for line in sorted({str(replace(atom, use=())), atom.cp} & lines.keys()):
            for flag in map(bare, atom.use):
                other = flag[1:] if flag.startswith("-") else f"-{flag}"
                if other in lines[line]:
                    yield _wrong(f"{atom} asks for {flag}", f"use.{line} says {other}", at)


def _wrong(what: str, why: str, at: Position) -> BadConfiguration:
    return BadConfiguration("E-MANIFEST-VALUE", what, why=why, next="docs/manifests.md shows a package set", at=at)

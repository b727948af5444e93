"""Package sets of a tree of manifests: packages/NAME.yaml."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.core.document import Map, parse, read_file
from reconciler.core.manifest.checked import checked
from reconciler.core.manifest.packages import PackageSetModel
from reconciler.core.positioned import Seq
from reconciler.errors import BadConfiguration, Position, ReconcilerError
from reconciler.model.package import Atom
from reconciler.model.swarm import Use
from reconciler.ports import Tree
from reconciler.swarm.atoms import read_atom

FOLDER = "packages"


@dataclass(frozen=True, slots=True)
class PackageSet:
    """`use`: lines of package.use, what is off with a hyphen."""

    name: str
    profile: str
    atoms: tuple[Atom, ...]
    use: Use


def load_set(tree: Tree, manifests: str, name: str) -> PackageSet:
    """BadConfiguration when there is no such set, or it is wrong: with the line."""
    file = posixpath.join(manifests, FOLDER, f"{name}.yaml")
    entry = tree.entry(file)
    if entry is None or entry.kind not in ("file", "executable"):
        known = ", ".join(set_names(tree, manifests)) or "none"
        raise BadConfiguration(
            "E-MANIFEST-SET",
            f"there is no package set {name!r}",
            why=f"{file} is no file; the sets that there are: {known}",
            next="write it, or name another one",
            at=Position(file),
        )
    document = parse(read_file(tree, file), file)
    if not isinstance(document, Map):
        raise _wrong("a package set is a mapping", "it starts with `kind: PackageSet`", Position(file, 1, 1))
    model = checked(PackageSetModel, document, file)
    if model.name != name:
        raise _wrong(f"the set is called {model.name!r}", f"its file is {name}.yaml", document.at("name"))
    listed = document["atoms"]
    atoms = tuple(_atom(text, listed.at(i) if isinstance(listed, Seq) else None) for i, text in enumerate(model.atoms))
    return PackageSet(model.name, model.profile, atoms, dict(_flags(document, model)))


def set_names(tree: Tree, manifests: str) -> tuple[str, ...]:
    names = tree.children(posixpath.join(manifests, FOLDER))
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def problems_of_sets(tree: Tree, manifests: str) -> Iterator[ReconcilerError]:
    """What is wrong with any of them."""
    for name in set_names(tree, manifests):
        try:
            load_set(tree, manifests, name)
        except ReconcilerError as problem:
            yield problem


def _flags(document: Map, model: PackageSetModel) -> Iterator[tuple[str, tuple[str, ...]]]:
    for atom, flags in model.use.items():
        _atom(atom, document.child("use").key_at(atom))
        yield atom, tuple(flag.removeprefix("+") for flag in flags.split())


def _atom(text: str, at: Position | None) -> Atom:
    try:
        return read_atom(text.strip(), at.line if at else 0)
    except ValueError as error:
        raise _wrong(f"{text[:100]!r} is no atom", str(error), at) from None


def _wrong(what: str, why: str, at: Position | None) -> BadConfiguration:
    return BadConfiguration("E-MANIFEST-VALUE", what, why=why, next="docs/manifests.md shows a package set", at=at)

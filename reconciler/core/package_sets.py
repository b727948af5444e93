"""Package sets of a tree of manifests: packages/NAME.yaml. Whether their atoms are some, `swarm/sets.py` says."""

from __future__ import annotations

import posixpath

from reconciler.core.document import Map, parse, read_file
from reconciler.core.manifest.checked import checked
from reconciler.core.manifest.packages import PackageSetModel
from reconciler.core.positioned import Seq
from reconciler.errors import BadConfiguration, Position
from reconciler.model.package_set import PackageSet
from reconciler.ports import Tree

FOLDER = "packages"


def set_names(tree: Tree, manifests: str) -> tuple[str, ...]:
    names = tree.children(posixpath.join(manifests, FOLDER))
    return tuple(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def load_set(tree: Tree, manifests: str, name: str) -> PackageSet:
    """BadConfiguration when there is no such set, or it is wrong: with the line."""
    file = posixpath.join(manifests, FOLDER, f"{name}.yaml")
    entry = tree.entry(file)
    if entry is None or entry.kind not in ("file", "executable"):
        raise BadConfiguration(
            "E-MANIFEST-SET",
            f"there is no package set {name!r}",
            why=f"{file} is no file; the sets that there are: {', '.join(set_names(tree, manifests)) or 'none'}",
            next="write it, or name another one",
        )
    document = parse(read_file(tree, file), file)
    if not isinstance(document, Map):
        raise _wrong("a package set is a mapping", "it starts with `kind: PackageSet`", Position(file, 1, 1))
    model = checked(PackageSetModel, document, file)
    if model.name != name:
        raise _wrong(f"the set is called {model.name!r}", f"its file is {name}.yaml", document.at("name"))
    listed, use = document["atoms"], document.child("use")
    assert isinstance(listed, Seq)  # the model has seen to it
    places = [(atom, listed.at(place)) for place, atom in enumerate(model.atoms)]
    places += [(atom, use.key_at(atom)) for atom in model.use]
    flags = {atom: tuple(flag.removeprefix("+") for flag in text.split()) for atom, text in model.use.items()}
    return PackageSet(model.name, model.profile, tuple(model.atoms), flags, tuple(places))


def _wrong(what: str, why: str, at: Position) -> BadConfiguration:
    return BadConfiguration("E-MANIFEST-VALUE", what, why=why, next="docs/manifests.md shows a package set", at=at)

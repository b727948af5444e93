"""The fleet file of a revision."""

from __future__ import annotations

import posixpath

from reconciler.core.document import Map, parse, read_file
from reconciler.core.manifest.ci import load_ci
from reconciler.core.manifest.fleet import load_fleet
from reconciler.errors import BadConfiguration, Position
from reconciler.model.fleet import Fleet
from reconciler.model.gate import CiRules
from reconciler.ports import Tree


def fleet_of(tree: Tree, manifests: str) -> Fleet:
    """Raises BadConfiguration when there is no fleet file, or it is wrong."""
    return load_fleet(*_fleet_document(tree, manifests))


def ci_of(tree: Tree, manifests: str) -> CiRules | None:
    """`ci:` of the fleet file alone. Raises BadConfiguration when there is no such file, or this part is wrong."""
    return load_ci(*_fleet_document(tree, manifests))


def _fleet_document(tree: Tree, manifests: str) -> tuple[Map, str]:
    path = posixpath.join(manifests, "fleet.yaml")
    entry = tree.entry(path)
    if entry is None or entry.kind not in ("file", "executable"):
        raise BadConfiguration(
            "E-MANIFEST-FLEET",
            f"there is no {path} in the repository",
            why="the fleet file names the hosts; the manifests folder is repository.path in reconciler.toml",
            next="commit a fleet.yaml, or mend repository.path",
        )
    document = parse(read_file(tree, path), path)
    if not isinstance(document, Map):
        raise BadConfiguration(
            "E-MANIFEST-VALUE",
            "the fleet file is not a mapping",
            why="it starts with `apiVersion: reconciler/v1` and `kind: Fleet`",
            next="see manifests/fleet.yaml of the project for an example",
            at=Position(path, 1, 1),
        )
    return document, path

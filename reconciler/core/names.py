"""The names of stacks and services of a host, read fast: for a shell that completes them while somebody types."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from reconciler.core.assemble import COMPOSE_FILES
from reconciler.core.document import Map, Seq, parse, read_file
from reconciler.errors import ReconcilerError
from reconciler.ports import Tree


def targets(tree: Tree, manifests: str, host: str) -> Iterator[str]:
    """`host`, then every `host/stack` and `host/stack/service`. A stack that cannot be read is left out.

    Stacks that are chosen by labels are among them whether this host has the labels or not.
    """
    yield host
    root = posixpath.join(manifests, "stacks")
    for folder in tree.children(root):
        found = (posixpath.join(root, folder, file) for file in COMPOSE_FILES)
        file = next((path for path in found if tree.entry(path)), "")
        document = _document(tree, file) if file else None
        if document is None or _is_for_others(document, host):
            continue
        given = document.get("name")
        stack = given if isinstance(given, str) and "$" not in given else folder
        yield f"{host}/{stack}"
        services = document.get("services")
        yield from (f"{host}/{stack}/{service}" for service in services) if isinstance(services, Map) else ()


def _document(tree: Tree, file: str) -> Map | None:
    try:
        document = parse(read_file(tree, file), file)
    except (ReconcilerError, KeyError):
        return None
    return document if isinstance(document, Map) else None


def _is_for_others(document: Map, host: str) -> bool:
    ours = document.get("x-reconciler")
    hosts = ours.get("hosts") if isinstance(ours, Map) else None
    return isinstance(hosts, Seq) and host not in hosts

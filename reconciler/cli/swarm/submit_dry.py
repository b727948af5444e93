"""submit --dry-run: what was read of a list, without asking anybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.cli.frame import Answer, table
from reconciler.core.counting import count
from reconciler.model.package import Atom, AtomList, Listed, Listing, Problem
from reconciler.swarm.submitted import read_submitted


def read(text: str, name: str) -> Answer:
    """Terminal (E-PACKAGES) for what is neither a list of atoms nor of emerge."""
    found = read_submitted(text, "standard input" if name == "-" else name)
    return _atoms(found) if isinstance(found, AtomList) else _listing(found)


def _listing(found: Listing) -> Answer:
    data = {
        "form": "emerge",
        "tree": found.tree,
        "packages": [_listed(entry) for entry in found.entries],
        "edges": [{"parent": edge.parent, "dependency": edge.dependency} for edge in found.edges],
        "blocks": [
            {"line": b.line, "atom": str(b.atom), "by": list(b.by), "hard": b.hard, "solved": b.solved}
            for b in found.blocks
        ],
        "messages": [{"line": m.line, "kind": m.kind, "text": m.text} for m in found.messages],
        "problems": [_problem(problem) for problem in found.problems],
    }
    rows = [
        [entry.kind, str(entry.package), entry.package.slot, entry.package.repository, " ".join(entry.package.use)]
        for entry in found.entries
    ]
    lines = table([["KIND", "PACKAGE", "SLOT", "REPO", "USE"], *rows]) if rows else []
    order = count(len(found.edges), "edge") if found.tree else "no tree: a drone will be asked for the order"
    lines.append(f"{count(len(found.entries), 'package')}, {order}, {_not_understood(found.problems)}")
    told = [f"line {m.line}: emerge says: {m.text.splitlines()[0]}" for m in found.messages if m.text]
    names = [str(entry.package) for entry in found.entries]
    return Answer(data, lines, names, [*map(_warning, found.problems), *told])


def _atoms(found: AtomList) -> Answer:
    data = {
        "form": "atoms",
        "tree": False,
        "packages": [_atom(atom) for atom in found.atoms],
        "edges": [],
        "blocks": [],
        "messages": [],
        "problems": [_problem(problem) for problem in found.problems],
    }
    lines = [str(atom) for atom in found.atoms]
    lines.append(f"{count(len(found.atoms), 'atom')}, {_not_understood(found.problems)}")
    return Answer(data, lines, [str(atom) for atom in found.atoms], [_warning(each) for each in found.problems])


def _listed(entry: Listed) -> dict[str, Any]:
    package = entry.package
    return {
        "kind": entry.kind,
        "category": package.category,
        "name": package.name,
        "version": package.version,
        "slot": package.slot,
        "repo": package.repository,
        "use": list(package.use),
        "line": entry.line,
        "depth": entry.depth,
        "flags": entry.flags,
        "build_id": entry.build_id,
        "root": entry.root,
        "installed": [old.version for old in entry.installed],
    }


def _atom(atom: Atom) -> dict[str, Any]:
    return {
        "kind": "atom",
        "category": atom.category,
        "name": atom.name,
        "version": atom.version,
        "slot": atom.slot,
        "repo": atom.repository,
        "use": list(atom.use),
        "line": atom.line,
        "operator": atom.operator,
        "atom": str(atom),
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {"line": problem.line, "text": problem.text, "why": problem.why}


def _not_understood(problems: Sequence[Problem]) -> str:
    return f"{count(len(problems), 'line')} not understood"


def _warning(problem: Problem) -> str:
    return f"line {problem.line}: {problem.why}: {problem.text}"

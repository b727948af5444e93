"""A plain list of wishes, one to a line: atoms (PMS 8.3, with Portage's `::repository`), or exact versions."""

from __future__ import annotations

import re
from typing import cast

from reconciler.core.packages.lines import excerpt, numbered
from reconciler.core.packages.version import is_category, is_name, is_version, split_cpv
from reconciler.model.package import Atom, AtomList, Operator, Package, Problem

LONGEST = 4096
"""Characters of one atom; nothing that is meant comes near."""

_OPERATOR = re.compile(r"(?:[<>]=?|[=~])?")
_SLOT = re.compile(r"([A-Za-z0-9_][A-Za-z0-9+_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9+_.-]*)?)?([=*]?)")
_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_USE = re.compile(r"(-?)([A-Za-z0-9][A-Za-z0-9+_@-]*)(?:\([+-]\))?")
_FOREIGN = re.compile(r"[^A-Za-z0-9+_.@/:=<>~!*,()\[\]?-]")
_COMMENT = re.compile(r"(?:^|\s)#")


def read_atoms(text: str) -> AtomList:
    """Every line that is neither empty nor a comment is an atom, or a problem; `#` behind a blank begins a comment."""
    atoms: list[Atom] = []
    problems: list[Problem] = []
    for number, line in numbered(text):
        if wish := without_comment(line):
            try:
                atoms.append(read_atom(wish, number))
            except ValueError as error:
                problems.append(Problem(number, excerpt(wish), str(error)))
    return AtomList(tuple(atoms), tuple(problems))


def without_comment(line: str) -> str:
    comment = _COMMENT.search(line)
    return (line[: comment.start()] if comment else line).strip()


def read_atom(text: str, line: int = 0) -> Atom:
    """One atom; without an operator `app-misc/foo-1.1` is exactly that version. Raises ValueError with the reason."""
    _refuse_what_is_no_atom(text)
    rest, use = _cut_use(text)
    rest, _, repository = rest.partition("::")
    if "::" in text and not _REPOSITORY.fullmatch(repository):
        raise ValueError(f"{excerpt(repository)!r} is no name of a repository")
    rest, colon, slot = rest.partition(":")
    slot, slot_operator = _slot(slot) if colon else ("", "")
    operator, category, name, version = _package(rest)
    return Atom(category, name, operator, version, slot, slot_operator, repository, use, line)


def exactly(package: Package) -> str:
    """The atom of this very version, from its repository where that is known."""
    return str(Atom(package.category, package.name, "=", package.version, repository=package.repository))


def _refuse_what_is_no_atom(text: str) -> None:
    """The mistakes that are easily made, each with its own word."""
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    if text.startswith("@"):
        raise ValueError("a set: what is in it, only the machine knows that has it; list its packages")
    if text.startswith("!"):
        raise ValueError("a blocker: it says what must not be there, not what is wanted")
    if len(text.split()) > 1:
        raise ValueError(
            "more than one word: a line has one atom, and its flags are in brackets: app-misc/foo[doc,-ssl]"
        )
    if foreign := _FOREIGN.search(text):
        raise ValueError(f"{foreign[0]!r} cannot be part of an atom")


def _cut_use(text: str) -> tuple[str, tuple[str, ...]]:
    rest, bracket, flags = text.partition("[")
    if not bracket:
        return text, ()
    if not flags.endswith("]"):
        raise ValueError("the bracket of its USE flags is not closed, or something follows it")
    wanted: dict[str, str] = {}
    for flag in flags[:-1].split(","):
        match = _USE.fullmatch(flag)
        if match is None and flag[-1:] in ("?", "="):
            raise ValueError(f"{excerpt(flag)!r} depends on the flags of another package: only an ebuild can say that")
        if match is None:
            raise ValueError(f"{excerpt(flag)!r} is no USE flag")
        if wanted.setdefault(match[2], flag) != flag:
            raise ValueError(f"the flag {match[2]!r} is asked for in two ways")
    return rest, tuple(wanted.values())


def _slot(text: str) -> tuple[str, str]:
    """The slot with its sub-slot, and its operator."""
    match = _SLOT.fullmatch(text)
    if match is None or not text or (match[1] and match[2] == "*"):
        raise ValueError(f"{excerpt(text)!r} is no slot")
    return match[1] or "", match[2]


def _package(text: str) -> tuple[Operator, str, str, str]:
    """Operator, category, name and version of what is left."""
    sign = _OPERATOR.match(text)
    operator = sign[0] if sign else ""
    rest = text[len(operator) :]
    if operator == "=" and rest.endswith("*"):
        operator, rest = "=*", rest[:-1]
    if "/" not in rest:
        raise ValueError("its category is missing: category/name")
    if cpv := split_cpv(rest):
        category, name, version = cpv
        return cast("Operator", operator or "="), category, name, version
    category, _, name = rest.partition("/")
    if not is_category(category):
        raise ValueError(f"{excerpt(category)!r} is no category")
    if not is_name(name):
        raise ValueError(f"{excerpt(name)!r} is no name of a package{_two_versions(name)}")
    if operator:
        raise ValueError(f"{operator.rstrip('*')} needs a version behind the name")
    return "", category, name, ""


def _two_versions(name: str) -> str:
    """What the build id of a binary package looks like."""
    before, _, last = name.rpartition("-")
    return (
        ": it ends with two versions, and no build id can be asked for"
        if is_version(last) and not is_name(before)
        else ""
    )

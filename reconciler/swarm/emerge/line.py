"""One line of the list that `emerge -p` prints. Its forms, by the options of emerge:

    [ebuild  NS   ~] dev-lang/lang-3.12.1:3.12::gentoo [3.11.9:3.11::gentoo] to /root/ USE="nls -doc" L10N="de" 10 KiB
    [binary  N g  ] dev-libs/libb-1.1-r1-1 [1.0]
    [ebuild     U  ] dev-libs/libb             [1.1-r1]       [1.0] USE="-ssl"          --columns
        U  dev-libs/libb 1.1-r1 [1.0]                                                   --columns --quiet
    [blocks B      ] <app-misc/foo-1.1 ("<app-misc/foo-1.1" is soft blocking app-misc/softblock-1)

Every pattern is anchored or bounded: a line of ten megabytes takes no longer than it has to.
"""

from __future__ import annotations

import re
from typing import cast

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.lines import excerpt
from reconciler.core.packages.version import is_category, is_name, is_version, split_cpv
from reconciler.model.package import Block, Kind, Listed, Package
from reconciler.swarm.emerge.use import read_use

LONGEST = 65536
"""Characters of one line. The longest real ones (all languages, in colour) have about ten thousand."""
_TOO_LONG = f"longer than {LONGEST} characters"

_KINDS = "ebuild|binary|blocks|nomerge|uninstall"
_PACKAGE = r"[<>=~!]{0,2}[A-Za-z0-9_][^\s/]{0,99}/[A-Za-z0-9_]"
_ENTRY = re.compile(rf"\s{{0,80}}\[(?:{_KINDS})\b(?!\]\))")
_BRACKET = re.compile(rf"\s{{0,80}}\[({_KINDS})((?: [A-Za-z~*# ]{{0,24}})?)\] ( *)(?=\S)")
_MARKS = re.compile(r"I?[Nr]?[RS]?[Ffg]?U?D?[~*#]?")
_QUIET = re.compile(rf"(?=.{{0,5}}[NrRSU])([ I][ Nr][ RS][ Ffg][ U][ D]) (?={_PACKAGE})")
_QUIET_AT = {"I": 0, "N": 1, "r": 1, "R": 2, "S": 2, "F": 3, "f": 3, "g": 3, "U": 4, "D": 5}
_QUIET_BLOCK = re.compile(rf"([Bb]) {{6}}(?={_PACKAGE})")
_BLOCKING = re.compile(r'\s*\((?:"[^"]*" )?is (hard|soft) blocking ([^()]*)\)\s*')
_TAIL = re.compile(
    r"(?:\s+\[(?P<first>[^\][]*)\])?(?:\s+\[(?P<second>[^\][]*)\])?"
    r"(?:\s+to (?P<root>/\S*))?"
    r'(?P<use>(?:\s+[A-Z][A-Z0-9_]*="[^"]*")*)'
    r"(?:\s+[0-9][0-9.,'\u00a0\u2019\u202f]* [KMGTk]?i?B)?"  # what is to be downloaded, written as the locale has it
    r"(?:\s+\[[0-9?]+(?:=>[0-9?]+)?\])?"  # --quiet-repo-display: the numbers of the repositories
    r"\s*"
)
_SLOT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9+_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9+_.-]*)?")
_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_BUILD_ID = re.compile(r"[0-9]{1,9}")
_UNKNOWN_REPOSITORY = "__unknown__"

_MARRED = (
    (
        rf"\s{{0,80}}\[\[[0-9;]{{1,12}}m(?:{_KINDS})",
        "its colours have lost their escape characters: NO_COLOR=1 leaves them away",
    ),
    (rf"\s{{0,80}}(?:{_KINDS}) [A-Za-z~*# ]{{0,24}}\] +{_PACKAGE}", "its first bracket is missing"),
    (rf".*\[(?:{_KINDS}) [A-Za-z~*# ]{{0,24}}\] +{_PACKAGE}", "something stands before its first bracket"),
    (rf"\s{{0,80}}\[[a-z]{{2,16}} [A-Za-z~*# ]{{0,24}}\] +{_PACKAGE}", "no such kind of entry is known"),
)
_SIGNS_OF_MARRED = tuple((re.compile(pattern), why) for pattern, why in _MARRED)


def read_line(line: str, number: int = 0) -> Listed | Block | None:
    """What a line without colours says; None for one that is no part of the list.

    Raises ValueError with the reason for one that was meant to be a part of it, and is not understood.
    """
    if not line:
        return None
    if _ENTRY.match(line[:256]):
        return _bracketed(line, number)
    if len(line) > LONGEST and any(f"[{kind} " in line for kind in _KINDS.split("|")):
        raise ValueError(_TOO_LONG)
    if len(line) > LONGEST or "/" not in line:
        return None
    if found := _without_brackets(line, number):
        return found
    for sign, why in _SIGNS_OF_MARRED:
        if sign.match(line):
            raise ValueError(why)
    return None


def _bracketed(line: str, number: int) -> Listed | Block:
    if len(line) > LONGEST:
        raise ValueError(_TOO_LONG)
    if (bracket := _BRACKET.match(line)) is None:
        raise ValueError("what is in its brackets, or the lack of anything behind them, is not understood")
    kind, marks, depth = bracket[1], bracket[2].replace(" ", ""), len(bracket[3])
    body = line[bracket.end() :]
    if kind == "blocks":
        return _block(marks, body, number, depth)
    if not _MARKS.fullmatch(marks) or (marks and kind in ("nomerge", "uninstall")):
        raise ValueError(f"the marks {marks!r} are not understood")
    return _listed(cast("Kind", kind), marks, body, number, depth)


def _without_brackets(line: str, number: int) -> Listed | Block | None:
    """`--columns --quiet`. What is a binary package shows in its build id only, or in being fetched from a binhost."""
    if (block := _QUIET_BLOCK.match(line)) and " blocking " in line:
        return _block(block[1], line[block.end() :], number, 0)
    quiet = _QUIET.match(_with_its_first_blanks(line))
    if quiet is None:
        return None
    marks, body = quiet[1].replace(" ", ""), quiet.string[quiet.end() :]
    name, _, rest = body.partition(" ")
    version, _, rest = rest.partition(" ")
    build_id = _cut_build_id(_details(version)[0], "binary")[1]
    kind: Kind = "ebuild" if build_id is None and "g" not in marks else "binary"
    return _listed(kind, marks, f"{name} [{version}] {rest}", number, 0)


def _with_its_first_blanks(line: str) -> str:
    """A text that was stripped has lost those of its first line; the first mark tells how many there were."""
    at = _QUIET_AT.get(line[:1], 0)
    return " " * at + line


def _block(marks: str, body: str, number: int, depth: int) -> Block:
    if marks not in ("B", "b"):
        raise ValueError(f"a block is marked B or b, not {marks!r}")
    atom, _, told = body.partition(" ")
    if (blocking := _BLOCKING.fullmatch(told)) is None:
        raise ValueError("it does not say what is blocked by what")
    by = tuple(blocking[2].split(", ")) if blocking[2] else ()
    if strange := [cpv for cpv in by if split_cpv(cpv) is None]:
        raise ValueError(f"{excerpt(strange[0])!r} is no package with a version")
    return Block(read_atom(atom), by, hard=blocking[1] == "hard", solved=marks == "b", line=number, depth=depth)


def _listed(kind: Kind, marks: str, body: str, number: int, depth: int) -> Listed:
    word = body.split(maxsplit=1)[0]
    tail = _tail(body[len(word) :])
    bare, slot, repository = _details(word)
    bare, build_id = _cut_build_id(bare, kind)
    told, more = tail["first"], tail["second"]
    if cpv := split_cpv(bare):
        category, name, version = cpv
    else:  # --columns
        category, name = _cp(bare)
        version, slot, repository = _details(told or "")
        version, build_id = _cut_build_id(version, kind)
        _insist_on_version(version, of=word)
        told, more = more, None
    if more is not None:
        raise ValueError(f"there is a bracket too many: [{excerpt(more)}]")
    installed = [_details(old) for old in told.split(", ")] if told is not None else []
    for old, _, _ in installed:
        _insist_on_version(old, of=f"what is installed of {word}")
    return Listed(
        Package(category, name, version, slot, repository, read_use(tail["use"])),
        kind,
        marks,
        number,
        depth,
        tuple([Package(category, name, *old) for old in installed]),
        build_id,
        tail["root"] or "/",
    )


def _tail(text: str) -> re.Match[str]:
    """What follows the name. Every part of it is optional, the order is fixed."""
    tail = _TAIL.match(text)
    if tail is None or tail.end() < len(text):
        hint = "a quotation mark is missing; was the line wrapped?" if text.count('"') % 2 else "not understood"
        raise ValueError(f"{hint}: {excerpt(text[tail.end() if tail else 0 :].strip())!r}")
    return tail


def _details(text: str) -> tuple[str, str, str]:
    """Version (or name), slot and repository of `1.1:0/2::gentoo`.

    Where emerge tells the repository, it leaves away the slot 0 only. A sub-slot that is the slot is none (PMS 7.2).
    """
    text, colons, repository = text.partition("::")
    bare, colon, slot = text.partition(":")
    if colons and not _REPOSITORY.fullmatch(repository):
        raise ValueError(f"{excerpt(repository)!r} is no name of a repository")
    if colon and not _SLOT.fullmatch(slot):
        raise ValueError(f"{excerpt(slot)!r} is no slot")
    main, _, sub = slot.partition("/")
    told = (main if sub in ("", main) else slot) if colon else "0" if colons else ""
    return bare, told, "" if repository == _UNKNOWN_REPOSITORY else repository


def _cut_build_id(text: str, kind: Kind) -> tuple[str, int | None]:
    """`libb-1.1-r1-2` is build 2 of 1.1-r1; no name ends with a version, so there is one way to read it."""
    before, _, build_id = text.rpartition("-")
    if kind == "ebuild" or not _BUILD_ID.fullmatch(build_id) or not (is_version(before) or split_cpv(before)):
        return text, None
    return before, int(build_id)


def _cp(text: str) -> tuple[str, str]:
    category, _, name = text.partition("/")
    if not is_category(category) or not is_name(name):
        raise ValueError(f"{excerpt(text)!r} is no package")
    return category, name


def _insist_on_version(text: str, of: str) -> None:
    if not is_version(text):
        raise ValueError(
            f"{excerpt(text)!r} is no version of {excerpt(of)!r}" if text else f"{excerpt(of)!r} has no version"
        )

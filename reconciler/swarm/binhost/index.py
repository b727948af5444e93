"""A binhost's index: the text of `Packages` as values, and back. Portage's `getbinpkg.PackageIndex` is its format.

The header and each package are stanzas of `KEY: value` lines, with an empty line behind each. A package that does not
tell its CHOST or its repository has that of the header; what has its usual value (SLOT 0, EAPI 0) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.version import split_cpv
from reconciler.model.package import Atom, Package
from reconciler.model.queue import Stored

Entry = Mapping[str, str]

_SORTS_AS = {"DESC": "DESCRIPTION", "MTIME": "_mtime_", "REPO": "repository"}
"""Portage sorts the lines by the names that it has for them inside."""

_INHERITED = ("CHOST", "REPO")
_JOINED = re.compile(r"IUSE_IMPLICIT|USE_EXPAND|USE_EXPAND_(?:HIDDEN|IMPLICIT|UNPREFIXED)|USE_EXPAND_VALUES_[A-Z0-9_]+")
"""Words of the header that clients need of every drone that ever uploaded: which flags are there without an IUSE."""

_OURS = frozenset(("PACKAGES", "TIMESTAMP", "VERSION", "URI", "TTL", "REPO", "REPO_REVISIONS", "DOWNLOAD_TIMESTAMP"))
"""What only whoever writes an index can say in its header."""

_ELSEWHERE = frozenset(("BASE_URI", "FETCHCOMMAND", "PKGINDEX_URI", "RESUMECOMMAND", "URI"))
"""They would tell a client to fetch a package from another place, or by another command."""

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_DEPENDENCIES = ("DEPEND", "RDEPEND", "BDEPEND", "IDEPEND", "PDEPEND")


@dataclass(frozen=True, slots=True)
class Index:
    """Both as they are written; unknown fields are kept."""

    header: Entry = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()

    @property
    def timestamp(self) -> int:
        """When it was written, in whole seconds since the epoch; 0 where it does not tell."""
        told = self.header.get("TIMESTAMP", "")
        return int(told) if told.isascii() and told.isdecimal() else 0


def read_index(text: str) -> Index:
    """Raises ValueError for what is no index, and for one that lost its end."""
    stanzas = list(_stanzas(text))
    if not stanzas or "CPV" in stanzas[0]:
        raise ValueError("it has no header")
    header, entries = stanzas[0], tuple(entry for entry in stanzas[1:] if "CPV" in entry)
    if (version := header.get("VERSION", "0")) != "0":
        raise ValueError(f"its format is of another version: {version!r}")
    if not text.endswith("\n\n"):
        raise ValueError("it lost its end")
    if (told := header.get("PACKAGES", "")) != str(len(entries)):
        raise ValueError(f"it says that it lists {told or 'nothing'}, and lists {len(entries)}")
    return Index(header, entries)


def write_index(index: Index, timestamp: int) -> str:
    """As Portage writes it: by name and version, each line where Portage has it; what is empty is left out."""
    header = {**index.header, "PACKAGES": str(len(index.entries)), "TIMESTAMP": str(timestamp), "VERSION": "0"}
    return "".join(map(_stanza, (header, *sorted(index.entries, key=_place))))


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for stanza in re.split(r"\n(?:[ \t]*\n)+", text.replace("\r\n", "\n").strip("\n")):
        pairs = (line.partition(":") for line in stanza.split("\n"))
        if told := {key: value.removeprefix(" ") for key, colon, value in pairs if colon}:
            yield told


def _stanza(entry: Entry) -> str:
    lines = (f"{key}: {entry[key]}\n" for key in sorted(entry, key=lambda key: _SORTS_AS.get(key, key)) if entry[key])
    return "".join(lines) + "\n"


def _place(entry: Entry) -> tuple[str, int, str]:
    return entry["CPV"], build_id_of(entry), entry.get("PATH", "")


def build_id_of(entry: Entry) -> int:
    """0 where it has none."""
    told = entry.get("BUILD_ID", "")
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else 0


def path_of(entry: Entry) -> str:
    """Below the profile's folder; where none is told, it is that of the oldest format."""
    return entry.get("PATH") or f"{entry['CPV']}.tbz2"


def whole(index: Index) -> tuple[Entry, ...]:
    """The packages with what they have from the header: each can stand in another index."""
    inherited = {key: value for key in _INHERITED if (value := index.header.get(key))}
    return tuple({**inherited, **entry} for entry in index.entries)


def joined_header(header: Entry, others: Iterable[Entry]) -> dict[str, str]:
    """The header of an index after packages came in from other ones; the last to tell something is right.

    Raises ValueError for a header that would not be lines of an index.
    """
    made = dict(header)
    for other in others:
        for key, value in _harmless(other).items():
            if key in _OURS:
                continue
            words = made.get(key, "").split() if _JOINED.fullmatch(key) else []
            made[key] = " ".join(sorted({*words, *value.split()})) if words else value
    return made


def acceptable(entry: Entry) -> dict[str, str]:
    """A package's lines from elsewhere, without those that lead clients astray.

    Raises ValueError for what is no package, or would not be one line in an index.
    """
    kept = {key: value for key, value in _harmless(entry).items() if value and key not in _ELSEWHERE}
    if split_cpv(kept.get("CPV", "")) is None:
        raise ValueError(f"{kept.get('CPV', '')!r} is no package's name and version")
    return kept


def _harmless(entry: Entry) -> dict[str, str]:
    for key, value in entry.items():
        if not _KEY.fullmatch(key) or _UNPRINTABLE.search(value):
            raise ValueError(f"{key!r} is no line of an index")
    return dict(entry)


def package_of(entry: Entry) -> Package:
    """Raises ValueError for an entry whose CPV is none."""
    if (parts := split_cpv(entry.get("CPV", ""))) is None:
        raise ValueError(f"{entry.get('CPV', '')!r} is no package's name and version")
    on = set(entry.get("USE", "").split())
    flags = sorted({flag.lstrip("+-") for flag in entry.get("IUSE", "").split()})
    use = tuple(flag if flag in on else f"-{flag}" for flag in flags)
    return Package(*parts, slot=entry.get("SLOT") or "0", repository=entry.get("REPO", ""), use=use)


def stored(entries: Sequence[Entry]) -> tuple[Stored, ...]:
    """What an orchestrator wants to know of them; what cannot be understood is left out."""
    found = []
    for entry in entries:
        try:
            package = package_of(entry)
        except ValueError:
            continue
        size, built = entry.get("SIZE", ""), entry.get("BUILD_TIME", "")
        found.append(
            Stored(
                package,
                path=path_of(entry),
                build_id=build_id_of(entry),
                size=int(size) if size.isdecimal() else 0,
                built=float(built) if built.isdecimal() else 0.0,
                bound=bound_to(entry),
            )
        )
    return tuple(found)


def bound_to(entry: Entry) -> tuple[tuple[str, str, str], ...]:
    """What it was built against by sub-slot: (category/name, slot, sub-slot)."""
    found: set[tuple[str, str, str]] = set()
    for key in _DEPENDENCIES:
        for word in entry.get(key, "").split():
            if (atom := _bound(word)) is not None:
                slot, _, sub = atom.slot.partition("/")
                found.add((atom.cp, slot, sub))
    return tuple(sorted(found))


def _bound(word: str) -> Atom | None:
    wish = word.partition("[")[0]
    if not wish.endswith("=") or "/" not in wish.partition(":")[2]:
        return None
    try:
        return read_atom(wish)
    except ValueError:
        return None

"""What a package is, what somebody asks for, and what a text of `emerge` says. The words are those of Gentoo's PMS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["ebuild", "binary", "nomerge", "uninstall"]
"""Built from source; taken from a binhost; only shown, as what needs the line below it; taken away."""

Operator = Literal["", "=", "=*", "~", "<", "<=", ">=", ">"]
"""How a version is meant; `=*` is `=` with an asterisk at the end of the version: everything that begins with it."""

Told = Literal[
    "masked",
    "missing",
    "needs-change",
    "required-use",
    "circular",
    "blocked",
    "slot-conflict",
    "unresolved",
    "ambiguous",
    "invalid",
    "binhost",
    "failed",
    "other",
    "skipped",
    "rebuilds",
]
"""What `emerge` itself said about its list. The last two are notes, the others are trouble."""

NOTES: tuple[Told, ...] = ("skipped", "rebuilds")


@dataclass(frozen=True, slots=True)
class Package:
    """One version of one package, as far as somebody told it.

    `slot`: as in an index of packages: "0", "3.12", "0/2" (slot/sub-slot); "" where nobody told it.
    `repository`: "gentoo", an overlay's name; "" where nobody told it.
    `use`: flags by name, those that are off with a hyphen: ("python_targets_python3_11", "vaapi", "-x265"). They are
    the ones that were told, which need not be all.
    """

    category: str
    name: str
    version: str
    slot: str = ""
    repository: str = ""
    use: tuple[str, ...] = ()

    @property
    def cp(self) -> str:
        return f"{self.category}/{self.name}"

    @property
    def cpv(self) -> str:
        return f"{self.category}/{self.name}-{self.version}"

    def __str__(self) -> str:
        return self.cpv


@dataclass(frozen=True, slots=True)
class Atom:
    """A wish: a package, and which of its versions will do (PMS 8.3). Two are equal wherever they were written.

    `slot`: "0" or "0/2"; `slot_operator`: "=" or "*", which say something within an ebuild only.
    `use`: flags that have to be on, or with a hyphen off; (+) or (-) behind one says what counts where it is missing.
    `line`: where it was written, counted from 1; 0 for one that was not read from a text.
    """

    category: str
    name: str
    operator: Operator = ""
    version: str = ""
    slot: str = ""
    slot_operator: str = ""
    repository: str = ""
    use: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)

    @property
    def cp(self) -> str:
        return f"{self.category}/{self.name}"

    def __str__(self) -> str:
        """As Portage reads it."""
        text = f"{self.operator[:1] if self.operator == '=*' else self.operator}{self.cp}"
        text += f"-{self.version}" if self.version else ""
        text += "*" if self.operator == "=*" else ""
        text += f":{self.slot}{self.slot_operator}" if self.slot or self.slot_operator else ""
        text += f"::{self.repository}" if self.repository else ""
        return text + (f"[{','.join(self.use)}]" if self.use else "")


@dataclass(frozen=True, slots=True)
class Listed:
    """A package in the list of `emerge -p`.

    `flags`: what stands in the brackets, without the blanks: I interactive, N new, r rebuilt for another's sake, S in a
    new slot, R reinstalled, F or f fetched by hand (f: that is done), g fetched from a binhost, U another version, D an
    older one, and how it is masked: ~ keyword, * no keyword, # package.mask.
    `line`: from 1. `depth`: how far `--tree` indented it.
    `installed`: what is installed of it, where that is told. `build_id`: of a binary package.
    `root`: where it is merged to. `--columns --quiet` tells no kind: what shows no build id is taken for an ebuild.
    """

    package: Package
    kind: Kind
    flags: str = ""
    line: int = 0
    depth: int = 0
    installed: tuple[Package, ...] = ()
    build_id: int | None = None
    root: str = "/"

    @property
    def merges(self) -> bool:
        """Whether it would be put on the machine, be it built or fetched."""
        return self.kind in ("ebuild", "binary")


@dataclass(frozen=True, slots=True)
class Block:
    """`[blocks B]`: what may not be there beside `by`, the versions that say so.

    `hard`: not even for the moment of an update. `solved`: emerge found a way out (`[blocks b]`).
    """

    atom: Atom
    by: tuple[str, ...]
    hard: bool
    solved: bool
    line: int = 0
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """`parent` needs `dependency`, which therefore comes first; both are `cpv`."""

    parent: str
    dependency: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that was meant for us and that we do not understand; `text` may be cut."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Message:
    """What emerge told beside its list; `line` is where it begins, `text` may be cut."""

    kind: Told
    text: str
    line: int = 0

    @property
    def trouble(self) -> bool:
        return self.kind not in NOTES


@dataclass(frozen=True, slots=True)
class Listing:
    """The output of `emerge`, read. Everything is in the order of the text.

    `tree`: a package stands above what it needs (`--tree`, and how emerge shows a circle); only then there are edges.
    Otherwise each stands below what it needs, without a word about what that is.
    """

    entries: tuple[Listed, ...] = ()
    blocks: tuple[Block, ...] = ()
    edges: tuple[Edge, ...] = ()
    problems: tuple[Problem, ...] = ()
    messages: tuple[Message, ...] = ()
    tree: bool = False


@dataclass(frozen=True, slots=True)
class AtomList:
    """A plain list of wishes, read."""

    atoms: tuple[Atom, ...] = ()
    problems: tuple[Problem, ...] = ()

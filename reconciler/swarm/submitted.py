"""What somebody hands in: a list of atoms, or what emerge printed. Which of the two it is shows in the text."""

from __future__ import annotations

import re
from typing import Literal

from reconciler.core.packages.atoms import read_atom, read_atoms, without_comment
from reconciler.core.packages.lines import excerpt, numbered
from reconciler.errors import Position, Terminal
from reconciler.model.package import AtomList, Listing
from reconciler.swarm.emerge.line import read_line
from reconciler.swarm.emerge.output import read_listing

Form = Literal["atoms", "listing", "nothing"]

_PRINTED_BY_EMERGE = re.compile(
    r">>> |!!! |These are the packages that would be |Calculating dependencies|Dependency resolution took |"
    r"Total: [0-9]+ packages?\b|emerge: "
)


def read_submitted(text: str, name: str = "the text") -> AtomList | Listing:
    """Either form, read; nothing at all is an empty listing, as `emerge --quiet` prints it when there is nothing to do.

    Raises as `form_of` does.
    """
    return read_atoms(text) if form_of(text, name) == "atoms" else read_listing(text)


def form_of(text: str, name: str = "the text") -> Form:
    """One line of emerge's makes it a listing; if there is none, one atom makes it a list of atoms.

    Raises Terminal (E-PACKAGES) for what is neither, with its first line and what is wrong there. `name`: of the file.
    """
    if any(_is_of_emerge(line) for _, line in numbered(text)):
        return "listing"
    wrong: tuple[int, str, str] | None = None
    for number, line in numbered(text):
        if wish := without_comment(line):
            try:
                read_atom(wish)
            except ValueError as error:
                wrong = wrong or (number, wish, str(error))
            else:
                return "atoms"
    if wrong is None:
        return "nothing"
    number, wish, why = wrong
    raise Terminal(
        "E-PACKAGES",
        f"{name} is neither a list of atoms nor what emerge printed",
        why=f"line {number}, {excerpt(wish)!r}: {why}",
        next="hand in one atom a line (=app-misc/foo-1.1, dev-libs/bar:0), or the output of `emerge -puDN @world`",
        at=Position(name, number, 1),
    )


def _is_of_emerge(line: str) -> bool:
    if _PRINTED_BY_EMERGE.match(line):
        return True
    try:
        return read_line(line) is not None
    except ValueError:
        return True

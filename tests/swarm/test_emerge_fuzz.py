"""Whatever the text, reading it ends, counts every entry-like line once, and says nothing that is not in it.

In a run of the suite these are a few hundred texts; for more of each kind:
RECONCILER_FUZZ=100000 .venv/bin/pytest -o timeout=0 -o faulthandler_timeout=0 tests/swarm/test_emerge_fuzz.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.packages.atoms import read_atom, read_atoms
from reconciler.core.packages.version import split_cpv
from reconciler.errors import Terminal
from reconciler.model.package import AtomList, Listing
from reconciler.swarm.emerge.output import read_listing
from reconciler.swarm.submitted import form_of, read_submitted

SAMPLES = {file.stem: file.read_text() for file in sorted((Path(__file__).parent / "samples").glob("*.txt"))}
TEXTS = int(os.environ.get("RECONCILER_FUZZ", "250"))
fuzzed = settings(max_examples=TEXTS, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

PIECES = (
    "[ebuild |[binary |[blocks B|[blocks b|[nomerge |[uninstall |[ebuild  N     ] |[binary  N g   ] | N     |  R    |"
    "] |[|]|\n|a/b-1|dev-libs/liba-1.1-r1|x11-libs/gtk+-2.0_rc1|a/b|-1|-r1|:0/1|:|::gentoo|::| [1.0]| [1.0, 2]|"
    ' to /root/|@world|"|USE="| USE="nls -doc"| L10N="(-de%) {fr}"|*|%|(|)|{|}| 0 KiB| 1,234 KiB| [0=>1]|'
    "\x1b[32m|\x1b|\r|=|>=|<|~|!|!!! |,|#|>>> | * |emerge: there are no ebuilds to satisfy |"
    '(is soft blocking a/b-1)|("<a/b" is hard blocking )|/|\x00'
)
pieces = st.sampled_from(PIECES.split("|"))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A real output to which something happened: parts of it lost, doubled, moved, or put in from elsewhere."""
    text = SAMPLES[draw(st.sampled_from(sorted(SAMPLES)))]
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.integers(0, 40)))
        with_ = draw(st.sampled_from(["cut", "put", "double", "end", "swap", "join"]))
        if with_ == "cut":
            text = text[:at] + text[to:]
        elif with_ == "put":
            text = text[:at] + draw(pieces | st.text(max_size=8)) + text[at:]
        elif with_ == "double":
            text = text[:to] + text[at:]
        elif with_ == "end":
            text = text[:at]
        elif with_ == "swap":
            lines = text.split("\n")
            lines.insert(draw(st.integers(0, len(lines))), lines.pop(draw(st.integers(0, len(lines) - 1))))
            text = "\n".join(lines)
        else:
            text = text[:at] + text[at:to].replace("\n", " ") + text[to:]
    return text


anything = (
    st.text(max_size=400)
    | st.binary(max_size=400).map(lambda data: data.decode(errors="replace"))
    | st.binary(max_size=400).map(lambda data: data.decode(errors="surrogateescape"))
    | st.lists(pieces, max_size=40).map("".join)
)


def check(text: str) -> None:
    listing = read_listing(text)
    check_that_every_line_is_counted(text, listing)
    check_that_nothing_is_made_up(text, listing)
    check_atoms(text, read_atoms(text))
    form = form_or_none(text)
    if form is None:
        assert (listing.entries, listing.blocks, read_atoms(text).atoms) == ((), (), ())
    else:
        assert read_submitted(text) == (read_atoms(text) if form == "atoms" else listing)


def form_or_none(text: str) -> str | None:
    try:
        return form_of(text)
    except Terminal:
        return None


def check_that_every_line_is_counted(text: str, listing: Listing) -> None:
    """What begins as an entry is an entry, or a problem; looked for without our own patterns."""
    found = [entry.line for entry in listing.entries] + [block.line for block in listing.blocks]
    reported = {problem.line for problem in listing.problems}
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(r"\[(ebuild|binary|blocks|nomerge|uninstall) ", line):
            assert number in reported or number in found, line
        if "\r" not in line:
            assert found.count(number) <= 1


def check_that_nothing_is_made_up(text: str, listing: Listing) -> None:
    lines = text.split("\n")
    cpvs = {entry.package.cpv for entry in listing.entries}
    for entry in listing.entries:
        package, line = entry.package, re.sub("\x1b\\[[0-9;]*[mK]", "", lines[entry.line - 1])
        assert split_cpv(package.cpv) == (package.category, package.name, package.version)
        slot = package.slot.partition("/")[0]  # 0 is what emerge leaves away
        for told in (package.cp, package.version, package.repository, "" if slot == "0" else slot):
            assert told in line or "\x1b]" in line
        assert all(flag.lstrip("-").rpartition("_")[2] in line or "\x1b]" in line for flag in package.use)
    for edge in listing.edges:
        assert edge.parent in cpvs
        assert edge.dependency in cpvs
    for problem in listing.problems:
        assert 1 <= problem.line <= len(lines)
        assert problem.why
        assert len(problem.text) <= 201


def check_atoms(text: str, atoms: AtomList) -> None:
    for atom in atoms.atoms:
        assert read_atom(str(atom)) == atom
        assert not set(str(atom)) & set(" ;&|$`'\"\\\t\r\n\x00\x1b")
    wished = [atom.line for atom in atoms.atoms] + [problem.line for problem in atoms.problems]
    if "\r" not in text and "\x1b" not in text:
        stripped = [re.sub(r"(^|\s)#.*", "", line, flags=re.DOTALL).strip() for line in text.split("\n")]
        assert sorted(wished) == [number for number, line in enumerate(stripped, 1) if line]


@fuzzed
@given(mutated())
def test_a_damaged_output_is_read_as_far_as_it_is_whole(text: str) -> None:
    check(text)


@fuzzed
@given(anything)
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)

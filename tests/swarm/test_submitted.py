"""Which form a text has that somebody hands in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.core.packages.atoms import read_atom
from reconciler.errors import Terminal
from reconciler.model.package import AtomList, Listing
from reconciler.swarm.submitted import form_of, read_submitted

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("app-misc/foo\n", "atoms"),
        ("# only this\n=app-misc/foo-1.0  # really\n", "atoms"),
        ("typo\napp-misc/foo\n", "atoms"),
        ("[ebuild  N     ] app-misc/foo-1.0\n", "listing"),
        ("[ebuild  N     ] app-misc/???\n", "listing"),
        (" N     app-misc/foo 1.0 \n", "listing"),
        ("app-misc/foo\n[ebuild  N     ] app-misc/foo-1.0\n", "listing"),
        ("\nThese are the packages that would be merged, in order:\n\nCalculating dependencies... done!\n", "listing"),
        ('emerge: there are no ebuilds to satisfy "app-misc/foo".\n', "listing"),
        (">>> These are the packages that would be unmerged:\n\n app-misc/sleeper\n    selected: 1 \n", "listing"),
        ("", "nothing"),
        ("\n  \n# nothing today\n", "nothing"),
    ],
)
def test_the_text_tells_its_form(text: str, form: str) -> None:
    assert form_of(text) == form


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("foo; rm -rf /\n", 1, "more than one word"),
        ("\n# packages\nfoo\nbar\n", 3, "its category is missing"),
        ('{"packages": []}\n', 1, "more than one word"),
        ("\x7fELF\x02\x01\x01\x00\n", 1, "cannot be part of an atom"),
    ],
)
def test_what_is_neither_is_refused_with_its_first_line_and_why(text: str, line: int, why: str) -> None:
    with pytest.raises(Terminal) as refused:
        read_submitted(text, "wanted.txt")

    assert refused.value.code == "E-PACKAGES"
    assert refused.value.at is not None
    assert (refused.value.at.file, refused.value.at.line) == ("wanted.txt", line)
    assert f"line {line}" in refused.value.why
    assert why in refused.value.why


def test_each_form_is_read_as_itself() -> None:
    assert isinstance(read_submitted("app-misc/foo\n"), AtomList)
    assert isinstance(read_submitted("[ebuild  N     ] app-misc/foo-1.0\n"), Listing)
    assert read_submitted("") == Listing()


def test_the_atoms_that_the_manual_shows_are_atoms() -> None:
    section = (ROOT / "docs/troubleshooting.md").read_text().partition("### E-PACKAGES\n")[2].partition("\n#")[0]
    shown = [text for text in re.findall(r"`([^`]+)`", section) if "/" in text and not text.startswith("!")]

    assert len(shown) == 3
    for text in shown:
        read_atom(text)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    atoms = read_submitted("\ufeffapp-misc/foo\r\napp-misc/bar\r\n")
    assert isinstance(atoms, AtomList) and [str(atom) for atom in atoms.atoms] == ["app-misc/foo", "app-misc/bar"]
    listed = read_submitted("\ufeff[ebuild  N     ] app-misc/foo-1.1::gentoo\n")
    assert isinstance(listed, Listing) and listed.problems == () and len(listed.entries) == 1

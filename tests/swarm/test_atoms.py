"""What may be asked for in a plain list, and what is refused with the reason."""

from __future__ import annotations

import pytest

from reconciler.core.packages.atoms import exactly, read_atom, read_atoms
from reconciler.core.packages.match import matches
from reconciler.model.package import Atom, Package


@pytest.mark.parametrize(
    ("text", "atom"),
    [
        ("app-misc/foo", Atom("app-misc", "foo")),
        ("=app-misc/foo-1.1-r2", Atom("app-misc", "foo", "=", "1.1-r2")),
        ("=app-misc/foo-1.2*", Atom("app-misc", "foo", "=*", "1.2")),
        ("~app-misc/foo-1.2", Atom("app-misc", "foo", "~", "1.2")),
        (">=app-misc/foo-1.2_rc3", Atom("app-misc", "foo", ">=", "1.2_rc3")),
        ("<dev-libs/liba-2:0/1", Atom("dev-libs", "liba", "<", "2", "0/1")),
        ("dev-lang/lang:3.12=", Atom("dev-lang", "lang", slot="3.12", slot_operator="=")),
        ("dev-lang/lang:*", Atom("dev-lang", "lang", slot_operator="*")),
        ("x11-libs/gtk+:2::guru", Atom("x11-libs", "gtk+", slot="2", repository="guru")),
        ("a/9base::gentoo[ssl,-doc,x(+)]", Atom("a", "9base", repository="gentoo", use=("ssl", "-doc", "x(+)"))),
    ],
)  # fmt: skip
def test_an_atom_is_read_and_written_the_same(text: str, atom: Atom) -> None:
    assert read_atom(text) == atom
    assert str(atom) == text


@pytest.mark.parametrize("repository", ["", "guru"])
def test_the_atom_of_a_package_is_read_as_that_version_of_it(repository: str) -> None:
    package = Package("app-misc", "foo", "1.1-r2", slot="0/3", repository=repository, use=("ssl",))
    atom = read_atom(exactly(package))
    assert atom == Atom("app-misc", "foo", "=", "1.1-r2", repository=repository) and matches(atom, package)


def test_a_version_without_an_operator_is_exactly_that_one() -> None:
    assert read_atom("app-misc/foo-1.1:0") == read_atom("=app-misc/foo-1.1:0")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("foo; rm -rf /", "more than one word"),
        ("foo;rm", "';' cannot be part of an atom"),
        ("app-misc/foo`id`", "'`' cannot be part"),
        ("app-misc/$(id)", "'$' cannot be part"),
        ("app-misc/foo\x00", "cannot be part"),
        ("app-misc/fóo", "'ó' cannot be part"),
        ("--ask", "category is missing"),
        ("foo", "category is missing"),
        ("app-misc/foo doc -ssl", "in brackets"),
        ("../../etc/passwd", "is no category"),
        ("app-misc/../foo", "is no name of a package"),
        ("-app/foo", "is no category"),
        ("app-misc/-foo", "is no name of a package"),
        ("app-misc/foo-1.1-1", "ends with two versions"),
        ("=app-misc/foo-1.1-1", "ends with two versions"),
        ("=app-misc/foo", "= needs a version"),
        (">=app-misc/foo-bar", ">= needs a version"),
        (">=app-misc/foo-1*", "is no name of a package"),
        ("app-misc/*", "is no name of a package"),
        ("app-misc/foo:", "is no slot"),
        ("app-misc/foo:0/1/2", "is no slot"),
        ("app-misc/foo:0*", "is no slot"),
        ("app-misc/foo::", "is no name of a repository"),
        ("app-misc/foo::a::b", "is no name of a repository"),
        ("app-misc/foo[", "not closed"),
        ("app-misc/foo[a]:0", "not closed"),
        ("app-misc/foo[]", "is no USE flag"),
        ("app-misc/foo[a,,b]", "is no USE flag"),
        ("app-misc/foo[a?]", "only an ebuild can say that"),
        ("app-misc/foo[a,-a]", "in two ways"),
        ("!app-misc/foo", "a blocker"),
        ("@world", "a set"),
        ("a/" + "b" * 5000, "longer than"),
    ],
)  # fmt: skip
def test_what_is_no_atom_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_atom(text)

    assert why in str(refused.value)


def test_comments_and_empty_lines_ask_for_nothing() -> None:
    text = "# the base\n\n  app-misc/foo   # wanted by all\n\t\n#app-misc/bar\n=dev-libs/liba-1.0*\r\n"
    atoms = read_atoms(text)

    assert [(str(atom), atom.line) for atom in atoms.atoms] == [("app-misc/foo", 3), ("=dev-libs/liba-1.0*", 6)]
    assert atoms.problems == ()


def test_every_line_that_is_no_atom_is_named_and_the_others_are_read() -> None:
    atoms = read_atoms("app-misc/foo\nfoo; rm -rf /\n=dev-libs/liba-1\n@world\n")

    assert [str(atom) for atom in atoms.atoms] == ["app-misc/foo", "=dev-libs/liba-1"]
    assert [(problem.line, problem.text) for problem in atoms.problems] == [(2, "foo; rm -rf /"), (4, "@world")]


def test_where_an_atom_was_written_makes_it_no_other_wish() -> None:
    first, second = read_atoms("app-misc/foo\napp-misc/foo\n").atoms

    assert first == second
    assert len({first, second}) == 1

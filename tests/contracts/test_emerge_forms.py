"""The real emerge resolves one wish and prints it in each of its forms: all of them are read to the same packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from reconciler.model.package import Listed, Listing, Package
from reconciler.swarm.emerge.output import read_listing
from tests.support.portage import Gentoo

FOO = Package(
    "app-misc",
    "foo",
    "1.1-r1",
    "0",
    "gentoo",
    (
        "-abi_x86_32",
        "abi_x86_64",
        "-doc",
        "-forbidden",
        "forced",
        "nls",
        "python_targets_python3_11",
        "-python_targets_python3_12",
    ),
)
TOOL = Package("virtual", "tool", "1", "0", "gentoo")
GTK = Package("x11-libs", "gtk+", "2.0_rc1", "3", "gentoo")
LIBB = Package("dev-libs", "libb", "2", "0", "gentoo", ("-fresh", "kept"))
LIBA = Package("dev-libs", "liba", "2.0", "0/2", "gentoo", ("-debug", "nls"))

TRUTH = {
    FOO: ("N", ()),
    TOOL: ("IN", ()),
    GTK: ("NS", (Package("x11-libs", "gtk+", "1", "1", "gentoo"), Package("x11-libs", "gtk+", "2", "2", "gentoo"))),
    LIBB: ("U~", (Package("dev-libs", "libb", "1", "0", "gentoo"),)),
    LIBA: ("U", (Package("dev-libs", "liba", "1.0", "0/1", "gentoo"),)),
}
NEEDS = {(FOO, TOOL), (FOO, LIBB), (FOO, LIBA), (TOOL, GTK), (LIBB, LIBA)}

TOLD_BY = {
    "-pv": "slot repository use mask",
    "-p": "mask",
    "-pq": "",
    "-pqv": "use",
    "-pv --columns": "slot repository use mask",
    "-p --columns": "mask",
    "-pq --columns": "",
    "-pv --alphabetical": "slot repository use mask",
    "-pv --quiet-repo-display": "slot use mask",
    "-pv --tree": "slot repository use mask",
    "-pq --tree": "",
    "-pv --tree --unordered-display --color y": "slot repository use mask",
}
"""What each form tells beside names, versions and marks; `-p` alone shows of the flags only what changes."""


@pytest.fixture(scope="module")
def gentoo(tmp_path_factory: pytest.TempPathFactory) -> Gentoo:
    gentoo = Gentoo(tmp_path_factory.mktemp("gentoo"))
    flags = "+nls doc forced +forbidden python_targets_python3_11 python_targets_python3_12 abi_x86_32 abi_x86_64"
    needs = "dev-libs/liba:= dev-libs/libb virtual/tool"
    gentoo.ebuild("app-misc/foo-1.1-r1", IUSE=flags, DEPEND=needs)
    gentoo.ebuild("virtual/tool-1", RDEPEND="x11-libs/gtk+:3", PROPERTIES="interactive")
    gentoo.ebuild("x11-libs/gtk+-2.0_rc1", SLOT="3")
    gentoo.ebuild("dev-libs/libb-2", IUSE="+kept fresh", RDEPEND=">=dev-libs/liba-2", KEYWORDS="~amd64")
    gentoo.ebuild("dev-libs/liba-2.0", SLOT="0/2", IUSE="nls debug")
    gentoo.installed("dev-libs/libb-1", IUSE="kept gone", USE="gone")
    gentoo.installed("dev-libs/liba-1.0", SLOT="0/1", IUSE="nls debug", USE="nls")
    gentoo.installed("x11-libs/gtk+-1", SLOT="1")
    gentoo.installed("x11-libs/gtk+-2", SLOT="2")
    gentoo.ebuild("app-misc/clash-1", DEPEND="!<app-misc/old-2")
    gentoo.installed("app-misc/old-1")
    gentoo.say("package.use.force", "app-misc/foo forced\n")
    gentoo.say("package.use.mask", "app-misc/foo forbidden\n")
    gentoo.accept("dev-libs/libb ~amd64\n")
    return gentoo


def ask(gentoo: Gentoo, form: str, *wishes: str, **environment: str) -> Listing:
    color = () if "--color" in form else ("--color", "n")
    listing = read_listing(gentoo.emerge("--update", "--deep", *form.split(), *color, *wishes, **environment))
    assert (listing.problems, listing.messages) == ((), ())
    return listing


@pytest.fixture(scope="module")
def foo_as(gentoo: Gentoo) -> Callable[[str], Listing]:
    """What emerge says about app-misc/foo in a form; it is asked once for each."""
    return cache(lambda form: ask(gentoo, form, "app-misc/foo"))


def as_told(package: Package, told: str) -> Package:
    """What a form leaves of the truth."""
    return replace(
        package,
        slot=package.slot if "slot" in told else "",
        repository=package.repository if "repository" in told else "",
        use=package.use if "use" in told else (),
    )


def without_zero(package: Package) -> Package:
    """Where the repository is not told, nobody can know that the slot is 0."""
    return package if package.repository else replace(package, slot=package.slot if package.slot != "0" else "")


@pytest.mark.parametrize("form", TOLD_BY)
def test_every_form_tells_the_same_packages(foo_as: Callable[[str], Listing], form: str) -> None:
    listing, told = foo_as(form), TOLD_BY[form]
    expected = {
        without_zero(as_told(package, told)): (
            flags if "mask" in told else flags.rstrip("~"),
            tuple(without_zero(as_told(old, told)) for old in installed),
        )
        for package, (flags, installed) in TRUTH.items()
    }

    assert {whole(entry, told): (entry.flags, entry.installed) for entry in listing.entries} == expected
    assert all((entry.kind, entry.root, entry.build_id) == ("ebuild", "/", None) for entry in listing.entries)


def whole(entry: Listed, told: str) -> Package:
    """-p shows the flags that change, and those of what is new; they are compared where all are told."""
    return entry.package if "use" in told else replace(entry.package, use=())


@pytest.mark.parametrize("form", [form for form in TOLD_BY if "--tree" in form])
def test_a_tree_tells_needs_that_there_are(foo_as: Callable[[str], Listing], form: str) -> None:
    listing = foo_as(form)
    edges = {(edge.parent, edge.dependency) for edge in listing.edges}

    assert listing.tree
    assert edges <= {(package.cpv, need.cpv) for package, need in NEEDS}
    assert {dependency for _, dependency in edges} == {package.cpv for package in TRUTH if package != FOO}


@pytest.mark.parametrize("form", [form for form in TOLD_BY if "--tree" not in form])
def test_without_a_tree_everything_stands_below_what_it_needs(foo_as: Callable[[str], Listing], form: str) -> None:
    listing = foo_as(form)
    order = [entry.package.cp for entry in listing.entries]

    assert (listing.edges, listing.tree) == ((), False)
    assert all(order.index(need.cp) < order.index(package.cp) for package, need in NEEDS)


@pytest.mark.parametrize("form", ["-pv", "-pq", "-pv --tree"])
def test_what_is_in_the_way_is_no_package_to_build(gentoo: Gentoo, form: str) -> None:
    listing = ask(gentoo, form, "app-misc/clash")

    assert {entry.package.cpv for entry in listing.entries if entry.merges} == {"app-misc/clash-1"}
    assert {entry.package.cpv for entry in listing.entries if entry.kind == "uninstall"} == {"app-misc/old-1"}
    assert [(str(block.atom), block.by, block.hard, block.solved) for block in listing.blocks] == [
        ("<app-misc/old-2", ("app-misc/clash-1",), False, True)
    ]
    assert listing.edges == ()


@pytest.mark.parametrize("form", ["-pv", "-pv --columns", "-pq --columns", "-pq"])
def test_another_root_is_told(gentoo: Gentoo, form: str) -> None:
    listing = ask(gentoo, form, "x11-libs/gtk+:3", ROOT="/second")

    assert [(entry.package.cpv, entry.flags) for entry in listing.entries] == [(GTK.cpv, "N")]
    assert listing.entries[0].root.startswith("/second/")

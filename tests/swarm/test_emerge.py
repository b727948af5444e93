"""What a line of `emerge -p` says, and which lines are handed back with the reason."""

from __future__ import annotations

import re

import pytest

from reconciler.model.package import Atom, Block, Edge, Listed, Package
from reconciler.swarm.emerge.arguments import unsatisfied
from reconciler.swarm.emerge.needs import Needs
from reconciler.swarm.emerge.output import read_listing


def only(line: str) -> Listed:
    listing = read_listing(line)
    assert listing.problems == ()
    (entry,) = listing.entries
    return entry


def why_not(line: str) -> str:
    listing = read_listing(line)
    assert (listing.entries, listing.blocks) == ((), ())
    (problem,) = listing.problems
    assert problem.line == 1
    return problem.why


def test_everything_that_a_line_can_tell_is_read() -> None:
    entry = only(
        "[binary IrR gUD~] media-video/ffmpeg-6.1.1-r7-12:0/58.60::guru "
        "[7.0_rc2:0/59.61::gentoo, 4.4-r0:4::__unknown__] to /mnt/gentoo/ "
        'USE="X (vaapi) -x265* {test} fresh%* (-gone%) (-selinux)" PYTHON_TARGETS="python3_11 -python3_12*" 1,234 KiB'
    )

    assert entry == Listed(
        Package(
            "media-video",
            "ffmpeg",
            "6.1.1-r7",
            "0/58.60",
            "guru",
            (
                "X",
                "fresh",
                "python_targets_python3_11",
                "-python_targets_python3_12",
                "-selinux",
                "test",
                "vaapi",
                "-x265",
            ),
        ),
        "binary",
        flags="IrRgUD~",
        line=1,
        installed=(
            Package("media-video", "ffmpeg", "7.0_rc2", "0/59.61", "gentoo"),
            Package("media-video", "ffmpeg", "4.4-r0", "4", ""),
        ),
        build_id=12,
        root="/mnt/gentoo/",
    )


def coloured(line: str) -> str:
    """As a terminal gets it: every word in a colour of its own."""
    return re.sub(r"[^ \[\]\r]+", "\x1b[32;01m\\g<0>\x1b[39;49;00m", line)


@pytest.mark.parametrize(
    "line",
    [
        "[ebuild     U ~] dev-libs/libb-1.1-r1:0/2::gentoo [1.0:0/1::gentoo] 0 KiB",
        "[ebuild     U ~] dev-libs/libb                                [1.1-r1:0/2::gentoo]    [1.0:0/1::gentoo] 0 KiB",
        "[ebuild U~] dev-libs/libb-1.1-r1:0/2::gentoo [1.0:0/1::gentoo]",
        "   [ebuild     U ~] dev-libs/libb-1.1-r1:0/2::gentoo [1.0:0/1::gentoo]   ",
        "[ebuild     U ~] dev-libs/libb-1.1-r1:0/2::gentoo [1.0:0/1::gentoo] 1.234 kB [0=>1]",
        "\x1b]0;emerge on a machine\x07[ebuild     U ~] dev-libs/libb-1.1-r1:0/2::gentoo [1.0:0/1::gentoo]",
        coloured("[ebuild     U ~] dev-libs/libb-1.1-r1:0/2::gentoo [1.0:0/1::gentoo] 0 KiB\r"),
    ],
)
def test_one_package_is_the_same_in_every_form(line: str) -> None:
    old = Package("dev-libs", "libb", "1.0", "0/1", "gentoo")
    new = Package("dev-libs", "libb", "1.1-r1", "0/2", "gentoo")

    assert only(line) == Listed(new, "ebuild", "U~", 1, installed=(old,))


@pytest.mark.parametrize(
    "line",
    [" N     dev-libs/libb 1.1-r1 ", "N     dev-libs/libb 1.1-r1", "[ebuild  N    ] dev-libs/libb-1.1-r1 "],
    ids=["columns-quiet", "stripped", "quiet"],
)
def test_what_was_not_told_stays_open(line: str) -> None:
    assert only(line) == Listed(Package("dev-libs", "libb", "1.1-r1"), "ebuild", "N", 1)


def test_without_brackets_a_build_id_shows_what_is_a_binary_package() -> None:
    text = (
        " N g   dev-libs/libb 1.1-r1-3 \n    U  dev-libs/libc 2-1 [1] to /second/\n N     dev-libs/libd 3 \n"
        " N g   dev-libs/libe 4 \n"  # fetched from a binhost whose packages have no build ids
    )

    assert [
        (entry.kind, entry.package.version, entry.build_id, entry.root) for entry in read_listing(text).entries
    ] == [
        ("binary", "1.1-r1", 3, "/"),
        ("binary", "2", 1, "/second/"),
        ("ebuild", "3", None, "/"),
        ("binary", "4", None, "/"),
    ]


@pytest.mark.parametrize(
    ("written", "slot"),
    [
        ("a/b-1::gentoo", "0"),  # emerge leaves it away for slot 0 alone, and only where it tells the repository
        ("a/b-1", ""),
        ("a/b-1:0/0::gentoo", "0"),
        ("a/b-1:3.12::gentoo", "3.12"),
        ("a/b-1:3.12/3.12::gentoo", "3.12"),
        ("a/b-1:0/1.1::gentoo", "0/1.1"),
        ("a/b-1:2", "2"),
    ],
)
def test_slots_are_those_of_an_index_of_packages(written: str, slot: str) -> None:
    assert only(f"[ebuild  N     ] {written}").package.slot == slot


@pytest.mark.parametrize(
    "name", ["gtk+-2.0", "9base-1_p2", "a-b-c-1.2.3a_beta4_p5-r6", "foo-1xy-3", "font-adobe-100dpi-1.0"]
)
def test_names_that_look_like_versions_are_told_apart(name: str) -> None:
    assert only(f"[ebuild  N     ] x11-libs/{name}").package.cpv == f"x11-libs/{name}"


def test_the_same_flags_are_equal_however_they_are_displayed() -> None:
    ordered = only('[ebuild  N     ] a/b-1  USE="nls ssl -doc -x" L10N="de -fr"').package
    alphabetical = only('[ebuild   R    ] a/b-1  USE="-doc% nls* (ssl) -x" L10N="-fr* de"').package

    assert ordered == alphabetical
    assert ordered.use == ("-doc", "l10n_de", "-l10n_fr", "nls", "ssl", "-x")


def test_blocks_say_what_is_in_the_way_of_what() -> None:
    listing = read_listing(
        '[blocks B      ] <a/b-2:0 ("<a/b-2:0" is hard blocking c/d-1, c/e-2-r1)\n'
        "[blocks b      ]  a/f (is soft blocking c/g-1)\n"
    )

    assert listing.blocks == (
        Block(Atom("a", "b", "<", "2", "0"), ("c/d-1", "c/e-2-r1"), hard=True, solved=False, line=1),
        Block(Atom("a", "f"), ("c/g-1",), hard=False, solved=True, line=2, depth=1),
    )
    assert listing.entries == ()


def tree(*names: str) -> str:
    """Each name with the blanks before it that --tree would give it."""
    return "".join(
        f"[ebuild  N     ] {name[: -len(name.strip())]}a/{name.strip()}-1::gentoo  0 KiB\n" for name in names
    )


def edges(text: str) -> list[str]:
    found = read_listing(text).edges
    return [f"{edge.parent[2:-2]}>{edge.dependency[2:-2]}" for edge in found]


def test_what_stands_above_needs_what_is_indented_below() -> None:
    text = tree("top", " left", "  deep", "   deeper", " right", "  deep", "other", " deeper")

    assert edges(text) == ["top>left", "left>deep", "deep>deeper", "top>right", "right>deep", "other>deeper"]
    assert read_listing(text).tree


DEBUG = """\
Parent:    (a/left-1:0/0::gentoo, ebuild scheduled for merge)
Depstring: a/deep
Priority:  buildtime
Candidates: ['a/deep']

Child:         (a/deep-1:0/0::gentoo, ebuild scheduled for merge) USE=""
Parent Dep:    a/deep required by (a/left-1:0/0::gentoo, ebuild scheduled for merge)
Priority:  runtime
Child:         (a/deep-1:0/0::gentoo, ebuild scheduled for merge) USE=""
Parent Dep:    >=a/deep-1:= required by (a/right-1:0/0::gentoo, ebuild scheduled for merge)
Priority:  runtime_post
Child:         (a/right-1:0/0::gentoo, ebuild scheduled for merge) USE=""
Parent Dep:    a/right required by (a/deep-1:0/0::gentoo, ebuild scheduled for merge)
Priority:  runtime
Child:         (a/left-1:0/0::gentoo, ebuild scheduled for merge) USE=""
Parent Dep:    a/left
"""


def test_what_a_tree_does_not_show_twice_is_told_by_the_debug_output() -> None:
    shown = tree("top", " left", "  deep", " right")
    assert ("right>deep" in edges(shown)) is False

    assert edges(shown + DEBUG) == ["top>left", "left>deep", "top>right", "right>deep"]
    assert read_listing(shown + DEBUG).messages == ()


def test_debug_output_is_read_out_of_a_stream_in_any_pieces() -> None:
    whole, pieces = Needs(), Needs()
    whole.take(DEBUG.encode())
    for byte in DEBUG.encode():
        pieces.take(bytes([byte]))

    assert whole.text() == pieces.text()
    assert edges(whole.text()) == ["left>deep", "right>deep"]


def test_a_list_without_indentation_has_no_edges() -> None:
    listing = read_listing(tree("one", "two"))

    assert (listing.edges, listing.tree) == ((), False)


def test_a_circle_is_told_as_it_is() -> None:
    assert edges("[nomerge       ] a/one-1::gentoo \n" + tree(" two", "  one")) == ["one>two", "two>one"]


def test_a_package_for_two_roots_does_not_need_itself() -> None:
    text = "[ebuild  N     ] a/one-1 to /second/\n[ebuild  N     ]  a/one-1\n[ebuild  N     ]   a/two-1\n"

    assert read_listing(text).edges == (Edge("a/one-1", "a/two-1"),)


def test_the_next_list_stands_below_nothing_of_the_last() -> None:
    head = "These are the packages that would be merged, in reverse order:\n"
    listing = read_listing(tree("one", " two") + head + tree("  three"))

    assert [edge.dependency for edge in listing.edges] == ["a/two-1"]
    assert [problem.line for problem in listing.problems] == [4]


def test_a_gap_in_the_tree_is_reported_and_no_edge_is_guessed() -> None:
    listing = read_listing(tree("one", "   lost", "  two", " three"))

    assert [edge.dependency for edge in listing.edges] == ["a/three-1"]
    assert [(problem.line, problem.why) for problem in listing.problems] == [
        (2, "it is indented by 3, and nothing stands above it at 2")
    ]
    assert len(listing.entries) == 4


def test_what_stands_below_a_line_that_is_not_understood_is_no_child_of_another() -> None:
    listing = read_listing(tree("one", " two") + "[ebuild  N     ]  a/???\n" + tree("  three", " four"))

    assert [(edge.parent, edge.dependency) for edge in listing.edges] == [
        ("a/one-1", "a/two-1"),
        ("a/one-1", "a/four-1"),
    ]
    assert [problem.line for problem in listing.problems] == [3]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[ebuild  N     ] dev-libs/liba", "has no version"),
        ("[ebuild  N     ] liba-1.0", "is no package"),
        ("[ebuild  N     ] dev-libs/liba-1.0-1", "is no package"),  # a build id, which only a binary package has
        ("[ebuild  N     ] dev-libs/liba-1.0:", "is no slot"),
        ("[ebuild  N     ] dev-libs/liba-1.0::", "is no name of a repository"),
        ("[ebuild  N     ] dev-libs/liba-1.0 [one]", "is no version"),
        ("[ebuild  N     ] dev-libs/liba-1.0 [1.0] [0.9]", "a bracket too many"),
        ("[ebuild  N     ] dev-libs/liba [1.0] [0.9] [0.8]", "not understood: '[0.8]'"),
        ("[ebuild  N     ] dev-libs/liba-1.0 USE=\"nls -doc", "a quotation mark is missing; was the line wrapped?"),
        ('[ebuild  N     ] dev-libs/liba-1.0 USE="nls -nls"', "both on and off"),
        ('[ebuild  N     ] dev-libs/liba-1.0 USE="(nls"', "is no USE flag"),
        ('[ebuild  N     ] dev-libs/liba-1.0 USE="nls" [1.0]', "not understood: '[1.0]'"),
        ("[ebuild  N     ] dev-libs/liba-1.0 and more", "not understood"),
        ("[ebuild  N     ] dev-libs/liba-1.0; rm -rf /", "not understood: 'rm -rf /'"),
        ("[ebuild  N     ] dev-libs/liba-1.0;reboot", "is no package"),
        ("[ebuild  N     ] $(reboot)/liba-1.0", "is no package"),
        ("[ebuild  N     ] dev-libs/liba-1.0 [ebuild  N     ] dev-libs/libb-1.0", "not understood"),
        ("[ebuild  X     ] dev-libs/liba-1.0", "the marks 'X'"),
        ("[ebuild  1     ] dev-libs/liba-1.0", "brackets"),
        ("[ebuild  RN    ] dev-libs/liba-1.0", "the marks 'RN'"),
        ("[ebuild  N     dev-libs/liba-1.0", "brackets"),
        ("[ebuild  N     ]", "brackets"),
        ("[nomerge  N    ] dev-libs/liba-1.0", "the marks 'N'"),
        ("[blocks        ] dev-libs/liba (is soft blocking a/b-1)", "marked B or b"),
        ("[blocks B      ] dev-libs/liba", "what is blocked by what"),
        ("[blocks B      ] dev-libs/liba (is soft blocking a/b)", "no package with a version"),
        ("[rebuild  N     ] dev-libs/liba-1.0", "no such kind"),
        ("ebuild  N     ] dev-libs/liba-1.0", "first bracket is missing"),
        ("> [ebuild  N     ] dev-libs/liba-1.0", "something stands before"),
        ("world.log:12:[ebuild  N     ] dev-libs/liba-1.0", "something stands before"),
        ("[[32mebuild[39;49;00m  [32;01mN[39;49;00m     ] [32mdev-libs/liba-1.1[39;49;00m", "escape characters"),
        (" N     dev-libs/liba ", "has no version"),
        (" N     dev-libs/liba 1.0 more", "not understood"),
        ("=dev-libs/liba-1.0", "a list of its own"),
        (f"[ebuild  N     ] dev-libs/liba-1.0 USE=\"{'x ' * 40000}\"", "longer than"),
        (f"{'#' * 70000}[ebuild  N     ] dev-libs/liba-1.0", "longer than"),
    ],
)  # fmt: skip
def test_what_looks_like_an_entry_and_is_none_is_reported(line: str, why: str) -> None:
    assert why in why_not(line)


@pytest.mark.parametrize(
    "line",
    [
        "[swarm] Local copy of remote index is up-to-date and will be used.",
        '(dependency required by "app-misc/foo-1::gentoo" [ebuild])',
        "[ebuild])",  # the end of such a line, which a terminal wrapped
        "[1]+  Exit 130                emerge -1 app-misc/sleeper > /tmp/o 2>&1",
        " app-misc/sleeper",
        "dev-libs/liba:0",
        "N dev-libs/liba 1.0 is newer",
        "[" * 1000 + "]" * 1000,
        "[fetch restriction] is on",
        "Total: 5 packages (5 new), Size of downloads: 0 KiB",
    ],
)
def test_what_is_no_entry_is_no_problem(line: str) -> None:
    listing = read_listing(line)

    assert (listing.entries, listing.blocks, listing.problems) == ((), (), ())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("[" * 10_000_000, 0),
        ("[ebuild " * 1_250_000, 1),
        ("[ebuild  N     ] " + " " * 10_000_000 + "a/b-1", 1),
        ("a" * 10_000_000 + "[ebuild  N     ] a/b-1", 1),
        ("\x1b[" * 5_000_000, 0),
        ("[ebuild  N     ] a/b-1 " + "[" * 1000 + "]" * 1000, 1),
        ("[ebuild  N     ] a/b-1 " + 'USE="' * 12_000, 1),
    ],
    ids=["brackets", "beginnings", "blanks", "a word", "escapes", "a thousand brackets", "quotation marks"],
)
def test_a_text_that_is_meant_to_choke_us_is_read_to_its_end(text: str, problems: int) -> None:
    """Each takes less than a second; one that tries every combination would outlast the run."""
    listing = read_listing(text)

    assert len(listing.problems) == problems
    assert listing.entries == ()


def test_a_problem_names_its_line_and_the_lines_around_it_are_read() -> None:
    text = tree("one") + "\n[ebuild  N     ] a/two\n" + tree("three")
    listing = read_listing(text)

    assert [entry.package.name for entry in listing.entries] == ["one", "three"]
    assert [(problem.line, problem.text) for problem in listing.problems] == [(3, "[ebuild  N     ] a/two")]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """Form feeds and the like end no line; a carriage return alone hides nothing."""
    text = "one\x0b\x0ctwo\u2028\x85\r\n\r\n" + tree("three").rstrip("\n") + "\r" + tree("four")

    assert [(entry.package.name, entry.line) for entry in read_listing(text).entries] == [("three", 3), ("four", 3)]


def test_a_message_is_told_whole_and_ends_where_the_list_goes_on() -> None:
    text = (
        "The following mask changes are necessary to proceed:\n"
        ' (see "package.unmask" in the portage(5) man page for more details)\n'
        "=app-misc/masked-1\n" + tree("one") + '\n!!! All ebuilds that could satisfy "a/b" have been masked.\n'
        "!!! One of the following masked packages is required to complete your request:\n"
        "- a/b-1::gentoo (masked by: ~amd64 keyword)\n"
        "\n"
        '(dependency required by "a/c-1::gentoo" [ebuild])\n'
        "For more information, see the MASKED PACKAGES section in the emerge\n"
    )
    changes, masked = read_listing(text).messages

    assert (changes.kind, changes.line, changes.text.splitlines()[-1]) == ("needs-change", 1, "=app-misc/masked-1")
    assert (masked.kind, masked.line, masked.text.splitlines()[-1]) == (
        "masked",
        6,
        '(dependency required by "a/c-1::gentoo" [ebuild])',
    )
    assert changes.trouble and masked.trouble


def test_what_follows_a_message_behind_a_gap_is_no_part_of_it() -> None:
    (message,) = read_listing("!!! Something is wrong.\n\n  It is this.\n\nAnd another thing.\n  Of it.\n").messages

    assert message.text == "!!! Something is wrong.\n\n  It is this."


def test_a_message_without_end_is_cut() -> None:
    (message,) = read_listing("!!! Something is wrong:\n" + "and so on\n" * 10000).messages

    assert len(message.text) < 4100
    assert message.text.endswith("…")


def test_notes_are_no_trouble() -> None:
    (note,) = read_listing(
        "The following packages are causing rebuilds:\n\n  (a/b-1:0/0::gentoo) causes rebuilds for:\n"
    ).messages

    assert (note.kind, note.trouble) == ("rebuilds", False)
    assert "causes rebuilds" in note.text


def test_to_blame_is_the_argument_that_is_named_or_that_needs_what_is() -> None:
    asked = ("app-misc/nowhere", "app-misc/lonely", "app-misc/fine", "=app-misc/new-2")
    text = """emerge: there are no ebuilds to satisfy "app-misc/other".
(dependency required by "app-misc/lonely-1::gentoo" [ebuild])
(dependency required by "app-misc/lonely" [argument])

!!! All ebuilds that could satisfy "=app-misc/new-2" have been masked.
[ebuild  N     ] app-misc/fine-1::gentoo  0 KiB
"""
    assert unsatisfied(text, asked) == ("app-misc/lonely", "=app-misc/new-2")
    assert unsatisfied('emerge: there are no ebuilds to satisfy "app-misc/nowhere".', asked) == ("app-misc/nowhere",)
    assert unsatisfied("", asked) == ()

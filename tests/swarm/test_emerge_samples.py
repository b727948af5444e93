"""What real output of emerge says, read by eye and written down here, is what we read in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.errors import Terminal
from reconciler.model.package import Listed, Listing
from reconciler.swarm.emerge.output import read_listing
from reconciler.swarm.submitted import form_of

SAMPLES = Path(__file__).parent / "samples"

CATEGORIES = {
    "app-misc": "broken collider foo licensed masked needsbroken needsnewliba needsoldliba needsuse pretenddie "
    "restricted sleeper softblock tool-a tool-b",
    "dev-cycle": "cyc-a cyc-b",
    "dev-lang": "lang",
    "dev-libs": "liba libb",
    "dev-util": "9base blk blkold depmasked deplic deptilde expand forced gonepkg gtk+ inter multi needsall nofetch "
    "nokw removed tilde",
    "virtual": "",
}
"""Where the names of the tables are at home; `virtual/tool` and `dev-util/tool` are written out."""


@dataclass(frozen=True)
class Says:
    """`entries` in the order of the text: name-version, +build for a binary package, <version for what is installed,
    `gone:` and `shown:` for [uninstall] and [nomerge]. `flags`: of each entry, - for none. `edges`: parent>dependency.
    `blocks`: what is blocked, !! hard or ! soft, by what; `told`: the kinds of messages.
    """

    entries: str = ""
    flags: str = ""
    edges: str = ""
    blocks: str = ""
    told: str = ""


FIVE = "liba-1.1 tool-a-1 libb-1.1-r1 virtual/tool-1 foo-1.1"
UPDATE = "liba-1.1<1.0 lang-3.11.9<3.11.4 libb-1.1-r1<1.0 foo-1.1<1.0"
SUBSLOT = "liba-2.0<1.0 lang-3.11.9<3.11.4 libb-1.1-r1<1.0 foo-1.1<1.0"
BINARIES = "liba-1.1+1 libb-1.1-r1+1 foo-1.1+1"
TOOLS = "tool-b!!tool-a-1 tool-a!!tool-b-1"

LISTS = {
    "01-pv-new": Says(FIVE, "N N N N N"),
    "02-pv-new-quiet": Says(FIVE, "N N N N N"),
    "04-pv-new-columns": Says(FIVE, "N N N N N"),
    "05-pv-new-tree": Says(
        "foo-1.1 virtual/tool-1 tool-a-1 libb-1.1-r1 liba-1.1",
        "N N N N N",
        edges="foo-1.1>virtual/tool-1 virtual/tool-1>tool-a-1 foo-1.1>libb-1.1-r1 libb-1.1-r1>liba-1.1",
    ),
    "07-pv-several": Says(
        "liba-1.1 tool-a-1 lang-3.12.1 sleeper-1 libb-1.1-r1 virtual/tool-1 foo-1.1", "N N N N N N N"
    ),
    "08-p-columns-quiet": Says(FIVE, "N N N N N"),
    "20-err-circular": Says(
        "shown:cyc-a-1 cyc-b-1 cyc-a-1", "- N N", edges="cyc-a-1>cyc-b-1 cyc-b-1>cyc-a-1", told="circular"
    ),
    "22-err-autounmask-use": Says("liba-1.1 libb-1.1-r1 needsuse-1", "N N N", told="needs-change"),
    "23-err-autounmask-use-write": Says("liba-1.1 libb-1.1-r1 needsuse-1", "N N N", told="needs-change"),
    "26-err-hard-block": Says("tool-a-1 tool-b-1", "N N", blocks=TOOLS, told="blocked"),
    "29-err-pretend-dies": Says("pretenddie-1", "N", told="failed failed failed"),
    "41-world-update-quiet": Says(UPDATE, "U U U U"),
    "42-world-update-plain": Says(UPDATE, "U U U U"),
    "44-world-update-tree": Says(
        "lang-3.11.9<3.11.4 foo-1.1<1.0 libb-1.1-r1<1.0 liba-1.1<1.0",
        "U U U U",
        edges="foo-1.1>libb-1.1-r1 libb-1.1-r1>liba-1.1",
    ),
    "45-world-update-color-y": Says(UPDATE, "U U U U"),
    "47-world-use-changes-changed-use-only": Says(UPDATE, "U U U U"),
    "48-world-subslot-rebuild": Says(SUBSLOT, "U~ U U U"),
    "51-soft-block-resolved": Says("softblock-1", "N", blocks="<foo-1.1!softblock-1", told="blocked"),
    "53-reinstall": Says("libb-1.1-r1<1.0 foo-1.0", "U R"),
    "54-reinstall-plain": Says("sleeper-1", "R"),
    "56-downgrade": Says("liba-1.0 lang-3.11.4", "R R"),
    "57-overlay-repo": Says("liba-2.0<1.0 lang-3.11.9<3.11.4 libb-1.2<1.0 foo-1.1<1.0", "U~ U U U"),
    "62-oneshot-exclude": Says("liba-2.0<1.0 libb-1.2<1.0 foo-1.1<1.0", "U~ U U"),
    "63-world-update-emptytree": Says(
        "liba-2.0<1.0 tool-b-1 sleeper-1 lang-3.11.9<3.11.4 libb-1.2<1.0 virtual/tool-1 foo-1.1<1.0", "U~ R R U U R U"
    ),
    "68-new-slot": Says("lang-3.12.1<3.11.9", "NS"),
    "69-new-slot-quiet": Says("lang-3.12.1<3.11.9", "NS"),
    "71-subslot-rebuilds-quiet": Says("liba-2.0<1.1 libb-1.1-r1 foo-1.1", "rU rR rR", told="rebuilds"),
    "72-subslot-rebuilds-tree": Says(
        "foo-1.1 libb-1.1-r1 liba-2.0<1.1",
        "rR rR rU~",
        edges="foo-1.1>libb-1.1-r1 libb-1.1-r1>liba-2.0",
        told="rebuilds",
    ),
    "74-world-downgrade-quiet": Says("lang-3.11.4<3.11.9", "UD"),
    "75-world-newuse-reinstall": Says("liba-1.1", "R"),
    "77-world-newuse-reinstall-plain": Says("liba-1.1", "R"),
    "78-soft-block-solved": Says("foo-1.1<1.0 softblock-1", "U N"),
    "80-fetch-restricted": Says("restricted-1", "Nf"),
    "81-fetch-restricted-run": Says("restricted-1", "Nf", told="other failed"),
    "83-fail-compile": Says("broken-1 needsbroken-1", "N N", told="failed failed failed"),
    "87-fail-collision": Says("collider-1", "N", told="failed"),
    "93-softblock-uninstall": Says("softblock-1 gone:foo-1.0", "N -", blocks="<foo-1.1!softblock-1"),
    "a1-buildpkg-gpkg": Says("liba-1.1 tool-a-1 lang-3.12.1 libb-1.1-r1 virtual/tool-1 foo-1.1", "N N N N N N"),
    "b1-getbinpkgonly-pretend": Says("liba-1.1+1 lang-3.12.1+1 libb-1.1-r1+1 foo-1.1+1", "Ng Ng Ng Ng"),
    "b10-two-build-ids": Says("foo-1.1+1 foo-1.1+1", "Rg Rg"),
    "b3-getbinpkgonly-fail-unsigned": Says(BINARIES, "Ng Ng Ng", told="other other failed"),
    "b4-getbinpkg-fallback-to-source": Says(
        "liba-1.1+1 lang-3.12.1+1 sleeper-1 libb-1.1-r1+1 foo-1.1+1", "Ng Ng N Ng Ng"
    ),
    "b6-getbinpkgonly-run": Says(BINARIES, "Ng Ng Ng"),
    "b9-mixed-xpak-gpkg": Says("liba-1.0+2<1.1 lang-3.12.1+1", "gUD Ng"),
    "c3-signed-install": Says("tool-a-1+2", "Ng", told="other"),
    "c4-signed-deps-unsigned": Says(BINARIES, "Ng Ng Ng", told="other other failed"),
    "d2-fail-truncated": Says("liba-1.1+1", "Ng", told="other failed"),
    "d3-fail-404": Says("liba-1.1+1", "Ng", told="failed"),
    "d5-fail-binhost-down": Says("liba-1.1+1 lang-3.12.1+1", "Ng Ng", told="binhost missing binhost binhost"),
    "e3-stale-gz": Says("lang-3.12.1+1 virtual/tool-1+1", "Ng Ng"),
    "e4-stale-gz-plain-changed-only": Says("lang-3.12.1+1 virtual/tool-1+1", "Ng Ng"),
    "e6-old-mtime": Says("virtual/tool-1+1", "Ng", told="missing"),
    "f1-api-graph": Says("broken-1 tool-a-1 tool-b-1", "N N N", blocks=TOOLS, told="missing blocked"),
    "g1-buildpkgonly-missing-deps": Says(FIVE, "N N N N N", told="other"),
    "g12-sandbox-features-without-caps": Says("tool-a-1", "N"),
    "g2-buildpkgonly-leaf": Says("lang-3.12.1", "N"),
    "h1-err-slot-conflict": Says("liba-1.1<1.0 needsoldliba-1 needsnewliba-1", "U N N", told="slot-conflict"),
    "h5-local-binary-usepkg": Says("lang-3.12.1+1", "N"),
    "r01-forced-removed-expanded": Says(
        "forced-1 expand-1 removed-2<1 multi-3.5<3 gtk+-2.0_rc1-r3 inter-1 nofetch-1", "N N U U N IN Nf"
    ),
    "r02-columns-update": Says("forced-1 expand-1 removed-2<1 multi-3.5<3", "N N U U"),
    "r03-columns-quiet-update": Says("removed-2<1 multi-3.5<3 gtk+-2.0_rc1-r3 inter-1 dev-util/tool-1", "U U N IN R"),
    "r04-tree-uninstall": Says(
        "shown:blk-1 gone:removed-1 blk-1 shown:blkold-1 gone:gonepkg-1 blkold-1",
        "- - N - - N",
        blocks="<removed-2!blk-1 gonepkg!blkold-1",
    ),
    "r05-quiet-uninstall": Says(
        "blkold-1 gone:gonepkg-1 blk-1 gone:removed-1", "N - N -", blocks="gonepkg!blkold-1 <removed-2!blk-1"
    ),
    "r06-columns-quiet-hard-block": Says(
        "tool-a-1 tool-b-1", "N N", blocks="tool-a!!tool-b-1 tool-b!!tool-a-1", told="blocked"
    ),
    "r07-autounmask-keyword-mask-license": Says(
        "masked-1 licensed-1 tilde-1 deptilde-1 deplic-1 depmasked-1",
        "N# N N~ N N N",
        told="needs-change needs-change needs-change",
    ),
    "r08-no-keyword": Says("nokw-1", "N*", told="needs-change"),
    "r09-quiet-tree": Says(
        "needsall-1 inter-1 gtk+-2.0_rc1-r3 expand-1 forced-1",
        "N IN N N N",
        edges="needsall-1>inter-1 needsall-1>gtk+-2.0_rc1-r3 needsall-1>expand-1 needsall-1>forced-1",
    ),
    "r10-colour-tree": Says(
        "foo-1.1 virtual/tool-1 tool-a-1 libb-1.1-r1 liba-1.1",
        "N N N N N",
        edges="foo-1.1>virtual/tool-1 virtual/tool-1>tool-a-1 foo-1.1>libb-1.1-r1 libb-1.1-r1>liba-1.1",
    ),
    "r11-unordered-tree": Says(
        "foo-1.1 liba-1.1 libb-1.1-r1 virtual/tool-1 tool-a-1",
        "N N N N N",
        edges="foo-1.1>liba-1.1 foo-1.1>libb-1.1-r1 foo-1.1>virtual/tool-1 virtual/tool-1>tool-a-1",
    ),
    "r12-alphabetical": Says("forced-1 removed-2<1", "N U"),
    "r14-new-slot-beside-two": Says("multi-3.5<1,2", "NS"),
    "r15-root": Says(
        "forced-1 expand-1 gtk+-2.0_rc1-r3 9base-1_p2 inter-1 removed-2 multi-3.5 "
        "forced-1 expand-1 gtk+-2.0_rc1-r3 inter-1 multi-3.5<1,2 needsall-1",
        "N N N N IN N N N N N IN NS N",
    ),
    "r16-root-columns": Says("multi-3.5 expand-1", "N N"),
    "r17-root-columns-quiet": Says("multi-3.5 expand-1", "N N"),
    "r18-quiet-repo-display": Says("multi-3.6<3 removed-2<1 dev-util/tool-1", "U U R"),
    "r19-other-repository": Says("multi-3.6<3 removed-2<1", "U U"),
}

NO_LISTS = {
    "10-err-masked": "masked",
    "11-err-keyword": "masked",
    "13-err-license": "masked",
    "14-err-missing-dep": "missing",
    "16-err-similar-name": "missing",
    "17-err-ambiguous": "missing",
    "19-err-required-use": "unresolved required-use",
    "25-err-needs-testing-default": "masked",
    "28-err-autounmask-n": "missing",
    "31-build-log-foo-quiet": "",
    "32-build-quiet-build": "",
    "50-installed-subslot-rebuild-only": "skipped",
    "59-unmerge-pretend": "",
    "60-depclean-pretend": "",
    "65-world-nothing": "",
    "66-world-nothing-run": "",
    "84-fail-compile-quiet-build": "failed failed failed",
    "86-fail-quiet-fail": "failed failed",
    "89-fail-compile-log": "failed",
    "90-fail-tmpdir-unwritable-traceback": "failed",
    "92-nothing-to-merge-ask": "other",
    "95-stdout-only-of-a-failing-pretend": "",
    "96-stderr-only-of-a-good-pretend": "masked",
    "a2-fail-package-phase-no-gtar": "failed failed failed",
    "b7-second-root": "",
    "c1-fail-signing-without-trusted-key": "failed other",
    "e1-install-from-api-made-index": "",
    "g10-pidsandbox-sigkill": "",
    "g4-sigterm": "",
    "g5-sigint": "",
    "g7-sigterm-group": "",
    "g8-sigkill-group": "",
    "h2-config-file-needs-updating": "",
    "h4-depclean-run": "other",
    "h7-emerge-info": "",
    "o1-rc-service-without-init": "other",
    "o3-openrc-init-pid1": "other",
    "r20-no-such-set": "missing",
    "r21-invalid-atom": "invalid",
    "r22-no-binary": "missing",
}
"""What emerge told where it made no list."""

NOT_OF_EMERGE = {"89-fail-compile-log", "h7-emerge-info", "o1-rc-service-without-init", "o3-openrc-init-pid1"}
"""A log, a description of a machine, services: nobody should hand these in."""

DETAILS = {
    "01-pv-new": (
        "liba 0/1 gentoo -debug nls -static-libs",
        "foo 0 gentoo -doc -extra lang_targets_lang3_11 -lang_targets_lang3_12 nls -ssl",
    ),
    "02-pv-new-quiet": ("liba ? ? -debug nls -static-libs",),
    "04-pv-new-columns": ("liba 0/1 gentoo -debug nls -static-libs", "libb 0 gentoo -ssl"),
    "08-p-columns-quiet": ("foo ? ?",),
    "42-world-update-plain": ("foo ? ? -extra",),
    "45-world-update-color-y": ("foo 0 gentoo -doc -extra lang_targets_lang3_11 -lang_targets_lang3_12 nls -ssl",),
    "47-world-use-changes-changed-use-only": (
        "foo 0 gentoo doc -extra lang_targets_lang3_11 -lang_targets_lang3_12 nls ssl",
    ),
    "57-overlay-repo": ("libb 0 swarmlocal ssl", "liba 0/2 gentoo -debug nls -static-libs", "lang 3.11 gentoo"),
    "77-world-newuse-reinstall-plain": ("liba ? ? debug",),
    "93-softblock-uninstall": ("foo 0 gentoo doc lang_targets_lang3_11 -lang_targets_lang3_12 nls ssl",),
    "b1-getbinpkgonly-pretend": ("lang 3.12 gentoo", "libb 0 gentoo -ssl"),
    "r01-forced-removed-expanded": (
        "forced 0 gentoo def -off on",
        "expand 0 gentoo -abi_x86_32 abi_x86_64 python_targets_python3_11 -python_targets_python3_12 -ssl",
        "removed 0 gentoo forcednew -fresh fresh2 -kept",
        "multi 3/3.5 gentoo",
    ),
    "r12-alphabetical": ("removed 0 gentoo forcednew -fresh fresh2 -kept",),
    "r16-root-columns": ("multi 3/3.5 gentoo",),
    "r18-quiet-repo-display": ("multi 3/3.6 ?", "removed ? ? forcednew -fresh fresh2 -kept"),
    "r19-other-repository": ("multi 3/3.6 swarmlocal", "removed 0 swarmlocal forcednew -fresh fresh2 -kept"),
}
"""Name, slot, repository (? where the text does not say) and USE flags of some packages."""

HOME = {name: f"{category}/{name}" for category, names in CATEGORIES.items() for name in names.split()}


def text_of(sample: str) -> str:
    return (SAMPLES / f"{sample}.txt").read_text()


def listing_of(sample: str) -> Listing:
    return read_listing(text_of(sample))


def short(cpv: str) -> str:
    """As the table has it: without the category, where the name alone says which it is."""
    category, _, rest = cpv.partition("/")
    return next((rest for name, cp in HOME.items() if rest.startswith(name) and cp.startswith(category)), cpv)


def entry_of(entry: Listed) -> str:
    prefix = {"uninstall": "gone:", "nomerge": "shown:"}.get(entry.kind, "")
    build = f"+{entry.build_id}" if entry.kind == "binary" else ""
    installed = ",".join(old.version for old in entry.installed)
    return f"{prefix}{short(entry.package.cpv)}{build}" + (f"<{installed}" if installed else "")


def test_every_sample_is_in_a_table() -> None:
    assert LISTS.keys() | NO_LISTS.keys() == {file.stem for file in SAMPLES.glob("*.txt")}
    assert not LISTS.keys() & NO_LISTS.keys()


@pytest.mark.parametrize(("sample", "says"), LISTS.items(), ids=list(LISTS))
def test_a_list_is_read_as_a_person_reads_it(sample: str, says: Says) -> None:
    listing = listing_of(sample)

    assert [entry_of(entry) for entry in listing.entries] == says.entries.split()
    assert [entry.flags or "-" for entry in listing.entries] == says.flags.split()
    assert [f"{short(edge.parent)}>{short(edge.dependency)}" for edge in listing.edges] == says.edges.split()
    assert [
        f"{block.atom.operator}{short(str(block.atom).lstrip('<'))}{'!!' if block.hard else '!'}{short(block.by[0])}"
        for block in listing.blocks
    ] == says.blocks.split()
    assert [message.kind for message in listing.messages] == says.told.split()
    assert listing.problems == ()


@pytest.mark.parametrize(("sample", "details"), DETAILS.items(), ids=list(DETAILS))
def test_slots_repositories_and_flags_are_those_of_the_text(sample: str, details: tuple[str, ...]) -> None:
    packages = {entry.package.name: entry.package for entry in listing_of(sample).entries}
    names = [detail.split()[0] for detail in details]
    read = [(packages[name].slot or "?", packages[name].repository or "?", packages[name].use) for name in names]

    assert [
        " ".join([name, slot, repository, *use]) for name, (slot, repository, use) in zip(names, read, strict=True)
    ] == [*details]


@pytest.mark.parametrize("sample", ["r15-root", "r16-root-columns", "r17-root-columns-quiet"])
def test_what_goes_to_another_root_says_so(sample: str) -> None:
    lines = text_of(sample).split("\n")
    roots = {entry.line: entry.root for entry in listing_of(sample).entries}

    assert roots
    assert roots == {line: "/second/" if " to /second/" in lines[line - 1] else "/" for line in roots}


@pytest.mark.parametrize(("sample", "told"), NO_LISTS.items(), ids=list(NO_LISTS))
def test_what_has_no_list_has_no_entries_and_no_problems(sample: str, told: str) -> None:
    listing = listing_of(sample)

    assert [message.kind for message in listing.messages] == told.split()
    assert (listing.entries, listing.blocks, listing.edges, listing.problems) == ((), (), (), ())


@pytest.mark.parametrize("sample", LISTS)
def test_every_line_that_a_person_would_take_for_an_entry_is_one(sample: str) -> None:
    """Counted without our patterns: brackets at the beginning of the line."""
    kinds = (
        "[ebuild ",
        "[binary ",
        "[blocks ",
        "[nomerge ",
        "[uninstall ",
        "[[32mebuild",
        "[[32;01mebuild",
        "[[31;01mblocks",
    )
    lines = [line.replace("\x1b", "") for line in text_of(sample).split("\n")]
    seen = {number for number, line in enumerate(lines, 1) if line.startswith(kinds)}
    listing = listing_of(sample)
    read = {entry.line for entry in listing.entries} | {block.line for block in listing.blocks}

    assert read == seen or "columns-quiet" in sample


@pytest.mark.parametrize("sample", sorted((LISTS.keys() | NO_LISTS.keys()) - NOT_OF_EMERGE))
def test_what_emerge_printed_is_known_as_a_listing(sample: str) -> None:
    assert form_of(text_of(sample)) == "listing"


@pytest.mark.parametrize("sample", sorted(NOT_OF_EMERGE))
def test_what_emerge_did_not_print_is_refused_with_its_first_line(sample: str) -> None:
    with pytest.raises(Terminal, match="neither") as refused:
        form_of(text_of(sample), "world.txt")

    assert refused.value.code == "E-PACKAGES"
    assert str(refused.value.at) == "world.txt:2:1"

"""packages/NAME.yaml: what it becomes, and what is refused with its line and what to write instead."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.core.assemble import HostSide, assemble
from reconciler.core.manifest.schema import json_schema
from reconciler.core.packages.sets import load_set, load_sets
from reconciler.core.trees import Content, MemoryTree, Symlink
from reconciler.core.validate import Checked, validate_tree
from reconciler.errors import BadConfiguration
from reconciler.model.package import Atom
from reconciler.model.sets import Packages, PackageSet
from tests.support.cli import run

FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {a: {connect: local, checkout: /opt/a, labels: {site: x}}}\n"
SET = """
    apiVersion: reconciler/v1
    kind: PackageSet
    name: desk
    profile: znver3
    atoms:
      - app-editors/neovim
      - "=sys-libs/glibc-2.39*"
      - dev-lang/python:3.12[sqlite,-tk]
    use:
      media-video/ffmpeg: "+vaapi -x265"
      "=dev-vcs/git-2.47.0": perl
    """


def tree(text: str = SET, more: Mapping[str, Content] | None = None) -> MemoryTree:
    files: dict[str, Content] = {"manifests/fleet.yaml": FLEET, "manifests/packages/desk.yaml": textwrap.dedent(text)}
    return MemoryTree({**files, **{f"manifests/{path}": content for path, content in (more or {}).items()}})


def found(text: str = SET) -> PackageSet:
    return load_set(tree(text), "manifests", "desk")


def problem(text: str) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        found(text)
    return caught.value


def validated(more: Mapping[str, Content]) -> Checked:
    return validate_tree(tree(more=more), "manifests", lambda _stack: {}, with_host_files=False)


def test_a_set_becomes_atoms_and_lines_of_package_use() -> None:
    made = found()

    assert (made.name, made.profile, made.file) == ("desk", "znver3", "manifests/packages/desk.yaml")
    assert made.atoms == (
        Atom("app-editors", "neovim"),
        Atom("sys-libs", "glibc", "=*", "2.39"),
        Atom("dev-lang", "python", slot="3.12", use=("sqlite", "-tk")),
    )
    assert [atom.line for atom in made.atoms] == [7, 8, 9]
    assert made.use == {"media-video/ffmpeg": ("vaapi", "-x265"), "=dev-vcs/git-2.47.0": ("perl",)}


def test_without_a_profile_it_is_that_of_drones_that_name_none() -> None:
    assert found("kind: PackageSet\nname: desk\natoms: [a/b]\n") == PackageSet(
        "desk", "default", (Atom("a", "b"),), {}, "manifests/packages/desk.yaml"
    )


HEAD = "kind: PackageSet\nname: desk\n"


@pytest.mark.parametrize(
    ("text", "code", "at", "says"),
    [
        (HEAD + "atom: [a/b]\n", "E-MANIFEST-KEY", "3:1", "did you mean 'atoms'?"),
        (HEAD + "atoms: [a/b]\nproflie: x\n", "E-MANIFEST-KEY", "4:1", "did you mean 'profile'?"),
        (HEAD, "E-MANIFEST-VALUE", "1:1", "atoms is missing"),
        (HEAD + "atoms: []\n", "E-MANIFEST-VALUE", "3:1", "atoms"),
        (HEAD + "atoms: a/b\n", "E-MANIFEST-VALUE", "3:1", "list"),
        (HEAD.replace("desk", "other") + "atoms: [a/b]\n", "E-MANIFEST-VALUE", "2:7", "desk.yaml"),
        (HEAD.replace("PackageSet", "Packages") + "atoms: [a/b]\n", "E-MANIFEST-VALUE", "1:1", "'PackageSet'"),
        (HEAD + "apiVersion: v1\natoms: [a/b]\n", "E-MANIFEST-VALUE", "3:1", "reconciler/v1"),
        (HEAD + "profile: a/b\natoms: [a/b]\n", "E-MANIFEST-VALUE", "3:1", "profile"),
        (HEAD + "atoms:\n  - a/b\n  - neovim\n", "E-MANIFEST-VALUE", "5:5", "its category is missing"),
        (HEAD + "atoms: ['@world']\n", "E-MANIFEST-VALUE", "3:9", "a set"),
        (HEAD + "atoms: ['!a/b']\n", "E-MANIFEST-VALUE", "3:9", "a blocker"),
        (HEAD + "atoms: ['>=a/b']\n", "E-MANIFEST-VALUE", "3:9", "needs a version"),
        (HEAD + "atoms: ['a/b:=']\n", "E-MANIFEST-VALUE", "3:9", "within an ebuild only"),
        (HEAD + "atoms: ['a/b; rm -rf /']\n", "E-MANIFEST-VALUE", "3:9", "is no atom"),
        (HEAD + "atoms:\n  - a/b-1\n  - =a/b-1\n", "E-MANIFEST-VALUE", "5:5", "line 4 already"),
        (HEAD + "atoms: [a/b]\nuse: {a/b: '++x'}\n", "E-MANIFEST-VALUE", "4:7", "use.a/b"),
        (HEAD + "atoms: [a/b]\nuse: {a/b: ''}\n", "E-MANIFEST-VALUE", "4:7", "use.a/b"),
        (HEAD + "atoms: [a/b]\nuse: {a/b: [x]}\n", "E-MANIFEST-VALUE", "4:7", "use.a/b"),
        (HEAD + "atoms: [a/b]\nuse: {ffmpeg: x}\n", "E-MANIFEST-VALUE", "4:7", "category is missing"),
        (HEAD + "atoms: [a/b]\nuse: {'a/b[x]': x}\n", "E-MANIFEST-VALUE", "4:7", "brackets"),
        (HEAD + "atoms: [a/b]\nuse: {a/b: x -x}\n", "E-MANIFEST-VALUE", "4:7", "both on and off"),
        (HEAD + "atoms: [a/b]\nuse: {a/c-1: x, =a/c-1: y}\n", "E-MANIFEST-VALUE", "4:17", "the same package as a/c-1"),
        (HEAD + "atoms: ['a/b[x]']\nuse: {a/b: -x}\n", "E-MANIFEST-VALUE", "3:9", "use.a/b says -x"),
        (HEAD + "atoms: ['=a/b-1[-x(+)]']\nuse: {=a/b-1: x}\n", "E-MANIFEST-VALUE", "3:9", "use.=a/b-1 says x"),
        ("- a/b\n", "E-MANIFEST-VALUE", "1:1", "mapping"),
        ("kind: [\n", "E-YAML-SYNTAX", "2:1", "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_a_way_out(text: str, code: str, at: str, says: str) -> None:
    error = problem(text)

    assert error.code == code
    assert str(error.at) == f"manifests/packages/desk.yaml:{at}"
    assert says in f"{error.what} {error.why}"
    assert error.next or code == "E-YAML-SYNTAX"


def test_a_set_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(BadConfiguration) as caught:
        load_set(tree(), "manifests", "dekk")

    assert caught.value.code == "E-MANIFEST-SET"
    assert "did you mean 'desk'?" in caught.value.why


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        ("packages/more.yml", "kind: PackageSet\n", "a set ends in .yaml"),
        ("packages/more/x.yaml", "kind: PackageSet\n", "is a folder"),
        ("packages/link.yaml", Symlink("desk.yaml"), "it is a symlink"),
        ("packages/deep.yaml/x", "", "it is a directory"),
    ],
)
def test_what_somebody_may_take_for_a_set_is_not_passed_over(path: str, content: Content, says: str) -> None:
    sets, problems = load_sets(tree(more={path: content}), "manifests")

    assert [each.name for each in sets] == ["desk"]
    assert [says in f"{problem.what} {getattr(problem, 'why', '')}" for problem in problems] == [True]


def test_words_beside_the_sets_are_nobodys_business() -> None:
    assert load_sets(tree(more={"packages/README.md": "words"}), "manifests")[1] == ()


# ---- as a part of the fleet


def test_a_bad_set_is_a_bad_revision_and_every_mistake_is_told_once() -> None:
    checked = validated({"packages/bad.yaml": "kind: PackageSet\n", "packages/worse.yaml": "atoms: []\n"})

    told = [(str(problem.at).partition(":")[0], problem.what.partition(" ")[0]) for problem in checked.problems]
    assert sorted(told) == [
        ("manifests/packages/bad.yaml", "atoms"),
        ("manifests/packages/bad.yaml", "name"),
        ("manifests/packages/worse.yaml", "atoms:"),
        ("manifests/packages/worse.yaml", "kind"),
        ("manifests/packages/worse.yaml", "name"),
    ]
    assert checked.sets == {"desk": ("app-editors/neovim", "=sys-libs/glibc-2.39*", "dev-lang/python:3.12[sqlite,-tk]")}


def test_every_line_of_a_set_that_is_no_good_is_told() -> None:
    text = f"{HEAD}atoms:\n  - a/b\n  - '@world'\n  - foo\nuse:\n  foo; rm: x\n  a/b: x -x\n"

    problems = load_sets(tree(text), "manifests")[1]

    assert [problem.at.line for problem in problems if problem.at] == [5, 6, 8, 9]


def test_the_command_names_each_mistake_and_what_is_well(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "packages/desk.yaml").write_text(f"{HEAD}atoms: [a/b, nonsense, '!x/y']\n")
    (tmp_path / "packages/well.yaml").write_text("kind: PackageSet\nname: well\natoms: [a/b]\n")

    wrong = run("validate", tmp_path, "--json")
    (tmp_path / "packages/desk.yaml").write_text(f"{HEAD}atoms: [a/b]\n")
    right = run("validate", tmp_path, "--json")

    places = [(problem["at"]["line"], problem["at"]["column"]) for problem in wrong.answer["data"]["problems"]]
    assert (wrong.code, places) == (78, [(3, 14), (3, 24)])
    assert (right.code, right.answer["data"]["sets"]) == (0, {"desk": ["a/b"], "well": ["a/b"]})


def test_editors_get_a_schema() -> None:
    schema = json_schema("packages")

    assert schema["$id"] == "urn:reconciler:v1:packages"
    assert set(schema["required"]) == {"kind", "name", "atoms"}
    assert set(schema["properties"]) == {"apiVersion", "kind", "name", "profile", "atoms", "use"}
    assert run("schema", "packages", "--json").answer["data"] == schema


def test_a_set_is_read_with_the_revision_and_a_change_of_it_is_one_of_manifests() -> None:
    side = HostSide("a", lambda _stack: {}, lambda stack: stack)
    desired = assemble(tree(), "manifests", side, revision="1" * 40, owner="").or_raise().desired

    assert desired.packages == Packages((found(),))
    assert "manifests/packages/desk.yaml" in desired.reads
    empty = MemoryTree({"manifests/fleet.yaml": FLEET})
    assert assemble(empty, "manifests", side, revision="1" * 40, owner="").desired.packages is None


MORE = "orchestrators: {o: {url: 'http://10.0.0.1:8080/'}, p: {url: 'http://10.0.0.2:8080'}}\n"


@pytest.mark.parametrize(
    ("fleet", "orchestrator", "elsewhere"),
    [
        ("", "", False),
        (MORE + "sites: {x: {orchestrator: o}, y: {orchestrator: p}}\n", "http://10.0.0.1:8080", False),
        (MORE + "sites: {x: {}, y: {orchestrator: p}}\n", "", True),
        (MORE, "", False),
        ("orchestrators: {o: {url: 'http://10.0.0.1:8080'}}\n", "http://10.0.0.1:8080", False),
    ],
)
def test_the_site_of_a_host_says_who_builds_for_it(fleet: str, orchestrator: str, elsewhere: bool) -> None:
    side = HostSide("a", lambda _stack: {}, lambda stack: stack)
    made = assemble(tree(more={"fleet.yaml": FLEET + fleet}), "manifests", side, revision="1" * 40, owner="").or_raise()

    wanted = made.desired.packages
    assert wanted is not None
    assert (wanted.orchestrator, wanted.elsewhere) == (orchestrator, elsewhere)


def test_a_profile_that_no_drone_builds_for_is_warned_of() -> None:
    drones = "drones: {d: {profile: znver4}, e: {}}\n"

    warnings = validated({"fleet.yaml": FLEET + drones}).warnings

    (told,) = [warning for warning in warnings if "desk.yaml" in warning]
    assert "znver3" in told and "default, znver4" in told and "did you mean 'znver4'?" in told
    assert not any("desk.yaml" in each for each in validated({"fleet.yaml": FLEET}).warnings)


def test_the_binhost_of_the_fleet_is_read() -> None:
    side = HostSide("a", lambda _stack: {}, lambda stack: stack)
    gateway = FLEET + "gateway: {url: 'http://10.0.0.1', binhost: 'http://10.0.0.2/'}\n"
    made = assemble(tree(more={"fleet.yaml": gateway}), "manifests", side, revision="1" * 40, owner="").or_raise()

    assert made.desired.packages is not None
    assert made.desired.packages.binhost == "http://10.0.0.2"

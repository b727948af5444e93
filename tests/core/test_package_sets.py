"""Package sets of the manifests: read strictly, each mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.adapters.directory_tree import DirectoryTree
from reconciler.core.manifest.schema import json_schema
from reconciler.core.package_sets import load_set, set_names
from reconciler.errors import BadConfiguration
from reconciler.swarm.sets import problems_of
from tests.support.cli import ROOT, run

SET = "kind: PackageSet\nname: tools\n"


def write(folder: Path, text: str, name: str = "tools") -> DirectoryTree:
    (folder / "packages").mkdir(exist_ok=True)
    (folder / "packages" / f"{name}.yaml").write_text(text)
    return DirectoryTree(folder)


def test_a_set_is_a_name_a_profile_atoms_and_flags(tmp_path: Path) -> None:
    atoms = 'atoms: [app-misc/foo, "=dev-libs/bar-2*"]\nuse: {app-misc/foo: "+nls  -doc x"}\n'
    tree = write(tmp_path, f"apiVersion: reconciler/v1\n{SET}profile: znver3\n{atoms}")

    found = load_set(tree, "", "tools")

    assert (found.name, found.profile, found.atoms) == ("tools", "znver3", ("app-misc/foo", "=dev-libs/bar-2*"))
    assert dict(found.use) == {"app-misc/foo": ("nls", "-doc", "x")}
    assert list(problems_of(found)) == []
    assert set_names(tree, "") == ("tools",)
    assert load_set(write(tmp_path, f"{SET}atoms: [a/b]\n"), "", "tools").profile == "default"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("- a/b\n", 1, "mapping"),
        (f"{SET}", 1, "atoms is missing"),
        (f"{SET}atoms: []\n", 3, "atoms"),
        (f"{SET}atom: [a/b]\n", 3, "unknown key 'atom'"),
        (f"{SET}atoms: a/b\n", 3, "atoms"),
        (f"{SET}atoms: [a/b]\nprofile: ../x\n", 4, "profile"),
        (f"{SET}atoms: [a/b]\nuse: {{a/b: '!x'}}\n", 4, "use.a/b"),
        ("kind: Set\nname: tools\natoms: [a/b]\n", 1, "kind"),
        ("kind: PackageSet\nname: others\natoms: [a/b]\n", 2, "'others'"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, says: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load_set(write(tmp_path, text), "", "tools")

    assert says in caught.value.what
    assert caught.value.at is not None
    assert (caught.value.at.file, caught.value.at.line) == ("packages/tools.yaml", line)


def test_what_is_no_atom_is_told_each_with_its_line(tmp_path: Path) -> None:
    text = f"{SET}atoms:\n- app-misc/foo\n- '@world'\n- foo\nuse:\n  foo; rm: x\n"

    problems = list(problems_of(load_set(write(tmp_path, text), "", "tools")))

    assert [problem.at.line for problem in problems if problem.at] == [5, 6, 8]
    assert all(problem.why for problem in problems)


def test_validate_looks_at_sets_too(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text((ROOT / "manifests/fleet.yaml").read_text())
    (tmp_path / "stacks").mkdir()
    write(tmp_path, f"{SET}atoms: [a/b, nonsense]\n")
    write(tmp_path, "kind: PackageSet\nname: well\natoms: [a/b]\n", "well")

    wrong = run("validate", tmp_path, "--json")
    write(tmp_path, f"{SET}atoms: [a/b]\n")
    right = run("validate", tmp_path, "--json")

    assert (wrong.code, [problem["at"]["line"] for problem in wrong.answer["data"]["problems"]]) == (78, [3])
    assert (right.code, right.answer["data"]["sets"]) == (0, {"tools": ["a/b"], "well": ["a/b"]})


def test_editors_get_a_schema() -> None:
    schema = json_schema("packages")

    assert schema["$id"] == "urn:reconciler:v1:packages"
    assert set(schema["required"]) == {"kind", "name", "atoms"}

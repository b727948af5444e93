"""A project that `reconciler init` cannot take over: what is said of it, and how it comes in afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.lived_in import Machine, three_projects

ALL = ("--allow-host-mounts", "all-in-use", "--allow-privileged", "all-in-use")
WRONG = """\
    services:
      model:
        image: model
        imag: oops
        blkio_confg: {weight: 3}
"""


@pytest.fixture
def stopped(tmp_path: Path) -> Machine:
    """A machine without an engine; gpu, which cannot be taken, and web lie in their folders."""
    made = Machine(tmp_path)
    made.write({"gpu/compose.yaml": WRONG, "web/compose.yaml": "services: {page: {image: page}}\n"})
    return made


@pytest.mark.engine
def test_a_broken_file_is_shown_with_its_line_and_the_others_go_on(engine: Engine, tmp_path: Path) -> None:
    machine = three_projects(tmp_path, engine)
    broken = machine.home / "srv/blog/compose.yaml"
    broken.write_text(broken.read_text() + "    imag: oops\n")

    strict = machine.init(*ALL, "--strict", "--json")
    done = machine.init(*ALL, "--json")

    assert strict.error["code"] == "E-COMPOSE-KEY"
    assert done.code == 0, done.err
    (left_out,) = done.answer["data"]["left_out"]
    assert left_out["name"] == "blog"
    assert left_out["error"]["at"] == {"file": str(broken), "line": 7, "column": 5}
    assert [p["name"] for p in done.answer["data"]["projects"]] == ["media", "proxy"]
    assert "manifests/stacks/blog/compose.yaml" not in machine.files()


def test_each_mistake_is_shown_and_how_it_comes_in_later(stopped: Machine) -> None:
    file = stopped.home / "gpu/compose.yaml"

    done = stopped.init(*ALL, "--include-stopped")

    assert done.code == 0, done.err
    assert "gpu: left out for 2 mistakes:\n" in done.out
    assert f"  {file}:4:5: " in done.out
    assert f"  {file}:5:5: " in done.out
    assert "names all" not in done.out
    later = done.out.partition("Later, to bring gpu in")[2]
    assert f"copy {file} to manifests/stacks/gpu/compose.yaml of the repository" in later
    assert f"`gpu: {stopped.home}/gpu`" in later


def test_a_strict_run_says_who_names_the_others(stopped: Machine) -> None:
    done = stopped.init(*ALL, "--include-stopped", "--strict", "--json")

    assert done.code == 78
    assert done.error["next"].endswith("and 1 more mistake: reconciler init --dry-run without --strict names all")
    data = stopped.init(*ALL, "--include-stopped", "--dry-run", "--json").answer["data"]
    assert [m["at"]["line"] for m in data["left_out"][0]["mistakes"]] == [4, 5]


def test_what_the_way_in_says_is_enough(stopped: Machine, tmp_path: Path) -> None:
    assert stopped.init(*ALL, "--include-stopped").code == 0
    clone = tmp_path / "clone"
    stopped.git("clone", "--quiet", str(stopped.repository), str(clone))
    (clone / "manifests/stacks/gpu").mkdir()
    (clone / "manifests/stacks/gpu/compose.yaml").write_text("services: {model: {image: model}}\n")
    fleet = clone / "manifests/fleet.yaml"
    web = f"web: {stopped.home}/web\n"
    fleet.write_text(fleet.read_text().replace(web, f"{web}      gpu: {stopped.home}/gpu\n"))

    checked = stopped.run("validate", clone / "manifests")

    assert checked.code == 0, checked.err + checked.out
    assert "gpu" in checked.out


def test_force_for_a_project_that_the_fleet_lacks_says_that_it_adds_nothing(stopped: Machine) -> None:
    assert stopped.init(*ALL, "--include-stopped").code == 0
    before = stopped.config.read_text()

    done = stopped.init(*ALL, "--force", "--project", "gpu", "--json")
    known = stopped.init(*ALL, "--force", "--project", "web")

    assert (done.code, done.error["code"]) == (1, "E-INIT-PROJECT")
    assert "manifests/stacks/gpu/compose.yaml" in done.error["next"]
    assert known.code == 0, known.err
    assert stopped.config.read_text() == before

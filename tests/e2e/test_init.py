"""`reconciler init` on a machine that runs Compose projects already: nothing is touched, and no file needs an edit."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support.composed import Version
from tests.support.engine import Engine
from tests.support.gitremote import Remote
from tests.support.lived_in import HANG_UP, NAME, Machine, odd_projects, three_projects

pytestmark = pytest.mark.engine

ALL = ("--allow-host-mounts", "all-in-use", "--allow-privileged", "all-in-use")


@pytest.fixture
def machine(tmp_path: Path, engine: Engine) -> Machine:
    return three_projects(tmp_path, engine)


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    """A machine without an engine, and without a project."""
    made = Machine(tmp_path)
    made.home.mkdir()
    return made


def running(engine: Engine) -> list[str]:
    return sorted(engine.cli("ps", "-q", "--no-trunc").split())


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_init_doctor_plan_and_converge_need_no_edit_and_restart_nothing(
    engine: Engine, tmp_path: Path, version: Version
) -> None:
    machine = three_projects(tmp_path, engine, version)
    before = running(engine)

    done = machine.init(*ALL)

    assert done.code == 0, done.err
    assert machine.files() == [
        "manifests/fleet.yaml",
        "manifests/stacks/blog/compose.yaml",
        "manifests/stacks/media/compose.override.yaml",
        "manifests/stacks/media/compose.yaml",
        "manifests/stacks/proxy/compose.yaml",
    ]
    source = (machine.home / "ana/media/docker-compose.yml").read_text()
    assert machine.git("show", "main:manifests/stacks/media/compose.yaml") == source
    fleet = yaml.safe_load(machine.git("show", "main:manifests/fleet.yaml"))
    assert fleet["hosts"] == {
        NAME: {
            "connect": "local",
            "checkout": str(machine.checkout),
            "directories": {
                "blog": str(machine.home / "srv/blog"),
                "media": str(machine.home / "ana/media"),
                "proxy": str(machine.home / "proxy"),
            },
        }
    }
    env = machine.config.parent / "env" / "media"
    assert {p.name: p.read_text() for p in env.iterdir()} == {
        ".env": "TAG=1\n",
        "player.env": "TOKEN=hush-hush-value\n",
    }
    assert {p.stat().st_mode & 0o777 for p in env.iterdir()} == {0o600}
    assert env.stat().st_mode & 0o777 == 0o700

    clone = tmp_path / "clone"
    machine.git("clone", "--quiet", str(machine.repository), str(clone))
    checked = machine.run("validate", clone / "manifests", "--env", machine.config.parent / "env")
    assert checked.code == 0, checked.err + checked.out
    examined = machine.run("doctor")
    assert examined.code == 0, examined.out
    planned = machine.run("plan", "--json")
    assert planned.code == 0, planned.err + planned.out
    assert planned.answer["warnings"] == []
    steps = {f"{step['stack']}/{step['service']}": step["action"] for step in planned.answer["data"]["steps"]}
    assert steps == dict.fromkeys(("blog/web", "media/index", "media/player", "proxy/watch"), "adopt")

    done = machine.run("converge", "--yes", "--json")
    assert done.code == 0, done.err + done.out
    assert running(engine) == before


def test_projects_that_were_started_in_odd_ways_are_adopted_as_they_run(engine: Engine, tmp_path: Path) -> None:
    machine = odd_projects(tmp_path, engine)
    before = running(engine)

    done = machine.init(*ALL, "--json")

    assert done.code == 0, done.err
    assert done.answer["data"]["left_out"] == []
    assert sorted(p["name"] for p in done.answer["data"]["projects"]) == [
        "built", "extended", "here", "many", "mine", "switched", "valued",
    ]  # fmt: skip
    planned = machine.run("plan", "--json")
    assert planned.code == 0, planned.err + planned.out
    steps = planned.answer["data"]["steps"]
    unlike = {f"{s['stack']}/{s['service']}": s["reasons"] for s in steps if s["action"] != "adopt"}
    assert (len(steps), unlike) == (8, {})
    assert running(engine) == before
    assert "secret-of-prod" not in machine.git("log", "-p", "main")


def test_the_hosts_file_allows_just_what_runs(machine: Machine, engine: Engine) -> None:
    done = machine.init(*ALL, "--json")

    assert done.code == 0, done.err
    settings = tomllib.loads(machine.config.read_text())
    data = machine.home / "ana/media"
    assert settings["host"] == NAME
    assert settings["repository"] == {"url": f"file://{machine.repository}"}
    assert settings["docker"] == {"host": engine.url}
    assert settings["trust"]["allow_privileged"] == ["proxy"]
    assert sorted(settings["trust"]["allow_host_mounts"]) == sorted(
        [str(machine.checkout), str(data / "data"), str(data / "index.conf")]
    )
    assert done.answer["data"]["trust"]["refused"] == []
    assert done.answer["data"]["projects"][1]["hints"] == [str(data / "index.conf")]
    assert [p["name"] for p in done.answer["data"]["not_taken"]] == ["old"]


def test_no_value_of_an_env_file_gets_into_git_or_into_words(machine: Machine) -> None:
    done = machine.init(*ALL, "--dry-run")
    done = machine.init(*ALL) if done.code == 0 else done

    assert done.code == 0, done.err
    assert "hush-hush" not in done.out + done.err
    assert "hush-hush" not in machine.git("log", "-p", "main")


def test_a_dry_run_shows_everything_and_writes_nothing(machine: Machine) -> None:
    before = sorted(path for path in machine.folder.rglob("*"))

    done = machine.init(*ALL, "--dry-run")

    assert done.code == 0, done.err
    assert f"checkout: {machine.checkout}" in done.out
    assert 'allow_privileged = [\n    "proxy",\n]' in done.out
    assert f"(from {machine.home}/ana/media/docker-compose.yml)" in done.out
    assert sorted(path for path in machine.folder.rglob("*")) == before


def test_a_dry_run_that_nobody_can_answer_names_its_questions(machine: Machine) -> None:
    done = machine.init("--dry-run")
    data = machine.init("--dry-run", "--json").answer["data"]

    assert done.code == 0, done.err
    assert "  --allow-privileged proxy: proxy/watch sees every process" in done.out
    assert f"  --allow-host-mounts {machine.home}/ana/media/data: " in done.out
    assert 'allow_privileged = [\n    "proxy",\n]' in done.out
    assert "Would write:" in done.out
    assert len(data["questions"]) >= 2
    assert not machine.config.exists()
    assert "Would ask" not in machine.init("--dry-run", "--no-input").out


def test_without_a_terminal_what_nobody_allowed_is_an_error_that_names_the_flags(machine: Machine) -> None:
    done = machine.init("--json")

    assert done.code == 1
    error = done.error
    assert error["code"] == "E-INIT-TRUST"
    assert "--allow-privileged proxy: proxy/watch sees every process" in error["why"]
    assert f"--allow-host-mounts {machine.home}/ana/media/data" in error["why"]
    assert not machine.config.exists()
    assert not machine.repository.exists()


def test_what_is_not_allowed_is_refused_by_the_plan_and_said_before(machine: Machine) -> None:
    done = machine.init("--allow-host-mounts", "all-in-use", "--allow-privileged", "none")

    assert done.code == 0, done.err
    assert "not allowed: proxy/watch sees every process of the host" in done.out
    assert "allow_privileged = []" in machine.config.read_text()
    planned = machine.run("plan")
    assert "proxy/watch" in planned.err
    assert "E-GUARD-PRIVILEGED" in planned.err


def test_it_asks_a_person_item_by_item(machine: Machine) -> None:
    done = machine.at_a_terminal(
        ["init", "--search", machine.home],
        [
            (r"Name of this host \[[^]]*\]: ", "no name"),
            (r"Name of this host \[[^]]*\]: ", NAME),
            (r"Repository[^:]*: ", str(machine.repository)),
            (r"Where shall git's files lie[^:]*: ", str(machine.checkout)),
            (r"(?s)media .*proxy .*Take them all over\? \[Y/n\]: ", "n"),
            (r"Which ones\?[^:]*: ", "media, nobody"),
            (r"(?s)not among them: nobody.*Which ones\?[^:]*: ", "media, proxy"),
            (r"(?s)old .*Take these over too\?[^:]*: ", ""),
            (r"(?s)proxy/watch mounts .*as much as being root here\..*Allow it\?[^:]*: ", "yes"),
            (r"(?s)media/data is mounted by media/player.*Allow it\?[^:]*: ", "all"),
            (r"(?s)Would write:.*Write this\? \[Y/n\]: ", "y"),
        ],
    )

    assert done.code == 0, done.out
    assert "reconciler doctor" in done.out
    trust = tomllib.loads(machine.config.read_text())["trust"]
    assert trust["allow_privileged"] == ["proxy"]
    assert len(trust["allow_host_mounts"]) == 3
    assert "manifests/stacks/blog/compose.yaml" not in machine.files()


def test_a_no_at_the_end_writes_nothing(machine: Machine) -> None:
    done = machine.at_a_terminal(
        ["init", *machine.flags, "--repository", machine.repository, *ALL],
        [(r"Take them all over\?[^:]*: ", ""), (r"Take these over too\?[^:]*: ", ""), (r"Write this\?[^:]*: ", "n")],
    )

    assert done.code == 130, done.out
    assert not machine.config.exists()
    assert not machine.repository.exists()


def test_a_terminal_that_goes_away_in_the_middle_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "far")
    before = sorted(machine.folder.iterdir())

    done = machine.at_a_terminal(
        ["init", *machine.flags, "--repository", remote.url, *ALL], [(r"Take them all over\?[^:]*: ", HANG_UP)]
    )

    assert done.code == 130, done.out
    assert sorted(machine.folder.iterdir()) == before


def test_a_second_run_refuses_and_force_writes_only_its_own_file_anew(machine: Machine) -> None:
    assert machine.init(*ALL).code == 0
    head = machine.git("rev-parse", "main")

    again = machine.init(*ALL, "--json")
    assert (again.code, again.error["code"]) == (1, "E-INIT-EXISTS")
    assert str(machine.config) in again.error["what"]

    forced = machine.init(*ALL, "--force")
    assert forced.code == 0, forced.err
    assert "knows caroline already" in forced.out
    assert tomllib.loads(machine.config.read_text())["trust"]["allow_privileged"] == ["proxy"]
    assert machine.git("rev-parse", "main") == head

    machine.config.write_text('host = "mine"\n')
    by_hand = machine.init(*ALL, "--force", "--json")
    assert (by_hand.code, by_hand.error["code"]) == (1, "E-INIT-EXISTS")
    assert machine.config.read_text() == 'host = "mine"\n'


def test_force_keeps_what_people_wrote_into_the_file_since(bare: Machine) -> None:
    assert bare.init().code == 0
    first = bare.config.read_text()

    same = bare.init("--force")

    assert same.code == 0, same.err
    assert [file.name for file in bare.config.parent.iterdir()] == [bare.config.name]
    for number, mine in enumerate(("# mine\n", "# mine too\n")):
        bare.config.write_text(first + mine)
        bare.config.chmod(0o600)
        forced = bare.init("--force")
        assert forced.code == 0, forced.err
        kept = sorted(bare.config.parent.glob(f"{bare.config.name}.before-*"))[number]
        assert (kept.read_text(), kept.stat().st_mode & 0o777) == (first + mine, 0o600)
        assert f"  {kept}  (from {bare.config})" in forced.out
        assert bare.config.read_text() == first


def test_a_place_that_cannot_be_written_leaves_nothing_half_made(machine: Machine) -> None:
    machine.config.parent.parent.write_text("a file in the place of the folder")

    done = machine.init(*ALL, "--json")

    assert (done.code, done.error["code"]) == (1, "E-INIT-WRITE")
    assert not machine.repository.parent.exists()


def test_nobody_is_asked_with_no_input_and_a_question_counts_as_no(machine: Machine) -> None:
    done = machine.at_a_terminal(["init", *machine.flags, "--repository", machine.repository, "--no-input"], [])

    assert done.code == 0, done.out
    assert "not allowed: proxy/watch" in done.out
    assert tomllib.loads(machine.config.read_text())["trust"] == {
        "allow_host_mounts": [str(machine.checkout)],
        "allow_privileged": [],
    }


def test_without_an_engine_files_are_enough(machine: Machine) -> None:
    alone = Machine(machine.folder)

    done = alone.init(*ALL, "--include-stopped", "--json")

    assert done.code == 0, done.err
    assert [p["name"] for p in done.answer["data"]["projects"]] == ["blog", "media", "old", "proxy"]
    assert any("E-DOCKER" in warning for warning in done.answer["warnings"])


def test_without_a_project_the_fleet_is_empty_and_says_how_to_go_on(bare: Machine) -> None:
    done = bare.init()

    assert done.code == 0, done.err
    assert "No Compose project was found" in done.out
    assert "stacks/web/compose.yaml" in bare.git("show", "main:manifests/fleet.yaml")
    assert bare.files() == ["manifests/fleet.yaml"]


def test_a_name_that_is_not_there_is_refused(bare: Machine) -> None:
    done = bare.init("--project", "gone", "--json")

    assert (done.code, done.error["code"]) == (1, "E-INIT-PROJECT")
    assert json.loads(done.out)["data"] == {}

"""Which projects a machine has, by what its containers and its files tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.survey import Project, survey
from reconciler.model.observed import Container

PREFIX = "com.docker.compose."


def container(
    service: str, directory: str = "/srv/app", files: str = "", state: str = "running", **labels: str
) -> Container:
    found = {
        f"{PREFIX}project": "app",
        f"{PREFIX}service": service,
        f"{PREFIX}oneoff": "False",
        f"{PREFIX}project.working_dir": directory,
        f"{PREFIX}project.config_files": files or f"{directory}/compose.yaml",
        **{f"{PREFIX}{key}": value for key, value in labels.items()},
    }
    definition: dict[str, Any] = {"HostConfig": {"Binds": ["/data:/data:rw", "named:/x"]}}
    return Container(service, service, state, service=service, labels=found, definition=definition)


def projects(
    *containers: Container, disk: Collection[str] = (), folders: Mapping[str, Collection[str]] | None = None
) -> list[Project]:
    met = folders or {}
    return list(survey(containers, met, lambda path: path in disk))


def test_a_project_is_what_its_containers_tell() -> None:
    (found,) = projects(container("web"), container("db", state="exited"), disk=["/srv/app/compose.yaml"])

    assert found == Project(
        "app", "/srv/app", ("/srv/app/compose.yaml",), ("/srv/app/.env",), {"web": 1}, {"web": {"/data": "/data"}}, True
    )
    assert found.running


@pytest.mark.parametrize(
    ("state", "code", "policy", "done"),
    [
        ("exited", 0, "no", True),
        ("exited", 0, "", True),
        ("exited", 1, "no", False),
        ("exited", 0, "always", False),
        ("created", 0, "no", False),
    ],
)
def test_what_ended_well_and_was_not_meant_to_run_on_is_done(state: str, code: int, policy: str, done: bool) -> None:
    ended = replace(
        container("seed", state=state),
        exit_code=code,
        started_at="" if state == "created" else "2026-01-01T00:00:00Z",
        definition={"HostConfig": {"RestartPolicy": {"Name": policy}}},
    )
    (found,) = projects(container("web"), ended, disk=["/srv/app/compose.yaml"])
    assert found.done == (frozenset({"seed"}) if done else frozenset())
    (both,) = projects(container("seed"), ended, disk=["/srv/app/compose.yaml"])
    assert both.done == frozenset(), "another of its containers runs"


@pytest.mark.parametrize(
    ("written", "directory", "disk", "files"),
    [
        ("docker-compose.yml", "/srv/app", ["/srv/app/docker-compose.yml"], ["/srv/app/docker-compose.yml"]),
        ("app/dc.yml", "/srv/app", ["/srv/app/dc.yml"], ["/srv/app/dc.yml"]),
        ("a/base.yml,b/over.yml", "/s/a", ["/s/a/base.yml", "/s/b/over.yml"], ["/s/a/base.yml", "/s/b/over.yml"]),
        ("/x/a.yml,/x/b.yml", "/srv/app", ["/x/a.yml", "/x/b.yml"], ["/x/a.yml", "/x/b.yml"]),
    ],
)  # fmt: skip
def test_files_are_found_however_they_were_written(
    written: str, directory: str, disk: list[str], files: list[str]
) -> None:
    (found,) = projects(container("web", directory, written), disk=disk)

    assert (list(found.files), found.trouble) == (files, "")


def test_another_env_file_stands_for_the_usual_one() -> None:
    labels = {"project.environment_file": "/srv/app/prod.env,/srv/app/more.env"}
    (found,) = projects(container("web", **labels), disk=["/srv/app/compose.yaml"])

    assert found.env_files == ("/srv/app/prod.env", "/srv/app/more.env")


def test_a_run_of_one_command_and_our_own_containers_are_no_project() -> None:
    ours = Container("x", "x", "running", owner="fleet", labels={f"{PREFIX}project": "app"})

    assert projects(container("web", oneoff="True"), ours) == []


def test_a_project_whose_files_are_gone_says_so() -> None:
    (found,) = projects(container("web"))

    assert "/srv/app/compose.yaml is not on this machine" in found.trouble


def test_two_folders_under_one_name_are_not_mixed() -> None:
    disk = ["/srv/app/compose.yaml", "/home/app/compose.yaml"]
    (found,) = projects(container("web"), container("db", "/home/app"), disk=disk)

    assert "several folders" in found.trouble


def test_a_project_that_is_found_both_ways_is_one_and_what_does_not_run_comes_last() -> None:
    folders = {"/a": ["docker-compose.yml"], "/srv/app": ["compose.yaml"], "/z": ["compose.override.yml"]}
    found = projects(container("web"), disk=["/srv/app/compose.yaml"], folders=folders)

    assert [(p.name, p.running, p.files) for p in found] == [
        ("app", True, ("/srv/app/compose.yaml",)),
        ("a", False, ("/a/docker-compose.yml",)),
    ]


def test_an_override_file_belongs_to_a_project_that_was_found_on_disk() -> None:
    (found,) = projects(folders={"/srv/My App": ["compose.yml", "compose.override.yml"]})

    assert (found.name, found.files) == ("myapp", ("/srv/My App/compose.yml", "/srv/My App/compose.override.yml"))


def test_of_two_projects_with_one_name_the_second_is_in_trouble() -> None:
    found = projects(folders={"/a/app": ["compose.yml"], "/b/app": ["compose.yml"]})

    assert [p.trouble for p in found] == ["", "/a/app has a project of the same name"]


def test_a_stack_of_a_fleet_that_was_cloned_is_no_project() -> None:
    folders = {"/root/fleet/manifests/stacks/app": ["compose.yaml"]}

    assert projects(folders=folders, disk=["/root/fleet/manifests/fleet.yaml"]) == []

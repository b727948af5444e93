"""What of a project goes into git, what stays with the host, and what cannot be taken over."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.adapters.compose_files import LocalDisk
from reconciler.core.founding import Destination, Taken, take
from reconciler.core.survey import Project
from reconciler.core.trees import Executable, Symlink
from reconciler.errors import BadConfiguration

TO = Destination("manifests", "/opt/fleet", "/root", "/etc/reconciler/env")


class Folder:
    """A project's folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path / "app"
        self.path.mkdir()

    def put(self, name: str, content: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content))
        return file

    def take(self, *files: str, name: str = "app", services: Mapping[str, int] | None = None, **more: object) -> Taken:
        found = tuple(str(self.path / file) for file in files or ("compose.yaml",))
        env = (str(self.path / ".env"),)
        project = Project(name, str(self.path), found, env, services or {}, labelled=True, **more)  # type: ignore[arg-type]
        return take(project, LocalDisk(), TO)

    def refused(self, *files: str, **more: object) -> BadConfiguration:
        with pytest.raises(BadConfiguration) as caught:
            self.take(*files, **more)  # type: ignore[arg-type]
        return caught.value


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def service(body: str = "") -> str:
    return "services:\n  web:\n    image: nginx\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"


def test_one_file_and_an_override_take_the_names_that_everybody_knows(folder: Folder) -> None:
    base, over = folder.put("dc.yml", service()), folder.put("prod.yml", service("restart: always"))

    taken = folder.take("dc.yml", "prod.yml")

    assert taken.files == {"compose.yaml": base.read_bytes(), "compose.override.yaml": over.read_bytes()}
    assert taken.origins == {"compose.yaml": str(base), "compose.override.yaml": str(over)}


def test_more_files_are_included_in_their_order(folder: Folder) -> None:
    for number in (1, 2, 3):
        folder.put(f"{number}.yml", service(f"restart: {('no', 'always', 'unless-stopped')[number - 1]!r}"))

    taken = folder.take("1.yml", "2.yml", "3.yml")

    assert sorted(taken.files) == ["compose.1.yaml", "compose.2.yaml", "compose.3.yaml", "compose.yaml"]
    assert b"path: [compose.1.yaml, compose.2.yaml, compose.3.yaml]" in taken.files["compose.yaml"]  # type: ignore[operator]


def test_a_name_that_was_given_on_the_command_line_is_written_down(folder: Folder) -> None:
    folder.put("compose.yaml", "name: other\n" + service())

    taken = folder.take()

    assert b'name: "app"' in taken.files["compose.yaml"]  # type: ignore[operator]
    assert taken.name == "app"


def test_a_project_that_no_container_tells_of_is_called_as_its_file_says(folder: Folder) -> None:
    folder.put("compose.yaml", "name: other\n" + service())
    project = Project("app", str(folder.path), (str(folder.path / "compose.yaml"),))

    assert take(project, LocalDisk(), TO).name == "other"


def test_what_is_extended_and_included_comes_along(folder: Folder) -> None:
    folder.put("compose.yaml", "include: [sub/compose.yaml]\n" + service("extends: {file: base.yml, service: base}"))
    folder.put("base.yml", "services: {base: {image: nginx, env_file: base.env}}")
    folder.put("base.env", "A=1\n")
    folder.put("sub/compose.yaml", "services: {sub: {image: nginx, env_file: ./sub.env}}")
    folder.put("sub/sub.env", "B=1\n")

    taken = folder.take()

    assert sorted(taken.files) == ["base.yml", "compose.yaml", "sub/compose.yaml"]
    assert taken.environment == {"base.env": b"A=1\n", "sub.env": b"B=1\n"}


def test_values_stay_with_the_host_under_the_name_that_the_loader_asks_for(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "all.env").write_text("ALL=1\n")
    folder.put(".env", "TAG=1\nFILE=web.env\n")
    folder.put("conf/web.env", "WEB=1\n")
    folder.put("compose.yaml", service("env_file: ['conf/$FILE', ../all.env]").replace("nginx", "nginx:$TAG"))

    taken = folder.take()

    assert taken.environment == {
        ".env": b"TAG=1\nFILE=web.env\n", "conf/web.env": b"WEB=1\n", "all.env": b"ALL=1\n",
    }  # fmt: skip
    assert sorted(taken.files) == ["compose.yaml"]


def test_what_a_shell_gave_is_written_into_the_hosts_env_file(folder: Folder) -> None:
    folder.put("compose.yaml", service("volumes: ['${PWD}/data:/data']\nprofiles: [day]"))
    folder.put(".env", "TAG=1")

    taken = folder.take(services={"web": 1})

    lines = taken.environment[".env"].decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "TAG=1", f'PWD="{folder.path}"', 'COMPOSE_PROFILES="day"',
    ]  # fmt: skip


def test_a_build_context_comes_along_without_data_values_and_what_it_ignores(folder: Folder) -> None:
    files = "env_file: web.env\nlabel_file: web.labels"
    folder.put("compose.yaml", service(f"build: .\n{files}\nvolumes: ['./data:/data', './conf:/conf:ro']"))
    kept = ("Dockerfile", "src/main.c")
    left = (
        "data/film",
        "conf",
        ".env",
        "web.env",
        "web.labels",
        "skipped.o",
        "sub/.env",
        "docker-compose.override.yml",
    )
    for name in (*kept, *left):
        folder.put(name, "# text\n")
    folder.put(".dockerignore", "*.o\n")
    folder.put("run.sh", "#!/bin/sh\n").chmod(0o755)
    (folder.path / "link").symlink_to("src/main.c")

    taken = folder.take()

    assert sorted(taken.files) == [".dockerignore", "Dockerfile", "compose.yaml", "link", "run.sh", "src/main.c"]
    assert taken.files["run.sh"] == Executable(b"#!/bin/sh\n")
    assert taken.files["link"] == Symlink("src/main.c")
    assert taken.hints == (str(folder.path / "conf"),)


def test_a_context_that_is_too_large_is_refused(folder: Folder) -> None:
    folder.put("compose.yaml", service("build: ."))
    folder.put("Dockerfile", "FROM scratch\n")
    folder.put("big", "x" * (TO.most + 1))

    error = folder.refused()

    assert (error.code, error.at and error.at.line) == ("E-INIT-SIZE", 4)


def test_the_projects_own_folder_stays_mounted_from_where_it_is(folder: Folder) -> None:
    folder.put("compose.yaml", service("volumes: ['.:/app', './data:/data', '.:/seen:ro']"))

    taken = folder.take()

    over = taken.files["compose.override.yaml"]
    assert isinstance(over, bytes)
    assert over.decode().splitlines()[1:] == [
        "services:",
        "  web:",
        "    volumes:",
        "    - type: bind",
        f"      source: {folder.path}",
        "      target: /app",
        "    - type: bind",
        f"      source: {folder.path}",
        "      target: /seen",
        "      read_only: true",
    ]


@pytest.mark.parametrize("now", ["/home/ana/film", ""])
def test_a_home_is_that_of_who_started_it(folder: Folder, now: str) -> None:
    folder.put("compose.yaml", service("volumes: ['~/film:/film']"))
    home = LocalDisk().home(str(folder.path))

    taken = folder.take(services={"web": 1}, binds={"web": {"/film": now}} if now else {})

    over = taken.files.get("compose.override.yaml", b"")
    assert isinstance(over, bytes)
    assert (f"source: {now}".encode() in over) if now else (home == TO.home) == (not over)


def test_containers_that_were_added_stay_and_what_does_not_run_is_told(folder: Folder) -> None:
    folder.put("compose.yaml", service() + "  idle: {image: a}\n  none: {image: a, deploy: {replicas: 0}}\n")

    taken = folder.take(services={"web": 3})

    over = taken.files["compose.override.yaml"]
    assert isinstance(over, bytes)
    assert over.decode().splitlines()[1:] == ["services:", "  web:", "    deploy:", "      replicas: 3"]
    assert taken.idle == ("idle",)


def test_what_ran_to_its_end_is_a_job_and_does_not_count_as_idle(folder: Folder) -> None:
    folder.put("compose.yaml", service() + "  seed: {image: a}\n  known: {image: a, x-reconciler: {job: true}}\n")

    taken = folder.take(services={"web": 1}, done=frozenset({"seed"}))

    over = taken.files["compose.override.yaml"]
    assert isinstance(over, bytes)
    assert over.decode().splitlines()[1:] == ["services:", "  seed:", "    x-reconciler:", "      job: true"]
    assert taken.idle == ("known",)


def test_configs_and_secrets_stay_where_they_are(folder: Folder) -> None:
    text = (
        service("build: .\nconfigs: [c]\nsecrets: [s]") + "configs: {c: {file: c.txt}}\nsecrets: {s: {file: ./s.txt}}\n"
    )
    folder.put("compose.yaml", text)
    for name in ("c.txt", "s.txt", "Dockerfile"):
        folder.put(name, "FROM scratch\n")

    assert sorted(folder.take().files) == ["Dockerfile", "compose.yaml"]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (service("imag: x"), "E-COMPOSE-KEY", 4),
        (service("env_file: [a/x.env, b/../x.env]"), "E-COMPOSE-HOSTFILE", 4),
        (service("extends: {file: ../base.yml, service: x}"), "E-INIT-OUTSIDE", 4),
        (service("extends: {file: gone.yml, service: x}"), "E-INIT-FILE", 4),
        (service("env_file: [/a/x.env, /b/x.env]"), "E-INIT-ENVFILE", 4),
        (service("build: https://example.org/x.git"), "E-COMPOSE-UNSUPPORTED", 4),
        ("services: {web: {image: a}\n", "E-YAML-SYNTAX", 2),
    ],
)
def test_what_cannot_be_taken_is_shown_in_the_users_own_file(folder: Folder, text: str, code: str, line: int) -> None:
    folder.put("compose.yaml", text)

    error = folder.refused()

    assert error.code == code, error
    assert error.at
    assert (error.at.file, error.at.line) == (str(folder.path / "compose.yaml"), line)


def test_a_broken_env_file_is_shown_where_it_is(folder: Folder) -> None:
    folder.put("compose.yaml", service())
    folder.put(".env", "A=1\n!\n")

    error = folder.refused()

    assert (str(error.at), error.code) == (f"{folder.path}/.env:2:1", "E-COMPOSE-ENVFILE")

"""Paths that leave the repository, or lead to what git does not hold: refused with the reason."""

from __future__ import annotations

import pytest

from reconciler.core.trees import Content, Submodule, Symlink
from tests.support.compose import HOST, load, problem, service, service_problem

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"


def refused(body: str, files: dict[str, Content], says: str, rest: str = "") -> None:
    error = service_problem(body, files, rest)
    assert error.code == "E-COMPOSE-PATH"
    assert says in error.what
    assert error.why
    assert error.at is not None
    assert error.at.line > 1


def test_a_bind_that_climbs_out_of_the_repository_is_refused() -> None:
    refused('volumes: ["../../../etc:/x"]', {}, "leaves the repository")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../etc/passwd", "/opt/fleet-other/x", "/opt/fleet/../x"])
def test_a_mounted_link_out_of_the_repository_is_refused(target: str) -> None:
    refused("volumes: [./f:/f]", {"stacks/app/f": Symlink(target)}, "leads out of the repository")


def test_a_link_out_of_the_repository_within_a_mounted_folder_is_refused() -> None:
    refused("volumes: [./d:/d]", {"stacks/app/d/deep/f": Symlink("/etc/passwd")}, "stacks/app/d/deep/f")


def test_a_link_out_of_the_repository_on_the_way_is_refused() -> None:
    refused("volumes: [./d/sub/f:/d]", {"stacks/app/d": Symlink("/etc")}, "leads out of the repository")


def test_a_link_out_of_the_repository_in_a_build_context_is_refused() -> None:
    files: dict[str, Content] = {"stacks/app/src/Dockerfile": "FROM x", "stacks/app/src/key": Symlink("/root/.ssh/id")}
    refused("build: ./src", files, "stacks/app/src/key")


def test_an_env_file_that_is_a_link_out_of_the_repository_is_refused() -> None:
    refused("env_file: x.env", {"stacks/app/x.env": Symlink("/etc/shadow")}, "leads out of the repository")


def test_a_config_that_is_a_link_out_of_the_repository_is_refused() -> None:
    files: dict[str, Content] = {"stacks/app/c": Symlink("/etc/shadow")}
    refused("configs: [c]", files, "leads out of the repository", "configs: {c: {file: ./c}}")


def test_an_extended_file_that_is_a_link_out_of_the_repository_is_refused() -> None:
    files: dict[str, Content] = {"stacks/app/base.yaml": Symlink("/etc/base.yaml")}
    refused("extends: {file: base.yaml, service: b}", files, "leads out of the repository")


def test_links_that_lead_in_a_circle_are_refused() -> None:
    files: dict[str, Content] = {"stacks/app/a": Symlink("b"), "stacks/app/b": Symlink("a")}
    error = service_problem("volumes: [./a:/a]", files)
    assert (error.code, "circle" in error.what) == ("E-COMPOSE-PATH", True)


@pytest.mark.parametrize("target", ["../../shared/real", f"{HOST}/shared/real"])
def test_a_link_within_the_repository_is_followed(target: str) -> None:
    made = service("volumes: [./link/f:/f]", {"stacks/app/link": Symlink(target), "shared/real/f": "x"})
    assert made.mounts[0].source == f"{HOST}/stacks/app/link/f"
    assert made.mounts[0].repo_path == "shared/real/f"


@pytest.mark.parametrize("path", ["./mod", "./mod/file", "."])
def test_a_submodule_in_a_mounted_path_is_refused(path: str) -> None:
    refused(f'volumes: ["{path}:/x"]', {"stacks/app/mod": Submodule()}, "submodule")


def test_a_submodule_in_a_build_context_is_refused() -> None:
    refused("build: ./src", {"stacks/app/src/Dockerfile": "", "stacks/app/src/lib/m": Submodule()}, "submodule")


@pytest.mark.parametrize(
    ("body", "rest", "path"),
    [
        ("volumes: [./big.bin:/big]", "", "big.bin"),
        ("volumes: [./d:/d]", "", "d/deep/big.bin"),
        ("build: ./d", "", "d/big.bin"),
        ("env_file: x.env", "", "x.env"),
        ("configs: [c]", "configs: {c: {file: ./c}}", "c"),
        ("security_opt: [seccomp=./s.json]", "", "s.json"),
    ],
)
def test_a_git_lfs_pointer_is_refused(body: str, rest: str, path: str) -> None:
    files: dict[str, Content] = {f"stacks/app/{path}": LFS, "stacks/app/d/Dockerfile": "FROM x"}
    refused(body, files, "git-LFS pointer", rest)


def test_a_compose_file_that_is_a_git_lfs_pointer_is_refused() -> None:
    assert "git-LFS" in problem(LFS.decode()).what


def test_names_that_differ_in_case_only_are_refused_in_a_mounted_folder() -> None:
    refused("volumes: [./d:/d]", {"stacks/app/d/Conf": "1", "stacks/app/d/conf": "2"}, "differ in case only")


def test_names_that_differ_in_case_only_are_refused_on_the_way() -> None:
    refused("volumes: [./D/f:/d]", {"stacks/app/D/f": "1", "stacks/app/d/g": "2"}, "differ in case only")


def test_names_that_differ_in_case_only_elsewhere_do_not_matter() -> None:
    made = service("volumes: [./d:/d]", {"stacks/app/d/x": "1", "other/A": "1", "other/a": "2"})
    assert made.mounts[0].repo_path == "stacks/app/d"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("build: /srv/src", "outside the repository"),
        ("build: ../../../src", "leaves the repository"),
        ("build: {context: ., dockerfile: ../../../Dockerfile}", "leaves the repository"),
        ("extends: {file: ../../../base.yaml, service: b}", "leaves the repository"),
        ("extends: {file: /etc/base.yaml, service: b}", "outside the repository"),
    ],
)
def test_a_path_that_must_be_in_git_cannot_be_elsewhere(body: str, says: str) -> None:
    refused(body, {"stacks/app/Dockerfile": "FROM x"}, says)


@pytest.mark.parametrize("section", ["configs", "secrets"])
def test_a_config_or_secret_file_cannot_climb_out_of_the_repository(section: str) -> None:
    refused(f"{section}: [c]", {}, "leaves the repository", f"{section}: {{c: {{file: ../../../c}}}}")


@pytest.mark.parametrize("path", ["https://example.com/x.yaml", "git@example.com:x/y.git", "oci://x/y"])
def test_a_remote_include_is_refused(path: str) -> None:
    error = problem(f'include: ["{path}"]\nservices: {{web: {{image: a}}}}')
    assert error.code == "E-COMPOSE-UNSUPPORTED"
    assert "remote include" in error.what


def test_an_include_above_the_repository_is_refused() -> None:
    assert problem("include: [../../../x.yaml]\nservices: {web: {image: a}}").code == "E-COMPOSE-PATH"


def test_a_compose_file_that_is_missing_is_named() -> None:
    error = problem("include: [nowhere.yaml]\nservices: {web: {image: a}}")
    assert (error.code, "stacks/app/nowhere.yaml" in error.what) == ("E-COMPOSE-REFERENCE", True)


def test_everything_that_was_read_is_reported() -> None:
    files: dict[str, Content] = {
        "stacks/app/.env": "",
        "stacks/app/a.env": "",
        "stacks/app/base.yaml": "services: {b: {image: a}}",
        "stacks/app/more.yaml": "services: {c: {image: a}}",
    }
    text = """
    include: [more.yaml]
    services: {web: {extends: {file: base.yaml, service: b}, env_file: a.env}}
    """
    loaded = load(text, files)
    assert set(loaded.reads) == {"stacks/app/compose.yaml", *files}
    assert loaded.stack.service("web").reads == ("stacks/app/base.yaml", "stacks/app/a.env")


ASIDE = "/home/ana/media"


@pytest.mark.parametrize(
    ("written", "leads"),
    [
        ("./data", "/home/ana/media/data"),
        ("../shared/films", "/home/ana/shared/films"),
        ("../../../../films", "/films"),
        ("./conf/app.yaml", "/opt/fleet/stacks/app/conf/app.yaml"),
        ("/srv/films", "/srv/films"),
    ],
)
def test_what_git_does_not_have_lies_in_the_directory_of_the_stack(written: str, leads: str) -> None:
    files: dict[str, Content] = {"stacks/app/conf/app.yaml": "x"}
    mount = service(f'volumes: ["{written}:/x"]', files, directory=ASIDE).mounts[0]
    assert mount.source == leads
    assert (mount.repo_path is None) == (leads != "/opt/fleet/stacks/app/conf/app.yaml")


def test_a_secret_file_that_git_does_not_have_lies_in_the_directory_of_the_stack() -> None:
    stack = load(
        "services: {web: {image: x, secrets: [key]}}\nsecrets: {key: {file: ./key.txt}}", directory=ASIDE
    ).stack
    assert stack.files[0].host_path == "/home/ana/media/key.txt"


def test_a_build_context_in_the_directory_of_the_stack_is_refused() -> None:
    error = service_problem("build: ./src", {}, directory=ASIDE)
    assert error.code.startswith("E-COMPOSE")

"""`reconciler init` with a repository that exists already: cloned, added to, pushed; or only read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.gitremote import Remote, http_backend, sshd
from tests.support.lived_in import Machine, three_projects

pytestmark = pytest.mark.engine

ALL = ("--allow-host-mounts", "all-in-use", "--allow-privileged", "all-in-use")


@pytest.fixture
def machine(tmp_path: Path, engine: Engine) -> Machine:
    return three_projects(tmp_path, engine)


def test_an_existing_remote_gets_one_commit_and_is_pushed_on_demand(machine: Machine, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "far")
    remote.commit({"README.md": "ours"}, "a beginning")

    done = machine.init(*ALL, "--repository", remote.url, "--push")

    assert done.code == 0, done.err
    assert remote.git("rev-list", "--count", "main").decode().strip() == "2"
    assert (tmp_path / "fleet/manifests/stacks/media/compose.yaml").exists()
    assert (tmp_path / "fleet/README.md").read_text() == "ours"
    assert machine.run("plan").code == 0


def test_an_empty_remote_is_begun_and_the_push_is_left_to_the_user(machine: Machine, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "far")

    done = machine.init(*ALL, "--repository", remote.url, "--directory", "mine")

    assert done.code == 0, done.err
    push = f"git -C {tmp_path}/mine push origin main"
    assert push in done.out
    assert remote.git("for-each-ref") == b""
    assert (tmp_path / "mine/manifests/fleet.yaml").exists()


def test_a_fleet_that_knows_this_host_needs_only_the_hosts_file(machine: Machine, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "far")
    assert machine.init(*ALL, "--repository", remote.url, "--push").code == 0
    before, head = sorted(tmp_path.iterdir()), remote.head
    settings = tomllib.loads(machine.config.read_text())
    machine.config.unlink()

    with sshd(tmp_path / "ssh") as ssh:
        url = ssh.url(remote.path)
        keys = ("--ssh-key", ssh.key, "--known-hosts", ssh.known_hosts)
        done = machine.init(*ALL, "--repository", url, *keys, "--directory", "nowhere")
        planned = machine.run("plan")

    assert (done.code, planned.code) == (0, 0), done.err + planned.err
    expected = {"url": url, "ssh_key": str(ssh.key), "known_hosts": str(ssh.known_hosts)}
    assert tomllib.loads(machine.config.read_text()) == settings | {"repository": expected}
    assert (sorted(set(tmp_path.iterdir()) - {tmp_path / "ssh", machine.folder / "state"}), remote.head) == (
        before,
        head,
    )


def test_a_fleet_without_this_host_is_left_to_its_owner(machine: Machine, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "far")
    fleet = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {other: {connect: local, checkout: /opt/fleet}}\n"
    remote.commit({"manifests/fleet.yaml": fleet}, "a beginning")

    done = machine.init(*ALL, "--repository", remote.url, "--json")

    assert (done.code, done.error["code"]) == (78, "E-MANIFEST-HOST")
    assert not (tmp_path / "fleet").exists()
    assert not machine.config.exists()


def test_a_token_is_named_and_never_written(machine: Machine, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "far")
    remote.commit({"README.md": "ours"}, "a beginning")
    secret = machine.config.parent / "secrets" / "git"
    secret.parent.mkdir(parents=True)
    secret.touch(0o600)
    secret.write_text("very-secret-token")

    with http_backend(remote.path.parent, "very-secret-token") as web:
        url = f"http://127.0.0.1:{web.port}/{remote.path.name}"
        refused = machine.init(*ALL, "--repository", url, "--json")
        done = machine.init(*ALL, "--repository", url, "--token", "git")

    assert refused.error["code"] == "E-GIT-AUTH"
    assert done.code == 0, done.err
    assert tomllib.loads(machine.config.read_text())["repository"] == {"url": url, "token": "git"}
    assert "very-secret" not in (tmp_path / "fleet/.git/config").read_text() + done.out

"""A push is deployed once its checks have passed, and not before; doctor says what is wrong with the gate."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.forge import TOKEN, send, serving
from tests.support.github import GitHub
from tests.support.host import NAME, Host

pytestmark = pytest.mark.engine

APP = "services: {{web: {{image: 'test/box:1', command: sleep 1000, environment: {{A: {0}}}}}}}"
TEST = ".github/workflows/test.yml"


class Gated:
    """A host whose fleet waits for a stand-in of GitHub."""

    def __init__(self, host: Host, github: Any) -> None:
        self.host, self.github = host, github
        self.token = host.config.parent / "secrets/ci-token"
        self.token.parent.mkdir()
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)
        host.remote.commit({"manifests/fleet.yaml": self.fleet(), TEST: "name: Test\non: push\njobs: {}\n"})

    def fleet(self, **more: object) -> str:
        ci = {"provider": "github", "repository": "owner/name", "url": self.github.url, "token": {"secret": "ci-token"}}
        hosts = f"{{{NAME}: {{connect: local, checkout: {self.host.checkout}}}}}"
        return f"apiVersion: reconciler/v1\nkind: Fleet\nhosts: {hosts}\nci: {json.dumps(ci | more)}\n"

    def doctor(self) -> dict[str, str]:
        """What it says of the gate."""
        ran = self.host.run("doctor", "--json")
        assert TOKEN not in ran.stdout + ran.stderr
        found: list[dict[str, str]] = [each for each in ran.data["findings"] if each["check"] == "ci"]
        (finding,) = found
        return finding


@pytest.fixture
def gated(host: Host) -> Iterator[Gated]:
    with serving(GitHub()) as github:
        yield Gated(host, github)


def test_a_push_is_deployed_once_its_checks_have_passed(gated: Gated) -> None:
    host, github = gated.host, gated.github
    one = host.push(app=APP.format(1))
    github.says(one, "test")
    assert host.converge().data["outcome"] == "succeeded"
    before = host.ids()
    two = host.push(app=APP.format(2))

    waiting = host.converge()
    assert "CI pending" in waiting.data["held"]
    status = host.run("status", "--check", "--json")
    assert (status.code, status.data["sync"], "CI pending" in status.data["held"]) == (2, "held", True)
    assert waiting.data["gate"]["state"] == "pending"
    assert host.ids() == before

    github.says(two, "test", "failure")
    plan = host.run("plan", "--json")
    assert plan.data["gate"]["evidence"][0]["state"] == "failure"
    assert "CI failed: test.yml: failure" in host.run("plan").stdout
    assert "CI failed" in host.converge().data["held"]
    assert host.ids() == before
    assert not list((host.state / "sentinels/blocked").glob("*"))

    shown = host.run("history", "show", host.converge().data["run"]).stdout
    assert "run 1001, attempt 1  https://github.example" in shown
    github.rerun("success")
    assert host.converge().data["revision"] == two
    assert host.run("status", "--check").code == 0


def test_a_first_deploy_does_not_fall_back_to_what_is_older_than_the_gate(host: Host) -> None:
    host.push(app=APP.format(1))
    with serving(GitHub()) as github:
        gated = Gated(host, github)
        head = host.push(app=APP.format(2))

        assert host.converge().data["outcome"] == "held"
        assert (host.containers(), host.stamp) == ({}, "")
        assert gated.host.run("status", "--check").code == 2
        github.says(head, "test")
        assert host.converge().data["revision"] == head


def test_a_server_that_is_down_keeps_what_runs_and_blocks_nothing(gated: Gated) -> None:
    host, github = gated.host, gated.github
    github.says(host.push(app=APP.format(1)), "test")
    host.converge()
    before = host.ids()
    sha = host.push(app=APP.format(2))
    github.trouble = lambda handler: send(handler, 503)

    held = host.converge()

    assert (held.data["gate"]["state"], host.ids()) == ("unreachable", before)
    refused = host.run("deploy", sha, "--json")
    assert (refused.code, refused.error["code"]) == (1, "E-CI-UNREACHABLE")
    forced = host.run("deploy", sha, "--override-ci", "the forge is down, tested by hand", "--json")
    assert forced.code == 0, forced.stdout
    assert forced.data["gate"]["overridden"]
    assert "the forge is down, tested by hand" in host.run("history", "show", forced.data["run"]).stdout
    assert host.ids() != before


def test_a_commit_that_drops_the_gate_needs_it_once_more(gated: Gated) -> None:
    host, github = gated.host, gated.github
    github.says(host.push(app=APP.format(1)), "test")
    host.converge()
    hosts = f"{{{NAME}: {{connect: local, checkout: {host.checkout}}}}}"
    sha = host.remote.commit({"manifests/fleet.yaml": f"apiVersion: reconciler/v1\nkind: Fleet\nhosts: {hosts}\n"})

    assert host.converge().data["gate"]["state"] == "pending"
    github.says(sha, "test")
    host.converge()
    host.push(app=APP.format(2))
    assert host.converge().data["outcome"] == "succeeded"


def test_doctor_says_what_is_wrong_with_the_gate_and_mends_the_token(gated: Gated) -> None:
    host, github = gated.host, gated.github
    github.private = True
    host.push(app=APP.format(1))
    host.run("plan")
    assert gated.doctor()["level"] == "ok"

    gated.token.write_text("old-token")
    found = gated.doctor()
    assert (found["level"], "E-CI-AUTH" in found["what"]) == ("fail", True)
    subprocess.run(["sh", "-c", found["mend"]], input=TOKEN, text=True, check=True)
    assert gated.doctor()["level"] == "ok"

    host.remote.commit({"manifests/fleet.yaml": gated.fleet(require=["tests.yml"])})
    host.run("plan")
    ran = host.run("doctor", "--json")
    (wrong,) = [each for each in ran.data["findings"] if each["check"] == "ci" and each["level"] == "fail"]
    assert "tests.yml" in wrong["what"] and "test.yml" in wrong["next"]

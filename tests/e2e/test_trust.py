"""Whose commits a host follows: only those that somebody signed whom its own file names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.host import Host
from tests.support.signing import Signer, signed, ssh_signer

pytestmark = pytest.mark.engine

STACK = "services: {{web: {{image: 'test/box:1', environment: {{A: '{}'}}}}}}"


@pytest.fixture
def alice(tmp_path: Path) -> Signer:
    return ssh_signer(tmp_path, "alice")


def strict(folder: Path, engine: Engine, alice: Signer, which: str) -> Host:
    """A host that follows alice alone, and runs a first commit of hers."""
    signers = folder / "allowed_signers"
    signers.write_text(alice.allowed('namespaces="git"') + "\n")
    host = Host(folder, engine, f'[trust]\nsignatures = "{which}"\nallowed_signers = "{signers}"\n')
    host.push(app=STACK.format(1))
    signed(host.remote, alice)
    host.converge()
    return host


def test_a_commit_that_nobody_signed_is_held_and_drift_is_healed_all_the_same(
    tmp_path: Path, engine: Engine, alice: Signer
) -> None:
    host = strict(tmp_path, engine, alice, "head")
    base = host.stamp
    unsigned = host.push(app=STACK.format(2))
    host.engine.cli("rm", "-f", "app-web-1")

    ran = host.converge()

    assert ran.data["held"] == f"{unsigned[:7]} is not trusted: it is not signed"
    assert "A=1" in host.inspect("app-web-1")["Config"]["Env"] and host.stamp == base
    assert "blocked" not in host.run("sentinels", "list").stdout

    good = signed(host.remote, alice)
    host.converge()
    assert "A=2" in host.inspect("app-web-1")["Config"]["Env"] and host.stamp == good


def test_a_first_commit_that_nobody_signed_is_not_called_blocked(tmp_path: Path, engine: Engine, alice: Signer) -> None:
    signers = tmp_path / "allowed_signers"
    signers.write_text(alice.allowed('namespaces="git"') + "\n")
    host = Host(tmp_path, engine, f'[trust]\nsignatures = "head"\nallowed_signers = "{signers}"\n')
    sha = host.push(app=STACK.format(1))

    for refused in (host.converge(code=1), host.run("deploy", sha, "--json")):
        assert (refused.error["code"], "sign it" in refused.error["next"]) == ("E-TRUST", True)
    assert host.containers() == {}


def test_with_all_one_unsigned_commit_below_a_signed_one_stops_what_follows(
    tmp_path: Path, engine: Engine, alice: Signer
) -> None:
    host = strict(tmp_path, engine, alice, "all")
    host.push(app=STACK.format(2))
    good = signed(host.remote, alice)
    unsigned = host.push(app=STACK.format(3))
    host.push(app=STACK.format(4))
    signed(host.remote, alice)

    ran = host.converge()  # as far as all are signed

    assert unsigned[:7] in ran.data["held"]
    assert "A=2" in host.inspect("app-web-1")["Config"]["Env"] and host.stamp == good


def test_keys_that_anybody_may_write_stop_new_commits_and_the_doctor_mends_them(
    tmp_path: Path, engine: Engine, alice: Signer
) -> None:
    host = strict(tmp_path, engine, alice, "head")
    (tmp_path / "allowed_signers").chmod(0o666)
    host.push(app=STACK.format(2))
    signed(host.remote, alice)

    ran = host.converge(code=78)

    assert ran.error["code"] == "E-TRUST-KEYS"
    found = {f["check"]: f for f in json.loads(host.run("doctor", "--json").stdout)["data"]["findings"]}
    assert found["signatures"]["level"] == "fail" and "chmod go-w" in found["signatures"]["mend"]
    (tmp_path / "allowed_signers").chmod(0o644)
    host.converge()
    found = {f["check"]: f for f in json.loads(host.run("doctor", "--json").stdout)["data"]["findings"]}
    assert found["signatures"]["level"] == "ok"


def test_the_repository_cannot_bring_its_own_keys(tmp_path: Path, engine: Engine, alice: Signer) -> None:
    """A check-out around the file of keys would let a commit say who may sign the next."""
    host = strict(tmp_path, engine, alice, "head")
    fleet = f"apiVersion: reconciler/v1\nkind: Fleet\nhosts: {{box: {{connect: local, checkout: {tmp_path}}}}}\n"
    host.remote.commit({"manifests/fleet.yaml": fleet, "allowed_signers": "* ssh-ed25519 AAAA"})
    signed(host.remote, alice)

    assert host.converge(code=1).error["code"] == "E-GUARD-CHECKOUT"
    assert (tmp_path / "allowed_signers").read_text().startswith("alice@example.org")


def test_a_first_commit_that_nobody_signed_says_what_to_do(tmp_path: Path, engine: Engine, alice: Signer) -> None:
    signers = tmp_path / "allowed_signers"
    signers.write_text(alice.allowed('namespaces="git"') + "\n")
    host = Host(tmp_path, engine, f'[trust]\nsignatures = "head"\nallowed_signers = "{signers}"\n')
    host.push(app=STACK.format(1))

    ran = host.converge(code=1)

    assert ran.error["code"] == "E-TRUST" and "not signed" in ran.error["what"] and "sign it" in ran.error["next"]
    assert not host.containers()

"""What somebody who can push may try in order to become root, against the real command and a real file system."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Host, host_at, stack
from tests.support.engine import Engine

BOX = "image: 'test/box:1', pull_policy: never"


@pytest.fixture(scope="module")
def untouched(engine_daemon: Engine) -> Iterator[str]:
    """The address of an engine that nobody may change as long as these tests run."""
    before = time.time()
    yield engine_daemon.url
    assert engine_daemon.events(before) == []


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder that is nobody's business; it must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("theirs")
    yield folder
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"file": "theirs"}


@pytest.fixture
def host(tmp_path: Path, untouched: str, outside: Path) -> Host:
    return host_at(tmp_path, untouched)


def refused(host: Host, code: str) -> str:
    """Plan warns and converge refuses; what it said."""
    planned, done = host.run("plan", "--json"), host.run("converge", "--json")
    assert done.error["code"] == code, done.out
    assert any(code in warning for warning in planned.answer["warnings"]) or planned.error["code"] == code
    assert not (host.state / "rendered").exists()
    assert host.stamp == ""
    error = done.error
    return f"{error['what']} {error['why']} {error['next']}"


def fleet_at(host: Host, checkout: Path | str) -> str:
    return f"apiVersion: reconciler/v1\nkind: Fleet\nhosts: {{alpha: {{connect: local, checkout: {checkout}}}}}\n"


def test_no_name_of_a_config_leads_out_of_the_rendered_folder(host: Host, tmp_path: Path) -> None:
    name = "../../../pwn/job"
    config = f"configs: {{c: {{name: '{name}', content: '* * * * * root id'}}}}"
    text = f"services: {{web: {{{BOX}, configs: [c]}}}}\n{config}"
    host.push({"fleet.yaml": host.fleet(), "stacks/web/compose.yaml": text})

    assert name in refused(host, "E-COMPOSE-VALUE")
    assert list(tmp_path.rglob("job*")) == []


def test_the_repository_does_not_choose_a_checkout_that_the_host_did_not_allow(host: Host, outside: Path) -> None:
    host.push({"fleet.yaml": fleet_at(host, outside), "stacks/web/compose.yaml": stack()})

    assert f'"{outside}"]' in refused(host, "E-GUARD-CHECKOUT")


@pytest.mark.parametrize("where", ["state", "state/checkout", "etc", "."])
def test_no_checkout_in_or_around_what_is_reconcilers_own(where: str, host: Host) -> None:
    host.write(f'[trust]\nallow_host_mounts = ["{host.folder}"]\n')
    checkout = host.folder / where
    host.push({"fleet.yaml": fleet_at(host, checkout), "stacks/web/compose.yaml": stack()})
    before = host.config.read_text()

    assert "reconciler's own" in refused(host, "E-GUARD-CHECKOUT")
    assert not (checkout / "manifests").exists()
    assert host.config.read_text() == before


def test_a_checkout_that_became_a_link_is_not_followed(host: Host, outside: Path) -> None:
    host.write(f'[trust]\nallow_host_mounts = ["{host.folder}"]\n')
    host.checkout.symlink_to(outside)
    host.push({"fleet.yaml": host.fleet(), "stacks/web/compose.yaml": stack()})

    assert str(outside) in refused(host, "E-GUARD-CHECKOUT")


def test_a_link_that_a_container_left_in_its_data_leads_nowhere(host: Host, outside: Path) -> None:
    data = host.checkout / "manifests/stacks/web/data"
    data.mkdir(parents=True)
    (data / "link").symlink_to(outside)
    bind = f"services: {{web: {{{BOX}, volumes: ['./data/link:/x']}}}}"
    host.push({"fleet.yaml": host.fleet(), "stacks/web/compose.yaml": bind})

    assert f"leads to {outside}" in refused(host, "E-GUARD-MOUNT")


@pytest.mark.parametrize("what", ["the engine", "the program", "the state"])
def test_an_allowed_folder_does_not_give_away_the_engine_or_reconciler(
    what: str, host: Host, engine_daemon: Engine
) -> None:
    program = Path(__file__).resolve().parents[2] / "reconciler"
    source = {"the engine": engine_daemon.socket.parent, "the program": program, "the state": host.state}[what]
    host.write(f'[trust]\nallow_host_mounts = ["{source}", "{host.checkout}"]\n')
    bind = f"services: {{web: {{{BOX}, volumes: ['{source}:/x']}}}}"
    host.push({"fleet.yaml": host.fleet(), "stacks/web/compose.yaml": bind})

    assert "trust.allow_privileged" in refused(host, "E-GUARD-PRIVILEGED")


def test_a_device_is_looked_at_through_its_links(host: Host, tmp_path: Path) -> None:
    (tmp_path / "tape").symlink_to("/dev/loop0")
    text = f"services: {{web: {{{BOX}, devices: ['{tmp_path}/tape:/dev/tape']}}}}"
    host.push({"fleet.yaml": host.fleet(), "stacks/web/compose.yaml": text})

    assert "/dev/loop0" in refused(host, "E-GUARD-PRIVILEGED")


def test_what_the_environment_allows_counts_as_well(host: Host) -> None:
    """And a refusal is no dead end: the advice, followed, is enough."""
    elsewhere = host.folder / "elsewhere"
    text = f"services: {{web: {{{BOX}, privileged: true}}}}"
    host.push({"fleet.yaml": fleet_at(host, elsewhere), "stacks/web/compose.yaml": text})
    refused(host, "E-GUARD-CHECKOUT")

    done = host.run("converge", "--json", env={"RECONCILER_TRUST_ALLOW_HOST_MOUNTS": str(elsewhere)})

    assert done.error["code"] == "E-GUARD-PRIVILEGED"

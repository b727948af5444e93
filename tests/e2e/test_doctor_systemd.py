"""doctor on a machine with a real systemd: what starts passes, who may ask for one, and what systemd hands over."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.engine import ROOT
from tests.support.machine import SOCKET, Machine, machine_with

pytestmark = pytest.mark.engine

SETTINGS = f"""
host = "box"
[repository]
url = "file:///srv/git/fleet.git"
[docker]
host = "unix://{SOCKET}"
"""
FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {box: {connect: local, checkout: /opt/fleet}}"
Finding = dict[str, str]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Installed, with a fleet of no stack that was converged once."""
    with machine_with() as made:
        made.write("/etc/reconciler/reconciler.toml", SETTINGS)
        made.write("/root/work/manifests/fleet.yaml", FLEET)
        made.sh(f"""
            {ROOT}/scripts/install.sh
            git init -q --bare --initial-branch=main /srv/git/fleet.git
            cd /root/work
            git init -q --initial-branch=main
            git add -A
            git -c user.name=me -c user.email=me@example.org commit -q -m fleet
            git push -q /srv/git/fleet.git main
            reconciler converge --yes -q
        """)
        yield made


def findings(machine: Machine) -> dict[str, list[Finding]]:
    """By check, what is not well."""
    said = machine.sh("reconciler doctor --json", code=None).text
    found: dict[str, list[Finding]] = {}
    for finding in json.loads(said.splitlines()[-1])["data"]["findings"]:
        found.setdefault(finding["check"], []).extend([finding] if finding["level"] != "ok" else [])
    return found


def mended(machine: Machine, check: str, words: str) -> None:
    """It is found, the printed command is run, and it is gone."""
    (finding,) = findings(machine)[check]
    assert words in finding["what"], finding
    machine.sh(finding["mend"])
    assert findings(machine)[check] == []


def test_an_installed_machine_is_well(machine: Machine) -> None:
    found = findings(machine)

    assert {check for check, unwell in found.items() if unwell} <= {"clock", "disk"}, found
    assert found["systemd"] == []


def test_a_timer_that_is_off_and_a_path_unit_that_failed_are_brought_back(machine: Machine) -> None:
    machine.sh("systemctl disable --now --quiet reconciler.timer")
    mended(machine, "systemd", "reconciler.timer is inactive, disabled")
    machine.sh("systemctl stop reconciler.path")
    mended(machine, "systemd", "reconciler.path is inactive, enabled")


def test_a_pass_that_failed_is_told_until_one_does_better(machine: Machine) -> None:
    machine.write("/etc/reconciler/reconciler.toml", SETTINGS.replace("[docker]", "[doker]"))
    machine.sh("systemctl start reconciler.service", code=None)
    machine.write("/etc/reconciler/reconciler.toml", SETTINGS)

    mended(machine, "systemd", "the last pass that systemd started failed (exit-code)")


def test_an_inbox_that_is_gone_or_of_the_wrong_group_is_made_anew(machine: Machine) -> None:
    machine.sh("rm -r /run/reconciler/inbox")
    mended(machine, "inbox", "/run/reconciler/inbox is not there")
    machine.sh("chgrp root /run/reconciler/inbox")
    mended(machine, "inbox", "belongs to the group root")


def test_a_token_that_systemd_hands_over_is_not_missing(machine: Machine) -> None:
    machine.sh("install -m 600 /dev/null /root/git-token")
    machine.drop_in("reconciler.service", "[Service]\nLoadCredential=git-token:/root/git-token")
    machine.write("/etc/reconciler/reconciler.toml", SETTINGS.replace("[docker]", 'token = "git-token"\n[docker]'))
    try:
        found = findings(machine)
        assert found["secrets"] == []
        (remote,) = found["remote"]
        assert (remote["level"], remote["mend"]) == ("warn", "systemctl start reconciler.service")
        machine.sh(remote["mend"])
    finally:
        machine.write("/etc/reconciler/reconciler.toml", SETTINGS)
        machine.sh("rm -r /etc/systemd/system/reconciler.service.d\nsystemctl daemon-reload")


def test_an_engine_that_does_not_run_is_started(machine: Machine) -> None:
    """The unit of the engine stands for Docker's own: started, it brings the socket of the engine of this test."""
    machine.write("/etc/reconciler/reconciler.toml", SETTINGS.replace(f'[docker]\nhost = "unix://{SOCKET}"', ""))
    try:
        (found,) = findings(machine)["docker"]
        assert found["what"] == "there is no Docker engine on this machine"
        assert found["mend"] == "apt-get install -y docker.io"

        machine.write(
            "/etc/systemd/system/docker.service",
            f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/ln -s {SOCKET} /run/docker.sock\n"
            "[Install]\nWantedBy=multi-user.target",
        )
        machine.sh("ln -s /bin/true /usr/local/bin/dockerd; systemctl daemon-reload")
        mended(machine, "docker", "does not run")
    finally:
        machine.write("/etc/reconciler/reconciler.toml", SETTINGS)
        machine.sh("rm -f /usr/local/bin/dockerd /run/docker.sock /etc/systemd/system/docker.service")


def test_without_units_installing_them_is_proposed(machine: Machine) -> None:
    machine.sh("mkdir /root/aside; mv /etc/systemd/system/reconciler.* /root/aside; systemctl daemon-reload")
    try:
        (found,) = findings(machine)["systemd"]
        assert (found["level"], found["mend"]) == ("warn", "make install")
    finally:
        machine.sh("mv /root/aside/* /etc/systemd/system/; rmdir /root/aside; systemctl daemon-reload")

"""doctor on a machine with a real systemd: what starts passes, who may ask for one, and what systemd hands over."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.machine import SOCKET, Machine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]  # the first test may make the machine

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
def box(machine: Machine) -> Iterator[Machine]:
    """The machine with a fleet of no stack that was converged once; its timer and its path unit are on."""
    machine.reset()
    machine.write("/etc/reconciler/reconciler.toml", SETTINGS)
    machine.write("/root/work/manifests/fleet.yaml", FLEET)
    machine.sh("""
        git init -q --bare --initial-branch=main /srv/git/fleet.git
        cd /root/work
        git init -q --initial-branch=main
        git add -A
        git -c user.name=me -c user.email=me@example.org commit -q -m fleet
        git push -q /srv/git/fleet.git main
        reconciler converge --yes -q
        systemctl --quiet enable --now reconciler.timer reconciler.path
    """)
    yield machine
    machine.reset()


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


def test_an_installed_machine_is_well(box: Machine) -> None:
    found = findings(box)

    assert {check for check, unwell in found.items() if unwell} <= {"clock", "disk"}, found
    assert found["systemd"] == []


def test_a_timer_that_is_off_and_a_path_unit_that_failed_are_brought_back(box: Machine) -> None:
    box.sh("systemctl disable --now --quiet reconciler.timer")
    mended(box, "systemd", "reconciler.timer is inactive, disabled")
    box.sh("systemctl stop reconciler.path")
    mended(box, "systemd", "reconciler.path is inactive, enabled")


def test_a_pass_that_failed_is_told_until_one_does_better(box: Machine) -> None:
    box.write("/etc/reconciler/reconciler.toml", SETTINGS.replace("[docker]", "[doker]"))
    box.sh("systemctl start reconciler.service", code=None)
    box.write("/etc/reconciler/reconciler.toml", SETTINGS)

    mended(box, "systemd", "the last pass that systemd started failed (exit-code)")


def test_an_inbox_that_is_gone_or_of_the_wrong_group_is_made_anew(box: Machine) -> None:
    box.sh("rm -r /run/reconciler/inbox")
    mended(box, "inbox", "/run/reconciler/inbox is not there")
    box.sh("chgrp root /run/reconciler/inbox")
    mended(box, "inbox", "belongs to the group root")


def test_a_token_that_systemd_hands_over_is_not_missing(box: Machine) -> None:
    box.sh("install -m 600 /dev/null /root/git-token")
    box.drop_in("reconciler.service", "[Service]\nLoadCredential=git-token:/root/git-token")
    box.write("/etc/reconciler/reconciler.toml", SETTINGS.replace("[docker]", 'token = "git-token"\n[docker]'))
    try:
        found = findings(box)
        assert found["secrets"] == []
        (remote,) = found["remote"]
        assert (remote["level"], remote["mend"]) == ("warn", "systemctl start reconciler.service")
        box.sh(remote["mend"])
    finally:
        box.write("/etc/reconciler/reconciler.toml", SETTINGS)
        box.sh("rm -r /etc/systemd/system/reconciler.service.d\nsystemctl daemon-reload")


def test_an_engine_that_does_not_run_is_started(box: Machine) -> None:
    """The unit of the engine stands for Docker's own: started, it brings the socket of the engine of this test."""
    box.write("/etc/reconciler/reconciler.toml", SETTINGS.replace(f'[docker]\nhost = "unix://{SOCKET}"', ""))
    try:
        (found,) = findings(box)["docker"]
        assert found["what"] == "there is no Docker engine on this machine"
        assert found["mend"] == "apt-get install -y docker.io"

        box.write(
            "/etc/systemd/system/docker.service",
            f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/ln -s {SOCKET} /run/docker.sock\n"
            "[Install]\nWantedBy=multi-user.target",
        )
        box.sh("ln -s /bin/true /usr/local/bin/dockerd; systemctl daemon-reload")
        mended(box, "docker", "does not run")
    finally:
        box.write("/etc/reconciler/reconciler.toml", SETTINGS)
        box.sh("rm -f /usr/local/bin/dockerd /run/docker.sock /etc/systemd/system/docker.service")


def test_without_units_installing_them_is_proposed(box: Machine) -> None:
    box.sh("mkdir /root/aside; mv /etc/systemd/system/reconciler.* /root/aside; systemctl daemon-reload")
    try:
        (found,) = findings(box)["systemd"]
        assert (found["level"], found["mend"]) == ("warn", "make install")
    finally:
        box.sh("mv /root/aside/* /etc/systemd/system/; rmdir /root/aside; systemctl daemon-reload")

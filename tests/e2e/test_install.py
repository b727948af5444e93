"""make install, make uninstall and make hook, on a machine of their own."""

from __future__ import annotations

import pytest

from tests.support.engine import ROOT, Engine
from tests.support.fleet import HELD, Fleet
from tests.support.machine import Machine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]  # the first test makes the machine

INSTALL = f"{ROOT}/scripts/install.sh"
SOURCE = "/root/reconciler-main"  # as an archive unpacks
HOOK = "/srv/git/fleet.git/hooks/post-receive"


def enabled(machine: Machine) -> str:
    return machine.sh("systemctl is-enabled reconciler.timer reconciler.path", code=None).text


def test_without_a_configuration_nothing_is_started(machine: Machine) -> None:
    machine.reset()

    said = machine.sh(INSTALL).text

    assert "next: reconciler init" in said
    assert enabled(machine) == "disabled\ndisabled"
    assert machine.sh("systemctl is-active reconciler.timer reconciler.path", code=None).text == "inactive\ninactive"


def test_an_upgrade_brings_the_new_program_leaves_a_pass_the_old_one_and_starts_the_timer(fleet: Fleet) -> None:
    machine = fleet.machine
    parts = "LICENSE README.md pyproject.toml requirements.lock docs reconciler scripts sentinels systemd"
    machine.sh(f"mkdir {SOURCE}; cd {ROOT}; cp -r {parts} {SOURCE}; {SOURCE}/scripts/install.sh")
    before = machine.sh("readlink /opt/reconciler").text
    fleet.push(1, HELD)
    machine.eventually(lambda: fleet.runs(1), "the pass waits for its stack")

    machine.sh(f"echo '__version__ = \"9.8.7\"' >>{SOURCE}/reconciler/__init__.py; {SOURCE}/scripts/install.sh")

    after = machine.sh("readlink /opt/reconciler").text
    assert machine.sh("ls -d /opt/reconciler-*").text.splitlines() == [before, after]
    assert machine.sh("reconciler version").text == "reconciler 9.8.7"
    assert machine.state("reconciler.service", "ActiveState") == "activating", "the pass of before goes on"
    fleet.release(1)
    fleet.settled(1)
    assert enabled(machine) == "enabled\nenabled"
    assert machine.sh("systemctl is-active reconciler.timer reconciler.path").text == "active\nactive"
    machine.sh(f"rm -r {SOURCE}")


def test_no_checkout_may_be_where_the_program_is(fleet: Fleet) -> None:
    machine = fleet.machine
    folders = ("/opt/reconciler", "/opt/reconciler/bin", machine.sh("readlink /opt/reconciler").text, "/opt")
    for number, folder in enumerate(folders, 1):
        machine.sh(f"sed -i 's,checkout: [^}}]*,checkout: {folder},' ~pusher/work/manifests/fleet.yaml")

        fleet.push(number)

        refused = f"the checkout of box is {folder}"
        machine.eventually(lambda said=refused: said in machine.said() and machine.idle(), refused)  # type: ignore[misc]
    assert machine.said().count("[E-GUARD-CHECKOUT]") == len(folders)


def test_uninstalling_leaves_configuration_state_and_what_runs(fleet: Fleet) -> None:
    machine = fleet.machine
    fleet.push(1)
    fleet.settled(1)
    try:
        said = machine.sh(f"{ROOT}/scripts/uninstall.sh").text

        found = machine.sh("find / -xdev -name 'reconciler*' -not -path '*/reconciler/*' | sort").text.splitlines()
        assert found == ["/etc/reconciler", "/var/lib/reconciler"]
        machine.sh("test -s /etc/reconciler/reconciler.toml; test -s /var/lib/reconciler/ledger.db")
        assert "rm -r /var/lib/reconciler" in said
        assert machine.sh("systemctl list-unit-files 'reconciler*' --no-legend", code=None).text == ""
        assert fleet.runs(1)
        assert "make install" in machine.sh(HOOK, user="pusher").text
        assert machine.sh(f"{ROOT}/scripts/uninstall.sh").text, "once more is fine"
    finally:
        machine.sh(INSTALL)


def test_a_folder_that_somebody_else_made_is_not_touched(machine: Machine) -> None:
    machine.sh("mkdir /opt/mine; touch /opt/mine/file")
    try:
        assert "not made by make install" in machine.sh(f"PREFIX=/opt/mine {INSTALL}", code=1).text
        assert machine.sh("ls -d /opt/mine*; ls /opt/mine").text == "/opt/mine\nfile"
    finally:
        machine.sh("rm -r /opt/mine")


def test_a_machine_without_python_is_told_what_to_install(engine: Engine) -> None:
    """Its shell is busybox's, as on Alpine."""
    mount = ["-v", f"{ROOT}:/source:ro", "--entrypoint", "sh"]

    done = engine.cli("run", "--rm", *mount, "test/box:1", "-c", "sh /source/scripts/install.sh 2>&1; echo $?; ls /")

    said, code, *files = done.partition("\n1\n")
    assert "error: no Python 3.11 or newer" in said
    assert "apk add python3" in said
    assert code and "opt" not in files[0].split()


# ---- the hook


def test_the_hook_tells_who_may_not_ask_which_group_they_need(fleet: Fleet) -> None:
    assert fleet.machine.sh(HOOK, user="stranger").text == (
        "reconciler: stranger may not ask for a pass, the timer's next one brings this: "
        "usermod -aG reconciler-web stranger"
    )
    assert fleet.machine.starts() == 0


def test_the_hook_goes_where_the_repository_keeps_its_hooks_and_replaces_itself_only(fleet: Fleet) -> None:
    machine, add = fleet.machine, f"REPO=/srv/git/fleet.git {ROOT}/scripts/hook.sh"
    machine.sh("mkdir /srv/git/hooks; git --git-dir=/srv/git/fleet.git config core.hooksPath /srv/git/hooks")
    machine.sh(f"{add}; {add}")
    assert machine.sh("ls /srv/git/hooks").text == "post-receive"

    machine.write("/srv/git/hooks/post-receive", "#!/bin/sh\necho mine")

    refused = machine.sh(add, code=1).text
    assert "/opt/reconciler/share/reconciler/post-receive" in refused
    assert machine.sh("/bin/sh /srv/git/hooks/post-receive; ls /srv/git/hooks").text == "mine\npost-receive"
    said = machine.sh("echo /opt/reconciler/share/reconciler/post-receive >>/srv/git/hooks/post-receive").text
    assert said == ""
    machine.sh("chmod +x /srv/git/hooks/post-receive")
    assert "reconciler: a pass begins" in fleet.push(1)
    fleet.settled(1)


def test_what_is_no_repository_gets_no_hook(machine: Machine) -> None:
    assert "is no git repository" in machine.sh(f"REPO=/etc {ROOT}/scripts/hook.sh", code=1).text
    assert "which repository" in machine.sh(f"{ROOT}/scripts/hook.sh", code=1).text

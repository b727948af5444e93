"""A real systemd runs the passes: by the timer, by a push, and without spinning when something is in the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.engine import ROOT
from tests.support.machine import SOCKET, UNITS, Machine, machine_with

pytestmark = pytest.mark.engine

INSTALL = f"{ROOT}/scripts/install.sh"
TRIGGER = "/run/reconciler/inbox/trigger"
CONFIG = "/etc/reconciler/reconciler.toml"
SETTINGS = f"""
host = "box"
[repository]
url = "file:///srv/git/fleet.git"
[docker]
host = "unix://{SOCKET}"
[verify]
window = "200ms"
"""
FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {box: {connect: local, checkout: /opt/fleet}}"
QUICK = "[Timer]\nOnBootSec=1s\nOnUnitInactiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms"


def stack(number: int) -> str:
    return (
        "services:\n  web:\n    image: test/box:1\n    command: [sleep, '600']\n    stop_grace_period: 0s\n"
        f"    pull_policy: never\n    labels: {{number: '{number}'}}\n"
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine where `make install` was run; the users pusher (of the group) and stranger may log in."""
    with machine_with() as machine:
        machine.sh(f"{INSTALL}\nuseradd -m -G reconciler-web pusher\nuseradd -m stranger")
        yield machine


@pytest.fixture
def machine(installed: Machine) -> Machine:
    """The same with a fleet of one stack on a bare repository with our hook; the path unit runs, the timer does not."""
    installed.reset()
    installed.write(CONFIG, SETTINGS)
    installed.sh(f"""
        git init -q --bare --shared=world --initial-branch=main /srv/git/fleet.git
        chown -R pusher /srv/git/fleet.git
        REPO=/srv/git/fleet.git {ROOT}/scripts/hook.sh
    """)
    as_pusher(installed, f"""
        git config --global user.name pusher; git config --global user.email pusher@example.org
        git config --global safe.directory '*'
        git clone -q /srv/git/fleet.git ~/work 2>/dev/null; cd ~/work
        mkdir -p manifests/stacks/app
        printf '%s\\n' '{FLEET}' | sed 's/\\\\n/\\n/g' >manifests/fleet.yaml
        git checkout -q -b main
    """)  # fmt: skip
    installed.sh("systemctl start reconciler.path")
    return installed


def as_pusher(machine: Machine, script: str) -> str:
    return machine.sh(f"export HOME=/home/pusher\n{script}", user="pusher").text


def push(machine: Machine, number: int = 1) -> str:
    """Push the stack with that label, as somebody who is not root; what git said."""
    return as_pusher(machine, f"""
        cd ~/work
        cat >manifests/stacks/app/compose.yaml <<'--END--'\n{stack(number)}\n--END--
        git add -A; git commit -q -m 'number {number}'; git push -q origin main 2>&1
    """)  # fmt: skip


def runs(machine: Machine, number: int) -> bool:
    return machine.engine.cli("ps", "-q", "--filter", f"label=number={number}") != ""


def settled(machine: Machine, number: int) -> float:
    took = machine.eventually(lambda: runs(machine, number) and machine.idle(), f"the stack runs as number {number}")
    assert machine.state("reconciler.service", "Result") == "success", machine.said()
    return took


# ---- the units themselves


def test_systemd_finds_nothing_to_say_about_the_units(installed: Machine) -> None:
    units = " ".join(f"/etc/systemd/system/{unit}" for unit in UNITS)

    assert installed.sh(f"systemd-analyze verify --man=no {units}").text == ""


def test_the_pass_is_confined_and_every_protection_left_out_has_its_reason(installed: Machine) -> None:
    security = "systemd-analyze security --offline=true --no-pager"
    unit = "/etc/systemd/system/reconciler.service"
    checks = json.loads(installed.sh(f"{security} --json=short {unit}").text)
    weak = {check["name"] for check in checks if check["exposure"]}
    page = (ROOT / "docs/running.md").read_text().replace("\\|", "|")

    installed.sh(f"{security} --threshold=30 {unit}")  # exposure 3.0 at most
    assert weak, "an analysis that finds nothing has looked at nothing"
    assert set(re.findall(r"^\| `([A-Z]\w+=.*?)` \| ", page, re.MULTILINE)) == weak


# ---- what starts a pass


def test_the_timer_runs_a_pass_after_boot_and_then_again_and_again(machine: Machine) -> None:
    machine.sh("systemctl stop reconciler.path")
    push(machine)
    machine.sh(f"rm {TRIGGER}")
    machine.drop_in("reconciler.timer", QUICK)
    machine.sh("systemctl start reconciler.timer")

    machine.eventually(lambda: machine.starts() >= 3, "the timer elapsed three times")

    settled(machine, 1)


def test_a_push_converges_at_once(machine: Machine) -> None:
    said = push(machine, 1)
    took = settled(machine, 1)
    print(f"from the push to the end of its pass: {took:.1f} s")

    assert "reconciler: a pass begins" in said
    push(machine, 2)
    print(f"and a change: {settled(machine, 2):.1f} s")


def test_many_pushes_at_once_end_with_the_last_and_leave_the_path_unit_alive(machine: Machine) -> None:
    for number in range(1, 31):
        push(machine, number)

    settled(machine, 30)
    assert machine.starts() <= 31
    assert machine.state("reconciler.path", "SubState") == "waiting"

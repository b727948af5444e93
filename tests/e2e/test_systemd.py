"""A real systemd runs the passes: by the timer and by a push, confined, and told in its journal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.engine import ROOT
from tests.support.fleet import CONFIG, FLEET, HELD, SETTINGS, TRIGGER, Fleet, stack
from tests.support.gitremote import Remote, http_backend, sshd
from tests.support.machine import UNITS, Machine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]  # the first test makes the machine

QUICK = "[Timer]\nOnBootSec=1s\nOnUnitInactiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms"
LINKS = {"/tmp/link": "/etc/hostname", "/home/link": "/root", "/dev/link": "/dev/null",
         "/usr/lib/modules/link": "/etc", "/root/link": "/var/lib", "/var/tmp/link": "/srv"}  # fmt: skip


# ---- the units themselves


def test_systemd_finds_nothing_to_say_about_the_units(machine: Machine) -> None:
    units = " ".join(f"/etc/systemd/system/{unit}" for unit in (*UNITS, "reconciler-drone.service"))

    assert machine.sh(f"systemd-analyze verify --man=no {units}").text == ""


def test_the_pass_is_confined_and_every_protection_left_out_has_its_reason(machine: Machine) -> None:
    security = "systemd-analyze security --offline=true --no-pager"
    unit = "/etc/systemd/system/reconciler.service"
    checks = json.loads(machine.sh(f"{security} --json=short {unit}").text)
    weak = {check["name"] for check in checks if check["exposure"]}
    page = (ROOT / "docs/running.md").read_text().replace("\\|", "|")

    machine.sh(f"{security} --threshold=30 {unit}")  # exposure 3.0 at most
    assert weak, "an analysis that finds nothing has looked at nothing"
    assert set(re.findall(r"^\| `([A-Z]\w+=.*?)` \| ", page, re.MULTILINE)) == weak


def test_the_confined_pass_sees_the_file_system_that_containers_would_see(fleet: Fleet) -> None:
    """The guard follows links to where they really lead; a folder that is hidden from it would hide that, too."""
    machine = fleet.machine
    for link, target in LINKS.items():
        machine.sh(f"mkdir -p {Path(link).parent}; ln -sfn {target} {link}")
    look = "/usr/bin/readlink -f " + " ".join(LINKS)
    machine.drop_in("reconciler.service", f"[Service]\nExecStart=\nExecStart={look}")

    machine.sh("systemctl start reconciler.service")

    seen = [entry["MESSAGE"] for entry in machine.journal() if entry.get("_COMM") == "readlink"]
    assert seen == list(LINKS.values()) == machine.sh(look).text.splitlines()


def test_the_confined_pass_keeps_a_checkout_of_another_user_below_home(fleet: Fleet) -> None:
    machine = fleet.machine
    machine.write(CONFIG, SETTINGS + '[trust]\nallow_host_mounts = ["/home"]')
    machine.sh("""
        su pusher -c "sed -i s,/opt/fleet,/home/pusher/fleet, /home/pusher/work/manifests/fleet.yaml"
        su pusher -c "mkdir /home/pusher/fleet"
    """)
    fleet.push(1)
    fleet.settled(1)
    changed = "/home/pusher/fleet/manifests/stacks/app/compose.yaml"
    machine.sh(f"chown pusher {changed}; echo '# by hand' >>{changed}; chmod g+s {changed}")

    fleet.push(2)

    fleet.settled(2)
    assert machine.sh(f"stat -c '%U %a' {changed}").text == "pusher 644"
    assert machine.sh("grep -rl 'by hand' /var/lib/reconciler/displaced").text.endswith("compose.yaml")


def test_the_confined_pass_builds_mounts_and_runs_the_whole_example_fleet(fleet: Fleet, shared: Path) -> None:
    machine, manifests = fleet.machine, "/home/pusher/work/manifests"
    machine.engine.images("reconciler-demo/base:1")
    machine.write(CONFIG, SETTINGS.replace("box", "demo") + f'[trust]\nallow_host_mounts = ["{shared}"]')
    machine.sh(f"""
        cp -r {ROOT}/manifests/* {manifests}/; chown -R pusher {manifests}
        sed -i 's,checkout: .*,checkout: {shared}/checkout,' {manifests}/fleet.yaml
        sed -i '/ports:/d' {manifests}/stacks/*/compose.yaml
    """)

    fleet.push(1)

    fleet.settled(1)
    running = machine.engine.cli("ps", "--filter", "label=reconciler.owner", "--format", "{{.Names}}").split()
    edge, shop = ["demo-edge-greeter-1", "demo-edge-probe-1"], ["demo-shop-api-1", "demo-shop-store-1"]
    assert sorted(running) == ["app-web-1", *edge, *shop, "demo-site-web-1"]


# ---- what starts a pass


def test_the_timer_runs_a_pass_after_boot_and_then_again_and_again(fleet: Fleet) -> None:
    machine = fleet.machine
    fleet.push_unseen(1)
    machine.drop_in("reconciler.timer", QUICK)
    machine.sh("systemctl start reconciler.timer")

    machine.eventually(lambda: machine.starts() >= 3, "the timer elapsed three times")

    fleet.settled(1)


def test_a_push_converges_at_once(fleet: Fleet) -> None:
    said = fleet.push(1)
    print(f"from the push to the end of its first pass: {fleet.settled(1):.1f} s")
    assert "reconciler: a pass begins" in said

    fleet.push(2)
    print(f"from the push of a change to the end of its pass: {fleet.settled(2):.1f} s")


def test_many_pushes_at_once_end_with_the_last_and_leave_the_path_unit_alive(fleet: Fleet) -> None:
    for number in range(1, 21):
        fleet.push(number)

    fleet.settled(20)
    assert fleet.machine.starts() <= 20
    assert fleet.machine.state("reconciler.path", "SubState") == "waiting"


def test_a_push_during_a_pass_of_the_timer_gets_a_pass_of_its_own(fleet: Fleet) -> None:
    machine = fleet.machine
    fleet.push_unseen(1, HELD)
    machine.sh("systemctl start --no-block reconciler.service")
    machine.eventually(lambda: fleet.runs(1), "the pass waits for its stack")

    fleet.push(2)
    assert machine.sh(f"test -e {TRIGGER} && echo waits").text == "waits"
    fleet.release(1)

    fleet.settled(2)
    assert machine.starts() == 2


# ---- what it says


def test_the_journal_knows_how_grave_each_line_is_and_has_no_signs_of_a_terminal(fleet: Fleet) -> None:
    fleet.push(1)
    fleet.settled(1)
    fleet.commit("services: [")
    fleet.machine.sh("su pusher -c 'cd ~/work && git push -q origin main'")
    fleet.machine.eventually(lambda: "E-YAML" in fleet.machine.said() and fleet.machine.idle(), "the error")

    lines = [entry for entry in fleet.machine.journal() if entry.get("SYSLOG_IDENTIFIER") == "reconciler"]

    of = {entry["MESSAGE"]: entry["PRIORITY"] for entry in lines}
    assert of["fetch"] == "5"
    assert of["app/web  up"] == "6"
    assert {priority for text, priority in of.items() if "[E-YAML" in text or text.startswith("  why")} == {"3"}
    assert all(isinstance(text, str) and text.isprintable() and not text.startswith("<") for text in of)


# ---- how it reaches its remote


def test_a_token_from_a_systemd_credential_opens_a_remote(fleet: Fleet, tmp_path: Path) -> None:
    machine, remote = fleet.machine, Remote(tmp_path)
    remote.commit({"manifests/fleet.yaml": FLEET, "manifests/stacks/app/compose.yaml": stack(1)})
    with http_backend(tmp_path, token="s3cret-t0ken") as web:
        settings = SETTINGS.replace("file:///srv/git/fleet.git", web.url())
        machine.write(CONFIG, settings.replace("[docker]", 'token = "git-token"\n[docker]'))
        assert "E-SECRET-MISSING" in machine.sh("systemctl start reconciler.service || reconciler plan", code=1).text

        machine.write("/root/token", "s3cret-t0ken")
        machine.drop_in("reconciler.service", "[Service]\nLoadCredential=git-token:/root/token")
        machine.sh("systemctl start reconciler.service; rm /root/token")

    fleet.settled(1)
    assert "s3cret-t0ken" not in machine.said()


def test_a_confined_pass_fetches_over_ssh(fleet: Fleet, shared: Path) -> None:
    machine, remote = fleet.machine, Remote(shared / "git")
    remote.commit({"manifests/fleet.yaml": FLEET, "manifests/stacks/app/compose.yaml": stack(1)})
    with sshd(shared / "ssh") as ssh:
        keys = f'ssh_key = "{ssh.key}"\nknown_hosts = "{ssh.known_hosts}"\n'
        settings = SETTINGS.replace("file:///srv/git/fleet.git", ssh.url(remote.path))
        machine.write(CONFIG, settings.replace("[docker]", f"{keys}[docker]"))
        machine.sh("systemctl start reconciler.service")

    fleet.settled(1)

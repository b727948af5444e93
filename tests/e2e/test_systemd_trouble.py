"""What systemd does when a pass is paused, killed, stopped, or ends early: nothing spins, and no push is lost."""

from __future__ import annotations

import pytest

from tests.support.fleet import CONFIG, HELD, SETTINGS, TRIGGER, Fleet

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]  # the first test makes the machine

SOON = "[Service]\nRestartSec=100ms"


def answered(fleet: Fleet, starts: int) -> None:
    """The trigger is gone, the service at rest after so many starts, and the path unit ready for the next trigger."""
    machine = fleet.machine
    machine.eventually(lambda: machine.starts() >= starts and machine.idle(), f"start number {starts}")
    assert machine.sh(f"test ! -e {TRIGGER}", code=None).code == 0
    assert machine.state("reconciler.path", "SubState") == "waiting"
    machine.sh("systemctl start reconciler.service", code=None)  # takes longer than a spin needs for many starts
    assert machine.starts() == starts + 1


def test_a_push_during_a_pause_starts_one_pass_and_is_deployed_after_the_pause(fleet: Fleet) -> None:
    fleet.machine.sh("reconciler pause --reason 'disk swap'")

    fleet.push(1)

    answered(fleet, 1)
    assert fleet.machine.state("reconciler.service", "ExecMainStatus") == "3"
    assert fleet.machine.state("reconciler.service", "Result") == "success"
    fleet.machine.sh("reconciler resume; systemctl start reconciler.service")
    fleet.settled(1)


def test_a_push_during_a_pass_by_hand_is_left_to_that_pass(fleet: Fleet) -> None:
    machine = fleet.machine
    fleet.push_unseen(1, HELD)
    machine.sh("setsid reconciler converge --yes >/dev/null 2>&1 </dev/null &")
    machine.eventually(lambda: fleet.runs(1), "the pass by hand waits for its stack")

    fleet.push(2)

    answered(fleet, 1)
    assert machine.state("reconciler.service", "ExecMainStatus") == "75"
    assert machine.state("reconciler.service", "Result") == "success"
    fleet.release(1)
    machine.eventually(lambda: fleet.runs(2) and fleet.passes() == 2, "the pass by hand goes once more")


@pytest.mark.parametrize(
    ("fault", "status", "mend"),
    [
        (f"echo 'host = [' >{CONFIG}", "78", ""),
        (f"rm {CONFIG}", "78", ""),
        ("mv /opt/reconciler /opt/away", "203", "mv /opt/away /opt/reconciler"),
        ("mkdir /var/lib/reconciler/pass.lock", "1", "rmdir /var/lib/reconciler/pass.lock"),
    ],
    ids=["broken configuration", "no configuration", "no program", "no lock"],
)
def test_a_push_that_meets_a_broken_host_starts_one_pass_and_is_deployed_when_it_is_mended(
    fleet: Fleet, fault: str, status: str, mend: str
) -> None:
    machine = fleet.machine
    machine.sh(f"mkdir -p /var/lib/reconciler; {fault}")
    try:
        fleet.push(1)
        answered(fleet, 1)
        assert machine.state("reconciler.service", "ExecMainStatus") == status
        assert machine.state("reconciler.service", "Result") == "exit-code"
    finally:
        machine.sh(mend)

    machine.write(CONFIG, SETTINGS)
    machine.sh("systemctl start reconciler.service")
    fleet.settled(1)


def test_a_folder_in_place_of_the_trigger_starts_one_pass(fleet: Fleet) -> None:
    """Members of the group may make anything there."""
    fleet.push_unseen(1)

    fleet.machine.sh(f"mkdir {TRIGGER}.new; touch {TRIGGER}.new/file; mv {TRIGGER}.new {TRIGGER}", user="pusher")

    fleet.settled(1)
    answered(fleet, 1)


def test_a_pass_that_is_killed_begins_again_and_answers_the_push(fleet: Fleet) -> None:
    machine = fleet.machine
    machine.drop_in("reconciler.service", SOON)
    fleet.push(1, HELD)
    machine.eventually(lambda: fleet.runs(1), "the pass waits for its stack")

    machine.sh("systemctl kill --kill-who=main --signal=KILL reconciler.service")
    machine.eventually(lambda: machine.state("reconciler.service", "NRestarts") == "1", "it begins again")
    machine.eventually(lambda: (fleet.runs(1) and "recover" in machine.said()) or fleet.runs(1), "the second pass")
    fleet.release(1)

    fleet.settled(1)
    assert fleet.passes() == 2
    assert machine.state("reconciler.path", "SubState") == "waiting"


def test_a_pass_past_its_deadline_is_asked_to_stop_and_begins_again(fleet: Fleet) -> None:
    machine = fleet.machine
    machine.drop_in("reconciler.service", f"{SOON}\nTimeoutStartSec=4s")
    fleet.push(1, HELD)

    machine.eventually(lambda: machine.state("reconciler.service", "NRestarts") == "1", "it begins again")
    fleet.release(1)

    fleet.settled(1)
    assert "interrupted" in machine.sh("reconciler history").text


def test_stopping_the_service_ends_the_pass_politely_and_the_next_one_carries_on(fleet: Fleet) -> None:
    machine = fleet.machine
    fleet.push(1, HELD)
    machine.eventually(lambda: fleet.runs(1), "the pass waits for its stack")

    machine.sh("systemctl stop reconciler.service")

    assert machine.state("reconciler.service", "ActiveState") == "inactive"
    assert machine.state("reconciler.service", "ExecMainStatus") == "130"
    assert "interrupted" in machine.sh("reconciler history").text
    assert "SIGKILL" not in machine.said()
    fleet.push(2)
    fleet.settled(2)

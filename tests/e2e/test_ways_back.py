"""Which revision a rollback goes back to, also on a branch that was rewritten, and what is left when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.host import Host, until

pytestmark = pytest.mark.engine

APP = "services: {{web: {{image: 'test/box:{1}', pull_policy: missing, command: sleep 1000, environment: {{A: {0}}}}}}}"


def app(number: int, tag: str = "1") -> str:
    return APP.format(number, tag)


def rollback(host: Host, *revision: str, code: int = 0) -> dict[str, object]:
    ran = host.run("rollback", "box", *revision, "--reason", "it is slow", "--json")
    assert ran.code == code, f"{ran.code}\n{ran.stdout}\n{ran.stderr}"
    return {**ran.data, "error": ran.error}


def deployed(host: Host, *numbers: int) -> list[str]:
    made = []
    for number in numbers:
        made.append(host.push(app=app(number)))
        host.converge()
    return made


def blocked(host: Host) -> set[str]:
    return {path.name for path in (host.state / "sentinels/blocked").glob("[!.]*")}


def test_a_second_rollback_goes_further_back_and_not_to_what_the_first_turned_away_from(host: Host) -> None:
    one, two, three = deployed(host, 1, 2, 3)

    assert rollback(host)["revision"] == two
    assert rollback(host)["revision"] == one

    assert host.stamp == one and blocked(host) == {two, three}
    assert rollback(host, code=1)["error"]["code"] == "E-ROLLBACK"  # type: ignore[index]


def test_a_pass_over_one_stack_verifies_no_revision_to_go_back_to(host: Host) -> None:
    one = host.push(app=app(1), other=app(1))
    host.converge()
    host.push(app=app(2), other=app(2))
    host.converge("box/other")

    assert rollback(host, code=1)["error"]["code"] == "E-ROLLBACK"  # type: ignore[index]
    host.push(app=app(3), other=app(2))
    host.converge()
    assert rollback(host)["revision"] == one


def test_a_stack_that_the_older_revision_lacks_is_not_called_gone_from_git(host: Host) -> None:
    (one,) = deployed(host, 1)
    host.push(app=app(1), more=app(1))
    host.converge()

    ran = host.run("rollback", "box", "--reason", "it is slow", "--json")

    assert ran.reasons == {"more/web": f"remove: stack more is not in {one[:7]}"}


def test_a_rollback_that_could_not_begin_leaves_what_runs_unblocked(host: Host) -> None:
    host.engine.cli("tag", "test/box:1", "test/box:gone")
    host.push(app=app(1, "gone"))
    host.converge()
    (two,) = deployed(host, 2)
    host.engine.cli("rmi", "test/box:gone")
    before = host.ids()

    assert rollback(host, code=1)["error"]["code"] == "E-PULL"  # type: ignore[index]

    assert blocked(host) == set() and host.stamp == two and host.ids() == before
    words = host.push({"readme.md": "nothing that a host wants"})
    assert host.converge().data["revision"] == words


def test_a_rewritten_branch_that_was_accepted_is_deployed_and_what_was_before_it_stays_a_way_back(host: Host) -> None:
    base = host.remote.head
    (one,) = deployed(host, 1)
    host.remote.force(base)
    two = host.push(app=app(2))
    assert host.run("deploy", two).code == 1
    assert host.run("accept", two).code == 0

    assert host.run("deploy", two).code == 0
    assert host.stamp == two

    assert rollback(host, one[:9])["revision"] == one
    assert host.stamp == one and blocked(host) == {two}


def test_a_stamp_that_was_lost_is_written_again(host: Host) -> None:
    (one,) = deployed(host, 1)
    (host.state / "sentinels/last-successful-deploy-sha").unlink()

    assert host.converge().data["outcome"] == "unchanged"

    assert host.stamp == one


SLOW = "services: {{web: {{image: 'test/box:1', command: \"sh -c 'trap : TERM; while :; do sleep 1; done'\", {0}}}}}"


@pytest.fixture
def shaky(tmp_path: Path, other_engine: Engine) -> Host:
    """A host whose engine may be killed."""
    return Host(tmp_path, other_engine)


def test_a_rollback_whose_engine_dies_is_finished_by_the_timer_once_it_is_back(shaky: Host) -> None:
    one = shaky.push(app=SLOW.format("stop_grace_period: 5s, environment: {A: 1}"))
    shaky.converge()
    two = shaky.push(app=SLOW.format("stop_grace_period: 5s, environment: {A: 2}"))
    shaky.converge()
    process = shaky.begin("rollback", "box", "--reason", "it is slow")
    until(lambda: any(".new-" in name for name in shaky.containers()))
    shaky.engine.stop(kill=True)
    process.communicate(timeout=120)
    assert process.returncode == 69
    shaky.converge(code=69)

    shaky.engine.start()
    shaky.converge()

    assert shaky.stamp == one and blocked(shaky) == {two}
    shaky.settled()


def test_a_deploy_whose_engine_dies_is_finished_by_the_timer_though_it_had_paused_the_host(shaky: Host) -> None:
    shaky.push(app=SLOW.format("stop_grace_period: 5s, environment: {A: 1}"))
    shaky.converge()
    two = shaky.push(app=SLOW.format("stop_grace_period: 5s, environment: {A: 2}"))
    process = shaky.begin("deploy")
    until(lambda: any(".new-" in name for name in shaky.containers()))
    shaky.engine.stop(kill=True)
    process.communicate(timeout=120)
    assert process.returncode == 69

    shaky.engine.start()
    shaky.converge()

    assert shaky.stamp == two and not (shaky.state / "sentinels/paused").exists()
    shaky.settled()

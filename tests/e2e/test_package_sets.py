"""Package sets as their user sees them: a push, passes, a real orchestrator, a drone that does as it is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.package import Package
from tests.support.built import Maker
from tests.support.faulty import Fault, Way, way_to
from tests.support.host import Host, Ran, until
from tests.support.serving import Orchestrator, eventually, orchestrator_at

pytestmark = pytest.mark.engine

TOKEN = "a token that nobody guesses"
STACK = "services:\n  web: {image: 'test/box:1', command: [sleep, '600'], stop_grace_period: 0s, pull_policy: never}\n"
SET = "kind: PackageSet\nname: desk\nprofile: p\natoms: [app-misc/foo, dev-libs/bar]\nuse: {app-misc/foo: +x}\n"
FOO, BAR = Package("app-misc", "foo", "1.2", use=("x",)), Package("dev-libs", "bar", "2")


@pytest.fixture
def orchestrator(host: Host, tmp_path: Path) -> Iterator[Orchestrator]:
    """It triggers the passes of this host."""
    (host.folder / "inbox").mkdir()
    env = {"RECONCILER_INBOX_DIRECTORY": str(host.folder / "inbox")}
    with orchestrator_at(tmp_path / "orchestrator", TOKEN, env=env) as made:
        yield made


@pytest.fixture
def way(host: Host, orchestrator: Orchestrator) -> Iterator[Way]:
    """The host knows its orchestrator, by a way that can be broken, and has converged once without a set."""
    secrets = host.config.parent / "secrets"
    secrets.mkdir()
    (secrets / "swarm-token").write_text(TOKEN)
    (secrets / "swarm-token").chmod(0o600)
    with way_to(orchestrator.url) as way:
        with host.config.open("a") as file:
            file.write(f'\n[swarm]\nurl = "{way.url}"\ntoken = "swarm-token"\n')
        host.push(app=STACK)
        host.converge()
        yield way


def push(host: Host, text: str = SET, name: str = "desk") -> str:
    return host.remote.commit({f"manifests/packages/{name}.yaml": text})


def states(packages: dict[str, Any]) -> dict[str, str]:
    return {lack["atom"]: lack["state"] for each in packages["sets"] for lack in each["lacks"]}


def requests(orchestrator: Orchestrator) -> list[Any]:
    found = orchestrator.get("/api/requests?origin=set:desk").data["requests"]
    return list(found)


def tick(host: Host) -> Ran:
    """A pass as a timer asks for it."""
    ran = host.run("converge", "--yes")
    assert ran.code == 0, ran
    return ran


def test_a_push_has_its_packages_built_once_and_is_in_sync_when_they_are_there(
    host: Host, orchestrator: Orchestrator, way: Way
) -> None:
    maker = Maker(orchestrator, "p")
    push(host)
    before = host.run("plan", "--json").data["packages"]
    assert states(before) == {"app-misc/foo": "missing", "dev-libs/bar": "missing"}
    assert host.run("plan", "--detailed-exitcode").code == 2
    assert requests(orchestrator) == []

    with host.moves():
        first = host.converge()

    assert states(first.data["packages"]) == {"app-misc/foo": "building", "dev-libs/bar": "building"}
    (request,) = requests(orchestrator)
    history = host.run("history", "show", first.data["run"]).stdout
    assert f"packages: ok  (desk: 2 handed over as request {request['id']}:" in history
    assert host.run("plan", "--detailed-exitcode").code == 0, "a pass would have nothing to do but to wait"
    assert host.run("diff", "box", "--exit-code").code == 1
    status = host.run("status", "--check", "--json")
    assert (status.code, status.data["sync"]) == (2, "drift")

    maker.resolve(FOO, BAR)
    maker.build(FOO, BAR)
    trigger = host.folder / "inbox" / "trigger"
    eventually(trigger.exists, "a pass is asked for")
    last = tick(host)

    assert not trigger.exists()
    assert last.stdout.startswith(f"Nothing to do at {host.remote.head[:7]}")
    assert host.run("status", "--check", "--json").data["packages"]["in_sync"]
    assert len(requests(orchestrator)) == 1
    assert [line for line in way.passed if line.startswith("POST")] == ["POST /api/queue"]


def test_what_failed_is_told_everywhere_and_a_person_gives_it_another_try(
    host: Host, orchestrator: Orchestrator, way: Way
) -> None:
    maker = Maker(orchestrator, "p")
    push(host, SET.replace(", dev-libs/bar", ""))
    assert states(host.converge().data["packages"]) == {"app-misc/foo": "building"}
    maker.resolve(FOO)
    maker.fail("emerge ended with 1")

    for _ in range(2):
        assert states(host.converge().data["packages"]) == {"app-misc/foo": "failed"}
    for command in (("plan",), ("diff", "box"), ("status",)):
        assert "emerge ended with 1" in host.run(*command).stdout, command
    assert len(requests(orchestrator)) == 1

    again = host.run("submit", "--set", "desk", "--json")
    assert again.code == 0, again
    assert states(host.converge().data["packages"]) == {"app-misc/foo": "building"}
    maker.resolve(FOO)
    maker.build(FOO)
    assert host.converge().data["packages"]["in_sync"]
    assert len(requests(orchestrator)) == 2


def test_words_for_people(host: Host, orchestrator: Orchestrator, way: Way) -> None:
    push(host)

    plan = host.run("plan").stdout
    assert "+ package app-misc/foo  missing: the binhost does not have it  (desk)" in plan
    assert "No container to change: 1 container is as git wants it." in plan
    assert plan.rstrip().endswith("Packages: 2 missing, 0 as wanted.")
    done = tick(host).stdout
    assert "packages: 2 handed over" in done.splitlines()[0]
    later = tick(host).stdout
    assert later.startswith(f"At {host.remote.head[:7]}: no container to change; packages: 2 building")
    status = host.run("status").stdout
    assert "2 packages lack" in status and "> package app-misc/foo  building: a drone is asked what it takes" in status


# ---- the quick look


def quick(ran: Ran) -> bool:
    return "quick look" in ran.stdout


def test_a_quick_look_is_enough_until_builds_end_or_their_time_is_over(
    host: Host, orchestrator: Orchestrator, way: Way
) -> None:
    maker = Maker(orchestrator, "p")
    push(host)
    until(lambda: quick(tick(host)), seconds=30)
    asked = len(way.passed)
    assert quick(tick(host)) and len(way.passed) == asked, "nobody is asked by a quick look"

    (host.folder / "inbox" / "trigger").touch()
    assert not quick(tick(host)), "a trigger alone may be that of a build"
    until(lambda: quick(tick(host)), seconds=30)
    maker.resolve(FOO, BAR)
    maker.build(FOO, BAR)
    eventually((host.folder / "inbox" / "trigger").exists, "a pass is asked for")
    assert "Nothing to do" in (ran := tick(host)).stdout and not quick(ran)

    with host.config.open("a") as file:
        file.write('every = "1ms"\n')
    push(host, SET.replace("dev-libs/bar", "dev-libs/more"))
    for _ in range(4):
        assert not quick(tick(host)), "builds are waited for, and their time is over"


def test_a_trigger_alone_is_a_quick_look_where_there_is_no_set(host: Host, way: Way) -> None:
    until(lambda: quick(tick(host)), seconds=30)

    (host.folder / "inbox" / "trigger").touch()

    assert quick(tick(host))


def test_while_nobody_knows_what_packages_there_are_no_look_is_quick(host: Host, way: Way) -> None:
    way.breaks("500")
    push(host)
    for _ in range(4):
        ran = tick(host)
        assert not quick(ran) and "Nothing to do" not in ran.stdout
        assert "not all is known" in ran.stdout


# ---- faults


@pytest.mark.parametrize("fault", ["hang", "500", "half", "garbage"])
def test_trouble_on_the_way_is_a_finding_and_the_pass_is_what_it_would_be(host: Host, way: Way, fault: Fault) -> None:
    way.breaks(fault)
    push(host)
    host.push(app=STACK.replace("600", "700"))

    ran = host.converge()

    assert (ran.data["outcome"], host.stamp) == ("succeeded", host.remote.head)
    assert ran.data["seconds"] < 15
    assert ran.data["packages"]["unknown"] and ran.data["packages"]["advice"]
    plan = host.run("plan", "--detailed-exitcode")
    assert plan.code == 2 and "Nothing to do" not in plan.stdout and "not all is known" in plan.stdout
    status = host.run("status", "--check", "--json")
    assert (status.code, status.data["sync"]) == (2, "unknown")
    way.breaks("")
    assert set(states(host.converge().data["packages"]).values()) == {"building"}


def test_an_orchestrator_that_is_away_is_a_finding(host: Host, orchestrator: Orchestrator, way: Way) -> None:
    orchestrator.stop(signal.SIGKILL)
    push(host)

    ran = host.converge()

    assert "cannot be read" in ran.data["packages"]["unknown"]
    orchestrator.start()
    assert set(states(host.converge().data["packages"]).values()) == {"building"}


@pytest.mark.parametrize("fault", ["half", "lost"])
def test_an_answer_that_is_lost_makes_no_second_request(
    host: Host, orchestrator: Orchestrator, way: Way, fault: Fault
) -> None:
    way.breaks(fault, "POST")
    push(host)
    first = host.converge()
    assert set(states(first.data["packages"]).values()) == {"missing"} and first.data["packages"]["unknown"]
    assert len(requests(orchestrator)) == 1

    way.breaks("")
    second = host.converge()

    assert set(states(second.data["packages"]).values()) == {"building"}
    assert len(requests(orchestrator)) == 1


def test_a_pass_that_is_killed_before_it_hears_the_answer_makes_no_second_request(
    host: Host, orchestrator: Orchestrator, way: Way
) -> None:
    push(host)
    pass_ = host.begin("converge", "--yes")
    way.reached = lambda request: os.kill(pass_.pid, signal.SIGKILL) if request.startswith("POST") else None
    pass_.communicate(timeout=60)
    assert pass_.returncode == -signal.SIGKILL
    assert host.stamp == host.remote.head, "the verdict was written before"
    way.reached = lambda _request: None

    ran = host.converge()

    assert ran.data["outcome"] == "unchanged"
    assert set(states(ran.data["packages"]).values()) == {"building"}
    assert len(requests(orchestrator)) == 1


def test_a_host_without_an_orchestrator_says_so(host: Host) -> None:
    push(host)
    host.push(app=STACK)

    ran = host.converge()

    assert "swarm.url" in ran.data["packages"]["unasked"]
    assert "no orchestrator is configured" in host.run("status").stdout or "no orchestrator" in host.run("plan").stdout
    assert host.run("status", "--check").code == 0
    until(lambda: quick(tick(host)), seconds=30)


def test_a_bad_set_is_a_bad_revision(host: Host, way: Way) -> None:
    host.converge()
    good = host.stamp
    push(host, SET.replace("app-misc/foo,", "neovim,"))

    ran = host.converge(code=78)

    assert ran.error["code"] == "E-MANIFEST-VALUE"
    assert ran.error["at"] == {"file": "manifests/packages/desk.yaml", "line": 4, "column": 9}
    assert host.stamp == good

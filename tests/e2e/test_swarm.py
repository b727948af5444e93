"""Real drones build what git asks for in its order, and neither a bad package nor a lost drone stops them."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.process_group import end_recorded, marked
from tests.support.binhost import index_of
from tests.support.drones import DroneProcess
from tests.support.faulty import way_to
from tests.support.gentoo import BODY, Machine
from tests.support.host import Host
from tests.support.serving import Got, Orchestrator, eventually, orchestrator_at

TOKEN = "a token that nobody guesses"
HEARTBEAT = 4.0
"""Short, and long enough for a machine that is busy: who is silent for twice as long is lost."""

LONG = 240.0
"""Seconds for what several builds take on such a machine."""

SET = """\
kind: PackageSet
name: desk
profile: default
atoms: [app-misc/top, app-misc/alone]
use: {dev-libs/left: -x}
"""
NEEDS = {
    "base": (),
    "left": ("base",),
    "right": ("base",),
    "top": ("left", "right"),
    "alone": (),
}
FAILING = """
S="${WORKDIR}"
src_compile() {
    echo "the lathe is broken"
    die "it cannot be made"
}
"""
HANGING_ONCE = """
src_compile() {
    mkdir "BEGUN" 2>/dev/null && sleep 600
}
"""

Enlist = Callable[..., DroneProcess]


@pytest.fixture
def orchestrator(tmp_path: Path) -> Iterator[Orchestrator]:
    """It triggers the passes of a host in the same folder."""
    (tmp_path / "inbox").mkdir()
    env = {"RECONCILER_INBOX_DIRECTORY": str(tmp_path / "inbox")}
    with orchestrator_at(tmp_path / "orchestrator", TOKEN, env=env, heartbeat=HEARTBEAT) as made:
        yield made


@pytest.fixture
def ebuilds(tmp_path: Path) -> Machine:
    """Every machine has the ebuilds of this one."""
    return Machine(tmp_path / "ebuilds")


@pytest.fixture
def enlist(orchestrator: Orchestrator, ebuilds: Machine, tmp_path: Path) -> Iterator[Enlist]:
    """A drone by its name, on a machine of its own, which the orchestrator has heard of."""
    drones: list[DroneProcess] = []

    def enlist(name: str, more: str = "", url: str = "") -> DroneProcess:
        machine = Machine(tmp_path / name / "machine", ebuilds.repository)
        drone = DroneProcess(orchestrator, tmp_path / name, machine.environment, name, more=more, url=url)
        drones.append(drone)
        drone.enroll()
        drone.start()
        eventually(lambda: state_of(orchestrator, name) == "ready", f"{name} is there", 60)
        return drone

    try:
        yield enlist
    finally:
        for drone in drones:
            drone.leave()
            end_recorded(drone.state / "emerge.json")
    assert [line for drone in drones for line in drone.trouble()] == []


# ---- what git asks for


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_a_set_is_built_by_two_drones_in_its_order_and_again_only_as_far_as_a_flag_asks(
    host: Host, orchestrator: Orchestrator, ebuilds: Machine, enlist: Enlist, tmp_path: Path
) -> None:
    ebuilds.ebuild("dev-libs/base-1.0")
    ebuilds.ebuild("dev-libs/extra-1.0")
    ebuilds.ebuild("dev-libs/left-1.0", IUSE="x", **needing("dev-libs/base x? ( dev-libs/extra )"))
    ebuilds.ebuild("dev-libs/right-1.0", **needing("dev-libs/base"))
    ebuilds.ebuild("app-misc/top-1.0", **needing("dev-libs/left:= dev-libs/right"))
    ebuilds.ebuild("app-misc/alone-1.0")
    enlist("tau")
    enlist("rho")
    follow(host, orchestrator)
    host.remote.commit({"manifests/packages/desk.yaml": SET})

    first = built_by_a_push(host, orchestrator)

    assert {name: build["build"]["state"] for name, build in first.items()} == dict.fromkeys(NEEDS, "succeeded")
    for name, needs in NEEDS.items():
        begun = min(each["leased"] for each in first[name]["attempts"])
        assert all(first[need]["attempts"][-1]["ended"] <= begun for need in needs), f"{name} waits for {needs}"
        log = orchestrator.get(f"/api/builds/{first[name]['build']['id']}/log").data["text"]
        assert log.count(">>> Emerging (") == 1, "what it needs came from the binhost, or was there"
    assert {build["build"]["drone"] for build in first.values()} == {"tau", "rho"}
    assert stored(orchestrator) == [
        "app-misc/alone/alone-1.0-1.gpkg.tar",
        "app-misc/top/top-1.0-1.gpkg.tar",
        "dev-libs/base/base-1.0-1.gpkg.tar",
        "dev-libs/left/left-1.0-1.gpkg.tar",
        "dev-libs/right/right-1.0-1.gpkg.tar",
    ]
    client = Machine(tmp_path / "client", ebuilds.repository)
    client.follow(f"{orchestrator.url}/binhost/default")
    install(client)
    assert client.has("dev-libs/right-1.0")
    assert client.has("app-misc/alone-1.0")
    assert client.told("left") == "1.0"

    before = stored(orchestrator)
    host.remote.commit({"manifests/packages/desk.yaml": SET.replace("-x", "+x")})
    second = built_by_a_push(host, orchestrator)

    assert {name: build["build"]["state"] for name, build in second.items()} == {
        "left": "succeeded",
        "extra": "succeeded",
    }
    assert second["extra"]["attempts"][-1]["ended"] <= second["left"]["attempts"][0]["leased"]
    new = ["dev-libs/extra/extra-1.0-1.gpkg.tar", "dev-libs/left/left-1.0-2.gpkg.tar"]
    assert stored(orchestrator) == sorted([*before, *new])
    install(client, use="x")
    assert client.told("left") == "1.0 x"
    assert client.has("dev-libs/extra-1.0")
    host.settled()
    assert len(orchestrator.get("/api/requests").data["requests"]) == 2


def built_by_a_push(host: Host, orchestrator: Orchestrator) -> dict[str, Any]:
    """A pass hands it over, another one finds it there: what was built for it in between, by name."""
    handed = host.converge().data["packages"]
    assert {lack["state"] for each in handed["sets"] for lack in each["lacks"]} == {"building"}
    newest = orchestrator.get("/api/requests").data["requests"][0]["id"]
    ended(orchestrator, newest)
    trigger = host.folder / "inbox" / "trigger"
    eventually(trigger.exists, "the host is asked for a pass")
    assert host.converge().data["packages"]["in_sync"]
    return built(orchestrator, newest)


def install(client: Machine, use: str = "") -> None:
    words = ("--binpkg-respect-use=y", "--update", "--deep", "--newuse", "app-misc/top", "app-misc/alone")
    done = client.take(*words, use=use)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- a bad package


@pytest.mark.timeout(600)
def test_a_bad_package_is_tried_elsewhere_then_swept_then_failed_and_only_what_needs_it_is_held(
    orchestrator: Orchestrator, ebuilds: Machine, enlist: Enlist
) -> None:
    ebuilds.ebuild("dev-libs/good-1.0")
    ebuilds.ebuild("dev-libs/bad-1.0", FAILING)
    ebuilds.ebuild("app-misc/next-1.0", **needing("dev-libs/bad dev-libs/good"))
    ebuilds.ebuild("app-misc/last-1.0", **needing("app-misc/next"))
    ebuilds.ebuild("app-misc/fine-1.0", **needing("dev-libs/good"))
    enlist("tau")
    enlist("rho")
    enlist("omega", more="sweeper = true\n")

    request = ask(orchestrator, "app-misc/last", "app-misc/fine")
    ended(orchestrator, request)

    found = built(orchestrator, request)
    states = {name: each["build"]["state"] for name, each in found.items()}
    assert states == {"good": "succeeded", "fine": "succeeded", "bad": "failed", "next": "held", "last": "held"}
    bad = found["bad"]
    tries = [each["drone"] for each in bad["attempts"]]
    assert sorted(tries[:2]) == ["rho", "tau"]
    assert tries[2:] == ["omega"]
    assert {each["result"] for each in bad["attempts"]} == {"failed"}
    assert bad["build"]["reason"].startswith(f"failed 3 times ({', '.join(tries)}): ")
    assert "compile phase" in bad["build"]["reason"]
    for each in (bad["log"], bad["attempts"][-1]["log"]):
        assert "the lathe is broken" in each
        assert "it cannot be made" in each
    assert found["next"]["build"]["reason"].startswith("needs dev-libs/bad-1.0, which is failed: failed 3 times")
    assert "dev-libs/bad-1.0" in found["last"]["build"]["reason"]
    assert found["next"]["attempts"] == found["last"]["attempts"] == []
    swept = [name for name, each in found.items() for attempt in each["attempts"] if attempt["drone"] == "omega"]
    assert swept == ["bad"], "the sweeper does nothing else"
    assert stored(orchestrator) == ["app-misc/fine/fine-1.0-1.gpkg.tar", "dev-libs/good/good-1.0-1.gpkg.tar"]


# ---- a lost drone


@pytest.mark.timeout(600)
def test_a_drone_that_stood_still_in_mid_build_finds_its_work_done_and_takes_other_work(
    orchestrator: Orchestrator, ebuilds: Machine, enlist: Enlist, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    ebuilds.ebuild("app-misc/slow-1.0", BODY + HANGING_ONCE.replace("BEGUN", str(begun)))
    ebuilds.ebuild("app-misc/other-1.0")
    drones = {name: enlist(name) for name in ("tau", "rho")}
    request = ask(orchestrator, "app-misc/slow")
    eventually(begun.exists, "it is built", LONG)
    lease = holding(orchestrator, "slow")
    lost, other = drones.pop(lease["drone"]), drones.popitem()[1]
    (folder,) = (tmp_path / lost.name / "machine/prefix/tmp").glob("reconciler-drone-*")
    mark = f"PORTAGE_TMPDIR={folder}"

    lost.ask_to_stop(signal.SIGSTOP)
    eventually(lambda: state_of(orchestrator, lost.name) == "offline", f"{lost.name} is offline", LONG)
    known = drone_of(orchestrator, lost.name)
    ended(orchestrator, request)

    assert 2 * HEARTBEAT <= known["since"] - known["heard"] < 3 * HEARTBEAT
    slow = built(orchestrator, request)["slow"]
    assert [each["drone"] for each in slow["attempts"]] == [lost.name, other.name]
    assert slow["attempts"][1]["leased"] - known["heard"] < 3 * HEARTBEAT
    assert (slow["build"]["state"], slow["build"]["failures"]) == ("succeeded", []), "a lost drone judges no package"
    late = upload(lost, lease, "app-misc/slow/slow-1.0-1.gpkg.tar", b"what came too late")
    assert (late.status, late.code) == (409, "E-SWARM-LEASE")
    assert marked(mark), "its build goes on"

    lost.ask_to_stop(signal.SIGCONT)
    lost.says(f"{lease['build']}:{lease['attempt']}: ended, it was withdrawn")
    assert marked(mark) == []
    orchestrator.ask("POST", f"/api/drones/{other.name}/drain")
    again = ask(orchestrator, "app-misc/other")
    ended(orchestrator, again)

    assert built(orchestrator, again)["other"]["build"]["drone"] == lost.name
    assert stored(orchestrator) == ["app-misc/other/other-1.0-1.gpkg.tar", "app-misc/slow/slow-1.0-1.gpkg.tar"]


@pytest.mark.timeout(600)
def test_a_drone_that_stood_still_in_mid_upload_is_refused_and_the_package_is_there_once(
    orchestrator: Orchestrator, ebuilds: Machine, enlist: Enlist
) -> None:
    ebuilds.ebuild("app-misc/slow-1.0")
    ebuilds.ebuild("app-misc/other-1.0")
    stopped: list[DroneProcess] = []
    moved = threading.Event()

    def stop(request: str) -> None:
        """The first upload is on its way while its drone stands still, until another one has done its work."""
        if request.startswith("PUT") and not stopped:
            stopped.append(drones[holding(orchestrator, "slow")["drone"]])
            stopped[0].ask_to_stop(signal.SIGSTOP)
            moved.wait(LONG)

    with way_to(orchestrator.url) as way:
        way.before = stop
        direct = f'binhost = "{orchestrator.url}/binhost/default"\n'
        drones = {name: enlist(name, url=way.url, more=direct) for name in ("tau", "rho")}
        request = ask(orchestrator, "app-misc/slow")
        ended(orchestrator, request)
        slow = built(orchestrator, request)["slow"]
        (lost,) = stopped
        assert [each["drone"] == lost.name for each in slow["attempts"]] == [True, False]

        moved.set()
        put = "PUT /binhost/default/app-misc/slow/slow-1.0-1.gpkg.tar"
        eventually(lambda: (put, 409) in way.answered, "the late upload is refused")
        lost.ask_to_stop(signal.SIGCONT)
        lost.says(f"{slow['build']['id']}:1: the lease is gone")

        assert [each for each in way.answered if each[0] == put] == [(put, 201), (put, 409)]
        (other,) = set(drones) - {lost.name}
        orchestrator.ask("POST", f"/api/drones/{other}/drain")
        again = ask(orchestrator, "app-misc/other")
        ended(orchestrator, again)
    assert built(orchestrator, again)["other"]["build"]["drone"] == lost.name
    assert stored(orchestrator) == ["app-misc/other/other-1.0-1.gpkg.tar", "app-misc/slow/slow-1.0-1.gpkg.tar"]
    incoming = orchestrator.state / "binhost" / ".incoming"
    assert [path for path in incoming.rglob("*") if path.is_file()] == []


# ---- words


def needing(what: str) -> dict[str, str]:
    return {"DEPEND": what, "RDEPEND": what}


def follow(host: Host, orchestrator: Orchestrator) -> None:
    """The host knows its orchestrator."""
    secret = host.config.parent / "secrets" / "swarm-token"
    secret.parent.mkdir()
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    with host.config.open("a") as file:
        file.write(f'\n[swarm]\nurl = "{orchestrator.url}"\ntoken = "swarm-token"\n')


def ask(orchestrator: Orchestrator, *atoms: str) -> str:
    answer = orchestrator.ask("POST", "/api/queue", {"atoms": list(atoms), "profile": "default"})
    return str(answer.data["request"]["id"])


def ended(orchestrator: Orchestrator, request: str) -> None:
    def has_ended() -> bool:
        return bool(orchestrator.get(f"/api/requests/{request}").data["request"]["ended"])

    eventually(has_ended, f"{request} has ended", LONG)


def built(orchestrator: Orchestrator, request: str) -> dict[str, Any]:
    """The packages of a request by their names, as /api/builds/ID has each."""
    builds = orchestrator.get(f"/api/requests/{request}").data["builds"]
    return {
        each["package"]["name"]: orchestrator.get(f"/api/builds/{each['id']}").data
        for each in builds
        if each["kind"] == "package"
    }


def holding(orchestrator: Orchestrator, name: str) -> dict[str, Any]:
    """The lease of the only package of that name."""
    (build,) = (
        each
        for each in orchestrator.get("/api/builds").data["builds"]
        if each["package"] and each["package"]["name"] == name
    )
    return dict(orchestrator.get(f"/api/builds/{build['id']}").data["attempts"][-1])


def drone_of(orchestrator: Orchestrator, name: str) -> dict[str, Any]:
    return dict(orchestrator.get(f"/api/drones/{name}").data)


def state_of(orchestrator: Orchestrator, name: str) -> str:
    return str(drone_of(orchestrator, name)["state"])


def stored(orchestrator: Orchestrator) -> list[str]:
    """The paths in the binhost's index, whose files are all there."""
    return sorted(entry["PATH"] for entry in index_of(orchestrator.state / "binhost", "default").entries)


def upload(drone: DroneProcess, lease: dict[str, Any], path: str, data: bytes) -> Got:
    """As that drone would do it under that lease."""
    headers = {
        "Authorization": f"Bearer {drone.secret.read_text()}",
        "X-Reconciler-Lease": f"{lease['build']}:{lease['attempt']}",
        "X-Reconciler-Sha256": hashlib.sha256(data).hexdigest(),
    }
    return drone.orchestrator.ask("PUT", f"/binhost/{drone.profile}/{path}", data, headers)

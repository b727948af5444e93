"""Package sets at the end of a pass: handed over once, told while they are built, and in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.adapters.signals import SentinelSignals
from reconciler.adapters.swarm.build_swarm_memory import MemoryBuildSwarm
from reconciler.convergence.packages import PATIENCE
from reconciler.core.packages.handing import by_hand
from reconciler.core.packages.sets import load_set
from reconciler.core.trees import MemoryTree
from reconciler.errors import ReconcilerError, Terminal, Transient, Unreachable
from reconciler.model.package import Package
from reconciler.model.queue import Stored
from reconciler.model.result import Result
from reconciler.model.sets import Lack, PackageDrift
from tests.support.crash import CrashHost
from tests.support.crash_scenarios import BAD
from tests.support.crash_stacks import BEFORE, crash_host
from tests.support.seam import Seam

FILE = "manifests/packages/desk.yaml"
SET = "kind: PackageSet\nname: desk\nprofile: p\natoms: [app-misc/foo, dev-libs/bar]\nuse: {app-misc/foo: +x}\n"
FOO, BAR = Package("app-misc", "foo", "1", use=("x",)), Package("dev-libs", "bar", "2")
AWAY = Unreachable("E-ORCHESTRATOR-AWAY", "the orchestrator does not answer", why="refused", next="start it")


@pytest.fixture
def host() -> Iterator[CrashHost]:
    """A host whose revision wants two packages, with an orchestrator that builds when a test says so."""
    with crash_host() as host:
        host.swarm = MemoryBuildSwarm()
        host.commit({**BEFORE, FILE: SET})
        yield host


def swarm(host: CrashHost) -> MemoryBuildSwarm:
    assert host.swarm is not None
    return host.swarm


def drift(result: Result) -> PackageDrift:
    assert result.packages is not None
    return result.packages


def states(result: Result) -> dict[str, str]:
    """Atom -> its state."""
    return {str(lack.atom): lack.state for lack in drift(result).lacks}


def submitted(host: CrashHost) -> int:
    return swarm(host).asked.count("submit")


def handed(host: CrashHost, run: int) -> Sequence[str]:
    """What the history says that a pass handed over."""
    ledger = SqliteLedger(host.state / "ledger.db")
    try:
        return [reason for step in ledger.run(f"run-{run}")[1] if step.action == "packages" for reason in step.reasons]
    finally:
        ledger.close()


def another(name: str, profile: str) -> str:
    """The same set for drones of another profile."""
    return SET.replace("desk", name).replace("profile: p", f"profile: {profile}")


def signals(host: CrashHost) -> SentinelSignals:
    return SentinelSignals(host.state / "sentinels", person=True)


# ---- the way of a package


def test_what_lacks_is_handed_over_once_and_the_next_ticks_see_it_until_it_is_there(host: CrashHost) -> None:
    first = host.converge()

    assert (first.outcome, first.exit_code) == ("succeeded", 0)
    assert first.reason.endswith("; packages: 2 handed over")
    assert states(first) == {"app-misc/foo": "building", "dev-libs/bar": "building"}
    (line,) = handed(host, 1)
    assert line.startswith("desk: 2 handed over as request r1: app-misc/foo (missing: the binhost does not have it)")

    for _ in range(2):
        tick = host.converge()
        assert (tick.outcome, tick.reason) == ("unchanged", "no container to change; packages: 2 building")
        assert [lack.why for lack in drift(tick).lacks] == ["a drone is asked what it takes"] * 2
    swarm(host).resolve("r1", FOO, BAR)
    assert {lack.why for lack in drift(host.converge()).lacks} == {"queued"}
    swarm(host).build("r1")
    last = host.converge()

    assert (last.outcome, last.reason) == ("unchanged", "nothing to do")
    assert drift(last).in_sync and drift(last).sets[0].present == 2
    assert submitted(host) == 1
    assert handed(host, 5) == []


def test_only_what_lacks_is_handed_over_and_other_flags_are_a_lack(host: CrashHost) -> None:
    swarm(host).put("p", BAR)
    swarm(host).put("p", Package("app-misc", "foo", "1", use=("-x",)))

    result = host.converge()

    (lack,) = drift(result).lacks
    assert (lack.kind, lack.reason, lack.state) == ("outdated", "the binhost has 1 with -x; +x is wanted", "building")
    assert swarm(host).requests("set:desk")[0].atoms == ("app-misc/foo",)
    assert swarm(host).requests("set:desk")[0].use == {"app-misc/foo": ("x",)}


def test_when_a_part_of_it_is_built_the_rest_is_not_handed_over_again(host: CrashHost) -> None:
    host.converge()
    swarm(host).resolve("r1", FOO, BAR)
    swarm(host).put("p", BAR)

    for _ in range(2):
        assert states(host.converge()) == {"app-misc/foo": "building"}
    assert submitted(host) == 1


def failed(host: CrashHost) -> Lack:
    """One build of the set has failed, and a pass has told so."""
    host.converge()
    swarm(host).put("p", BAR)
    swarm(host).resolve("r1", FOO)
    swarm(host).fail("r1", "emerge ended with 1 on tau")
    (lack,) = drift(host.converge()).lacks
    return lack


def test_what_failed_is_told_with_its_reason_and_not_handed_over_again(host: CrashHost) -> None:
    lack = failed(host)

    assert (lack.state, lack.why) == ("failed", "app-misc/foo-1 failed: emerge ended with 1 on tau")
    ticks = [host.converge() for _ in range(3)]
    assert {tick.reason for tick in ticks} == {"no container to change; packages: 1 failed"}
    assert {tick.exit_code for tick in ticks} == {0}
    host.commit({"README.md": "words"})
    host.converge()
    assert submitted(host) == 1


def test_a_change_of_the_set_gives_what_failed_another_try(host: CrashHost) -> None:
    failed(host)
    host.commit({FILE: SET.replace("+x", "+x +y")})

    assert states(host.converge()) == {"app-misc/foo": "building"}
    assert states(host.converge()) == {"app-misc/foo": "building"}
    assert submitted(host) == 2


def test_other_ebuilds_give_what_failed_another_try_and_no_more_than_one(host: CrashHost) -> None:
    failed(host)
    swarm(host).trees["q"] = 99.0
    assert states(host.converge()) == {"app-misc/foo": "failed"}, "that is another profile"

    for sync in (10.0, 20.0):
        swarm(host).trees["p"] = swarm(host).now = sync
        assert states(host.converge()) == {"app-misc/foo": "building"}
        assert states(host.converge()) == {"app-misc/foo": "building"}
        newest = swarm(host).requests("set:desk")[0].id
        swarm(host).resolve(newest, FOO)
        swarm(host).fail(newest, "no better")
        for _ in range(2):
            assert states(host.converge()) == {"app-misc/foo": "failed"}
    assert submitted(host) == 3


def test_other_ebuilds_change_nothing_for_what_is_being_built(host: CrashHost) -> None:
    host.converge()
    swarm(host).trees["p"] = 99.0

    assert set(states(host.converge()).values()) == {"building"}
    assert submitted(host) == 1


def test_a_person_gives_what_failed_another_try_and_how_that_ends_counts(host: CrashHost) -> None:
    failed(host)
    found = load_set(MemoryTree({FILE: SET}), "manifests", "desk")
    again = swarm(host).submit(by_hand(found, "salt", "ana")).request.id

    assert states(host.converge()) == {"app-misc/foo": "building"}
    swarm(host).resolve(again, FOO)
    swarm(host).fail(again, "the disk is full")
    (lack,) = drift(host.converge()).lacks

    assert (lack.state, lack.request, lack.why) == ("failed", again, "app-misc/foo-1 failed: the disk is full")
    assert submitted(host) == 2, "one of a pass, one of a person"


def test_what_cannot_be_built_at_all_is_a_failure_with_its_reason(host: CrashHost) -> None:
    host.converge()
    swarm(host).resolve("r1", refused="app-misc/foo is masked")

    assert [(lack.state, lack.why) for lack in drift(host.converge()).lacks] == [
        ("failed", "refused: app-misc/foo is masked")
    ] * 2
    assert submitted(host) == 1


def test_what_the_binhost_lost_is_built_again_but_not_for_ever(host: CrashHost) -> None:
    host.converge()
    requests = []
    for _ in range(3):
        for request in swarm(host).requests("set:desk"):
            if request.ended is None:
                requests.append(request.id)
                swarm(host).resolve(request.id, FOO, BAR)
                swarm(host).build(request.id)
        assert drift(host.converge()).in_sync
        swarm(host).indexes.clear()
        host.converge()
    last = host.converge()

    assert requests == ["r1", "r2", "r3"]
    assert set(states(last).values()) == {"failed"}
    assert all("gone from the binhost" in lack.why for lack in drift(last).lacks)


def test_what_a_drone_builds_otherwise_than_it_was_asked_is_not_built_for_ever(host: CrashHost) -> None:
    host.converge()
    swarm(host).resolve("r1", FOO, BAR)
    swarm(host).build("r1", flags=("-x",))

    (lack,) = drift(host.converge()).lacks

    assert (lack.state, lack.why) == ("failed", "built as app-misc/foo-1, which is not what is wanted")
    assert submitted(host) == 1


def test_two_hosts_with_the_same_set_are_one_request(host: CrashHost) -> None:
    host.converge()
    with crash_host() as other:
        other.swarm = swarm(host)
        other.commit({**BEFORE, FILE: SET.replace("[app-misc/foo, dev-libs/bar]", "[dev-libs/bar, app-misc/foo]")})
        assert set(states(other.converge()).values()) == {"building"}
        other.swarm = None

    assert [request.id for request in swarm(host).requests("set:desk")] == ["r1"]


# ---- who is asked, and who is not


def test_a_host_without_a_set_asks_nobody(host: CrashHost) -> None:
    host.commit({FILE: None})

    result = host.converge()

    assert (result.packages, swarm(host).asked) == (None, [])


def test_without_an_orchestrator_the_sets_are_checked_and_a_finding_says_so(host: CrashHost) -> None:
    host.swarm = None

    result = host.converge()

    assert (result.outcome, drift(result).sets) == ("succeeded", ())
    assert "no orchestrator is configured" in drift(result).unasked and "swarm.url" in drift(result).unasked
    assert drift(result).in_sync
    host.commit({FILE: "kind: PackageSet\n"})
    assert (host.converge().outcome, signals(host).blocked()) == ("failed", {})


def test_a_pass_over_a_part_of_the_host_hands_nothing_over(host: CrashHost) -> None:
    host.converge()
    asked = list(swarm(host).asked)

    result = host.take("converge", target="box/solo")

    assert (result.packages, swarm(host).asked) == (None, asked)


def test_a_paused_host_looks_and_hands_nothing_over(host: CrashHost) -> None:
    host.swarm, builds = None, host.swarm
    host.converge()
    host.swarm = builds
    signals(host).pause("", "disk swap", "ana", "", None)

    result = host.converge()

    assert (result.outcome, states(result)) == ("paused", {"app-misc/foo": "missing", "dev-libs/bar": "missing"})
    assert submitted(host) == 0


# ---- in nobody's way


def test_packages_come_after_the_verdict(host: CrashHost) -> None:
    seam = Seam()
    host.converge(seam)

    (at,) = [n for n, point in enumerate(seam.trace) if point.startswith("before swarm.submit")]
    before = [
        n for n, point in enumerate(seam.trace) if point.startswith(("after engine", "after signals.write_stamp"))
    ]
    assert before and at > max(before)
    assert [point for point in seam.trace[at:] if point.startswith(("before engine", "before signals"))] == []


@pytest.mark.parametrize(
    "trouble",
    [
        AWAY,
        Transient("E-BINHOST-INDEX", "half an index", next="look"),
        Terminal("E-HTTP-TOKEN", "no token was shown", next="write it down"),
    ],
    ids=lambda error: error.code,
)
def test_trouble_of_the_orchestrator_is_told_and_changes_nothing_else(
    host: CrashHost, trouble: ReconcilerError
) -> None:
    swarm(host).trouble = trouble

    first, tick = host.converge(), host.converge()

    assert (first.outcome, first.exit_code, signals(host).stamp()) == ("succeeded", 0, host.remote.head)
    assert (tick.outcome, tick.exit_code) == ("unchanged", 0)
    for result in (first, tick):
        assert trouble.what in drift(result).unknown and drift(result).advice == trouble.next
        assert not drift(result).in_sync
        assert result.reason.endswith("packages: not all is known")
    assert not tick.reason.startswith("nothing to do")
    swarm(host).trouble = None
    assert set(states(host.converge()).values()) == {"building"}


def test_one_question_is_enough_to_know_that_nobody_is_there(host: CrashHost) -> None:
    host.commit({"manifests/packages/more.yaml": another("more", "q")})
    swarm(host).trouble = AWAY

    host.converge()

    assert swarm(host).asked == ["stored"]


def test_slow_answers_do_not_hold_a_pass_for_long(host: CrashHost) -> None:
    class Slow(MemoryBuildSwarm):
        def _ask(self, question: str) -> None:
            super()._ask(question)
            host.clock.sleep(4)

    host.swarm = Slow()
    for n in range(9):
        host.commit(
            {f"manifests/packages/s{n}.yaml": SET.replace("desk", f"s{n}").replace("profile: p", f"profile: p{n}")}
        )
    before = host.clock.now()

    result = host.converge()

    assert "takes too long" in drift(result).unknown
    assert host.clock.now() - before <= PATIENCE + 8


def test_one_broken_index_does_not_keep_the_other_profiles_from_being_built(host: CrashHost) -> None:
    class Half(MemoryBuildSwarm):
        def stored(self, binhost: str, profile: str) -> Sequence[Stored]:
            if profile == "a-broken-one":
                raise Transient("E-BINHOST-INDEX", "half an index")
            return super().stored(binhost, profile)

    host.swarm = Half()
    host.commit(
        {"manifests/packages/more.yaml": SET.replace("desk", "more").replace("profile: p", "profile: a-broken-one")}
    )

    result = host.converge()

    assert "half an index" in drift(result).unknown
    assert [request.id for request in swarm(host).requests("set:desk")] == ["r1"]
    assert set(states(result).values()) == {"building"}


def test_a_refused_submission_is_told_and_tried_by_the_next_pass(host: CrashHost) -> None:
    class Shut(MemoryBuildSwarm):
        shut = True

        def _ask(self, question: str) -> None:
            super()._ask(question)
            if question == "submit" and self.shut:
                raise Terminal("E-HTTP-TOKEN", "the request shows no token")

    host.swarm = shut = Shut()

    result = host.converge()

    assert (result.outcome, states(result)) == ("succeeded", {"app-misc/foo": "missing", "dev-libs/bar": "missing"})
    assert "shows no token" in drift(result).unknown
    assert handed(host, 1) == []
    shut.shut = False
    assert set(states(host.converge()).values()) == {"building"}


def test_a_sick_stack_keeps_no_package_from_being_built(host: CrashHost) -> None:
    host.swarm, builds = None, host.swarm
    host.converge()
    host.swarm = builds
    host.engine.set_state("app-db-1", "running", health="unhealthy")
    host.engine.refuses.add("box/db:1")

    result = host.converge()

    assert result.exit_code != 0 and "packages" not in result.reason
    assert set(states(result).values()) == {"building"}


def test_what_a_revision_wants_that_failed_is_not_built_and_what_was_verified_is(host: CrashHost) -> None:
    host.swarm, builds = None, host.swarm
    host.converge()
    host.swarm = builds
    host.commit({**BAD, FILE: SET.replace("dev-libs/bar", "dev-libs/worse")})

    result = host.converge()

    assert result.outcome == "rolled-back"
    assert states(result) == {"app-misc/foo": "building", "dev-libs/bar": "building"}


def test_a_branch_that_cannot_be_followed_keeps_no_package_from_being_built(host: CrashHost) -> None:
    host.swarm, builds = None, host.swarm
    host.converge()
    host.swarm = builds
    host.remote.commit({"manifests/fleet.yaml": "kind: nonsense\n"}, "no fleet")

    result = host.converge()

    assert result.outcome == "failed" and "packages" not in result.reason
    assert set(states(result).values()) == {"building"}

"""Kill -9 in a pass that hands packages over: whatever it had told whom, there is one request, and all ends as ever."""

from __future__ import annotations

import pytest

from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.adapters.signals import SentinelSignals
from reconciler.adapters.swarm.build_swarm_memory import MemoryBuildSwarm
from reconciler.errors import Transient
from tests.support.crash import CrashHost
from tests.support.crash_case import learned, told
from tests.support.crash_scenarios import Scenario
from tests.support.crash_stacks import BEFORE, SOLO, one
from tests.support.seam import Died, Seam

FILE = "manifests/packages/desk.yaml"
SET = {FILE: "kind: PackageSet\nname: desk\natoms: [app-misc/foo, dev-libs/bar]\n"}


def ids(host: CrashHost) -> list[str]:
    assert host.swarm is not None
    return [request.id for request in host.swarm.requests("set:desk")]


@pytest.fixture
def wanting(host: CrashHost) -> CrashHost:
    """A verified host whose next revision wants packages."""
    host.swarm = MemoryBuildSwarm()
    host.commit(BEFORE)
    assert host.converge().outcome == "succeeded"
    host.commit(SET)
    return host


def test_wherever_a_pass_dies_the_set_is_one_request(host: CrashHost) -> None:
    host.swarm = MemoryBuildSwarm()
    case = learned(host, Scenario("a package set", {**SET, SOLO: one("solo", "box/solo:2")}))
    assert ids(host) == ["r1"]
    assert any(point.startswith("before swarm.submit") for point in case.trace)

    for point in case.points:
        case.died_at(point)
        told(case, f"died at {point}: {case.trace[point]}")
        assert ids(host) == ["r1"], f"died at {point}: {case.trace[point]}"


def test_a_death_between_the_submission_and_its_record_makes_no_second_request(wanting: CrashHost) -> None:
    """The answer is lost with the pass; the verdict is not."""
    with pytest.raises(Died):
        wanting.converge(Seam("after swarm.submit"))
    assert ids(wanting) == ["r1"]
    assert SentinelSignals(wanting.state / "sentinels").stamp() == wanting.remote.head

    result = wanting.converge()

    assert result.outcome == "unchanged"
    assert result.packages is not None and [lack.state for lack in result.packages.lacks] == ["building"] * 2
    assert ids(wanting) == ["r1"]


def test_though_the_orchestrator_does_not_tell_of_the_request_the_key_makes_it_the_same(wanting: CrashHost) -> None:
    """As between two orchestrators, or two hosts that ask at the same moment."""

    class Silent(MemoryBuildSwarm):
        def requests(self, origin: str) -> tuple[()]:
            return ()

    swarm = wanting.swarm = Silent()
    with pytest.raises(Died):
        wanting.converge(Seam("after swarm.submit"))

    wanting.converge()

    assert swarm.asked.count("submit") == 2
    assert list(swarm._requests) == ["r1"]
    ledger = SqliteLedger(wanting.state / "ledger.db")
    steps = [step for step in ledger.run("run-3")[1] if step.action == "packages"]
    ledger.close()
    assert len(steps) == 1 and "which was there already" in steps[0].reasons[0]


def test_a_ledger_that_takes_nothing_more_changes_no_outcome(wanting: CrashHost) -> None:
    """The step that says what was handed over promises nobody anything."""

    def full(point: str) -> None:
        if point.startswith("before ledger.step") and seam.trace[-1].startswith("after swarm"):
            raise Transient("E-LEDGER-FULL", "no space", next="free some")

    seam = Seam(look=full)

    assert wanting.converge(seam).outcome == "succeeded"
    assert ids(wanting) == ["r1"]

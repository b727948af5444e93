"""Which drone may take what, and why the others may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.build import Drone, Job
from reconciler.swarm.placing.eligible import eligible

GIB = 1 << 30
BIG = Drone("big", 16, memory=64 * GIB, profile="amd64")
MID = Drone("mid", 8, memory=16 * GIB, profile="amd64")
ARM = Drone("arm", 4, memory=8 * GIB, profile="arm64")
BROOM = Drone("broom", 8, memory=32 * GIB, profile="amd64", sweeper=True)
FLEET = (BIG, MID, ARM, BROOM)

OTHER = "builds for profile arm64, and amd64 is wanted"
LITTLE = "{} GiB of memory, and 48 GiB are wanted"
TAKES_LAST = "broom: the sweeper takes last tries only"

ANY = Job("foo", 10.0)
AMD = Job("foo", 10.0, profile="amd64")


def changed(**states: dict[str, object]) -> tuple[Drone, ...]:
    return tuple(replace(drone, **states.get(drone.name, {})) for drone in FLEET)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("job", "fleet", "names"),
    [
        (ANY, FLEET, "big mid arm"),
        (AMD, FLEET, "big mid"),
        (replace(ANY, cores=8), FLEET, "big mid"),
        (replace(ANY, memory=20 * GIB), FLEET, "big"),
        (AMD, changed(big={"state": "building"}), "big mid"),
        (AMD, changed(big={"state": "degraded"}), "mid"),
        (AMD, changed(big={"state": "offline"}), "mid"),
        (AMD, changed(big={"drained": True}), "mid"),
        (replace(AMD, failed_on=("big",)), FLEET, "mid"),
        # nobody else is in service: again where it failed
        (replace(AMD, failed_on=("big",)), changed(mid={"drained": True}), "big"),
        (replace(AMD, failed_on=("big",)), changed(mid={"state": "offline"}), "big"),
        # a degraded one may be back in a moment
        (replace(AMD, failed_on=("big",)), changed(mid={"state": "degraded"}), ""),
        (replace(AMD, failed_on=("big", "mid")), FLEET, "broom"),
        (replace(AMD, failed_on=("big", "mid")), changed(broom={"state": "degraded"}), ""),
        (replace(AMD, failed_on=("big", "mid")), changed(broom={"state": "offline"}), "big mid"),
        (replace(AMD, failed_on=("big", "mid", "broom")), FLEET, "broom"),
        # the sweeper is of another profile: another drone has the last try
        (Job("foo", 1.0, profile="arm64", failed_on=("arm", "arm")), FLEET, "arm"),
        (ANY, (BROOM,), ""),
        (replace(ANY, failed_on=("broom", "broom")), (BROOM,), "broom"),
        (ANY, (), ""),
    ],
)
def test_who_may_take_it(job: Job, fleet: tuple[Drone, ...], names: str) -> None:
    found = eligible(job, fleet)

    assert [drone.name for drone in found.drones] == names.split()
    assert set(found.reasons) == {drone.name for drone in fleet} - set(names.split())
    assert bool(found.nowhere) == (not names)


@pytest.mark.parametrize(
    ("job", "fleet", "reason"),
    [
        (ANY, (), "there is no drone"),
        (
            replace(ANY, cores=32),
            (ARM, Drone("pi", 1)),
            "arm: 4 cores, and 32 are wanted; pi: 1 core, and 32 are wanted",
        ),
        (
            replace(AMD, memory=48 * GIB),
            changed(big={"drained": True}),
            f"big: drained; mid: {LITTLE.format(16)}; arm: {OTHER}; broom: {LITTLE.format(32)}",
        ),
        (
            AMD,
            changed(big={"state": "offline"}, mid={"state": "degraded"}),
            f"big: offline; mid: degraded: not heard of for a while; arm: {OTHER}; {TAKES_LAST}",
        ),
        (
            Job("foo", 1.0, profile="x86"),
            tuple(Drone(f"d{n}", 4) for n in range(9)),
            "d0, d1 and 7 others: builds for profile (none), and x86 is wanted",
        ),
    ],
)
def test_why_nobody_may(job: Job, fleet: tuple[Drone, ...], reason: str) -> None:
    assert eligible(job, fleet).nowhere == reason


def test_each_of_the_others_has_its_reason() -> None:
    failed = replace(AMD, failed_on=("big",))

    assert eligible(failed, FLEET).reasons == {
        "big": "it failed here, and another drone is there",
        "arm": OTHER,
        "broom": "the sweeper takes last tries only",
    }
    assert eligible(failed, FLEET, retries=1).reasons["mid"] == "the last try is for the sweeper"
